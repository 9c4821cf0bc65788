"""TFLite front end: int8 models, as the reference kernels compute them."""

from __future__ import annotations

from edgekit.frontend.tflite.load import load_bytes, tensor_indices
from edgekit.frontend.tflite.repair import without_stray_axes

__all__ = ["load_bytes", "tensor_indices", "without_stray_axes"]
