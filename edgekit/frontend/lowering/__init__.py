"""Chains of quantized layers to integer graphs, shared by QONNX, Keras, Brevitas and training."""

from edgekit.frontend.lowering.layers import (
    AveragePool,
    Elementwise,
    Flatten,
    InputSpec,
    Layer,
    MaxPool,
    Quantizer,
    Softmax,
    Weighted,
)
from edgekit.frontend.lowering.lower import identifier, lower

__all__ = [
    "AveragePool",
    "Elementwise",
    "Flatten",
    "InputSpec",
    "Layer",
    "MaxPool",
    "Quantizer",
    "Softmax",
    "Weighted",
    "identifier",
    "lower",
]
