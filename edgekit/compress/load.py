"""Which reader takes a float network."""

from __future__ import annotations

from pathlib import Path

from edgekit import frontend
from edgekit.compress import onnx
from edgekit.compress.floatnet import FloatNet
from edgekit.errors import ConfigError, ToolError, UnsupportedError
from edgekit.ir import serialize
from edgekit.train.config import refuse_pickle
from edgekit.train.data.dataset import Dataset

_KINDS = "a float .onnx file, or what `edgekit train` left, is wanted"


def load(path: Path, data: Dataset) -> FloatNet:
    """Return the float network in `path`: ONNX, or a model or work directory of `edgekit train`.

    Raises:
        ConfigError: the file is missing, damaged or of another kind.
        UnsupportedError: it is quantized already, a pickle, or no chain of float layers.
        ToolError: torch is needed and missing.
    """
    refuse_pickle(path)
    if path.is_dir():
        return _trained(path, data)
    head = frontend.read(path)
    if frontend.is_tflite(head) or serialize.is_graph(head):
        what = "a TFLite file" if frontend.is_tflite(head) else "an integer graph"
        raise UnsupportedError(
            f"{path} is {what}; {_KINDS}",
            hint="compress the float network it was made from; `edgekit deploy` takes integer "
            "models as they are, and folds away their dead channels",
        )
    if path.suffix == ".safetensors":
        return _trained(path, data)
    if path.suffix == ".onnx":
        return onnx.load(path)
    raise ConfigError(f"{path} is not a model that compress reads; {_KINDS}")


def _trained(path: Path, data: Dataset) -> FloatNet:
    try:
        from edgekit.compress import trained
    except ImportError as exc:
        raise ToolError(
            f"{path} needs torch to be read: {exc}", hint="pip install 'edgekit[train]'"
        ) from exc
    return trained.load(path, data)
