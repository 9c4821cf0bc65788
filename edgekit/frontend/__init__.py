"""Model files in, integer graphs out. Dispatch is by the container, never by the file's name."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from edgekit.errors import ConfigError, ToolError, UnsupportedError
from edgekit.frontend.limits import MAX_FILE_BYTES
from edgekit.ir import check, serialize
from edgekit.ir.graph import Graph
from edgekit.ir.types import InputGrid

_TFLITE = b"TFL3"
_KERAS = (b"\x89HDF\r\n\x1a\n", b"PK\x03\x04")  # HDF5, zip
_FOREIGN = (
    (b"\x7fELF", "a program"),
    (b"\x80", "a Python pickle"),
)


def load(path: Path, *, grid: InputGrid | None = None) -> Graph:
    """Read a model file into a verified graph.

    Args:
        path: a TFLite, ONNX, QONNX or Keras file, or a graph that edgekit wrote.
        grid: the integers behind a float input that the model compares with thresholds at once;
            other models state their input themselves and take none.

    Raises:
        ConfigError: the file is missing, empty, damaged, too large or of another kind.
        UnsupportedError: the model cannot be represented exactly; names operator and node.
    """
    data = read(path)
    if is_tflite(data):
        from edgekit.frontend import tflite

        graph = tflite.load_bytes(data, path.stem)
    elif serialize.is_graph(data):
        graph = serialize.load_bytes(data, str(path))
    elif data.startswith(_KERAS):
        from edgekit.frontend import keras

        graph = keras.load(path, grid)
    elif _may_be_onnx(data):
        from edgekit.frontend import onnx, qonnx

        model = onnx.read(path)
        graph = qonnx.convert(model, grid) if qonnx.is_qonnx(model) else onnx.convert(model)
    else:
        kind = next((name for magic, name in _FOREIGN if data.startswith(magic)), "unknown")
        raise ConfigError(
            f"{path} is not a model that can be read: its first bytes say {kind}",
            hint="a .tflite, .onnx, .h5, .keras or .safetensors graph file is wanted",
        )
    if len(graph.inputs) != 1:
        names = ", ".join(edge.source_name for edge in graph.inputs)
        raise UnsupportedError(
            f"the model has {len(graph.inputs)} inputs ({names}), one is wanted",
            hint="export one input",
        )
    check.verify(graph)
    return graph


def load_live(
    model: object, input_shape: Sequence[int] | None = None, grid: InputGrid | None = None
) -> Graph:
    """Return the verified graph of a live model: a module of Brevitas layers, or a Keras model.

    Args:
        model: a `torch.nn.Module`, or a Keras model of Larq or QKeras layers.
        input_shape: of a module, batch axis included; an example input will do.
        grid: as for a file.

    Raises:
        ConfigError: another kind of object, or a module without a shape.
        UnsupportedError: the model cannot be represented exactly; names the layer.
        ToolError: Brevitas is not installed.
    """
    if hasattr(model, "to_json") and hasattr(model, "layers"):
        from edgekit.frontend.keras import live

        return live.load(model, grid)
    if not hasattr(model, "state_dict"):
        raise ConfigError(
            f"a {type(model).__name__} is no model",
            hint="give a file, a torch.nn.Module or a Keras model",
        )
    if input_shape is None:
        raise ConfigError(
            f"{type(model).__name__} does not say what its input is",
            hint="give input_shape, batch axis included, or an example input",
        )
    if importlib.util.find_spec("brevitas") is None:
        raise ToolError(
            f"{type(model).__name__} is read with Brevitas, which is not installed",
            hint="pip install 'edgekit[train]'",
        )
    from edgekit.frontend import brevitas

    return brevitas.load(model, tuple(getattr(input_shape, "shape", input_shape)), grid)


def is_tflite(data: bytes) -> bool:
    """Return whether `data` starts like a TFLite flatbuffer."""
    return data[4:8] == _TFLITE


def read(path: Path) -> bytes:
    """Return the bytes of a model file within the size limit.

    Raises:
        ConfigError: the file is missing, unreadable, empty or too large.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ConfigError(f"{path} is not a file", hint="name a .tflite or .onnx file")
        if size > MAX_FILE_BYTES:
            raise ConfigError(
                f"{path} has {size} bytes, at most {MAX_FILE_BYTES} are read",
                hint="no microcontroller holds this model; use a smaller one",
            )
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", hint="check the path of the model"
        ) from error
    if not data:
        raise ConfigError(f"{path} is empty", hint="export or download the model again")
    return data


def _may_be_onnx(data: bytes) -> bool:
    # A ModelProto has no magic: it starts with one of its own fields (1 to 26), normally the
    # varint ir_version.
    wire, number = data[0] & 7, data[0] >> 3
    return wire in (0, 2) and 1 <= number <= 15 and not data.startswith(b"PK")
