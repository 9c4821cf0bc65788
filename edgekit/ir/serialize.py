"""Graph files: the nodes as JSON in the metadata of a safetensors file, the constants packed.

Binary constants take a bit each, other types below 8 bits the bits they need, in a byte string
beside the shape that the JSON names. Reading runs the checker: a damaged or hostile file is
refused, never believed.
"""

from __future__ import annotations

import hashlib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_container
from safetensors.numpy import save as save_container

from edgekit.errors import ConfigError
from edgekit.ir import check, nodes
from edgekit.ir.graph import Graph, NotCompared, Source
from edgekit.ir.nodes import Node
from edgekit.ir.types import DType, Edge, Rounding, Tensor

FORMAT = "edgekit-graph-1"  # the one key of the container's metadata, and the version

Json: TypeAlias = Any  # what a file may hold until it is checked
Kind: TypeAlias = Any  # a type annotation of a dataclass field
_MOST_ELEMENTS = 1 << 26
_HINT = "write the graph again with edgekit, or check that the file was copied whole"
_NODES: dict[str, type[Any]] = {kind.__name__: kind for kind in typing.get_args(nodes.Node)}
_STORED: dict[DType, str] = {DType.INT8: "<i1", DType.INT16: "<i2", DType.INT32: "<i4"}


def save(graph: Graph, path: Path) -> None:
    """Write `graph` to `path`; the same graph gives the same bytes on every machine.

    Raises:
        ConfigError: the file cannot be written.
    """
    text = json.dumps(_plain(graph), separators=(",", ":"), sort_keys=True)
    arrays = {
        name: _packed(array, graph.tensors[name].dtype)
        for name, array in sorted(graph.constants.items())
    }
    data = save_container(arrays, metadata={FORMAT: text})
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", hint="check the folder and its space"
        ) from error


def is_graph(data: bytes) -> bool:
    """Return whether `data` starts like a graph file."""
    return FORMAT.encode() in data[8 : 8 + _header_bytes(data)]


def load_bytes(data: bytes, what: str) -> Graph:
    """Return the checked graph of a file's bytes; `what` names the file in messages.

    Raises:
        ConfigError: the bytes are no graph file, or a damaged one.
        UnsupportedError: the graph in it does not mean anything (`ir.check`).
    """
    try:
        header = json.loads(data[8 : 8 + _header_bytes(data)])
        content = json.loads(header["__metadata__"][FORMAT])
        graph = _graph(content, load_container(data), hashlib.sha256(data).hexdigest())
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{what} is no readable graph file: {error}", hint=_HINT) from error
    except RecursionError as error:
        raise ConfigError(f"{what} is no readable graph file: nested too deep") from error
    check.verify(graph)
    return graph


def _header_bytes(data: bytes) -> int:
    return int.from_bytes(data[:8], "little") if len(data) > 8 else 0


def _plain(value: Json) -> Json:
    """Return a dataclass, enum, tuple or mapping as what JSON holds."""
    if isinstance(value, Graph):
        kept = {f.name: getattr(value, f.name) for f in fields(value)}
        del kept["constants"], kept["source"]
        plain = {name: _plain(item) for name, item in kept.items()}
        plain["constants"] = sorted(value.constants)
        return plain
    if isinstance(value, typing.get_args(Node)):
        return {"node": type(value).__name__, **_fields(value)}
    if isinstance(value, Enum):
        return value.name
    if is_dataclass(value):
        return _fields(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _fields(value: Json) -> dict[str, Json]:
    return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}


def _graph(content: dict[str, Json], arrays: Mapping[str, NDArray[Any]], sha256: str) -> Graph:
    tensors = {name: _value(Tensor, item) for name, item in content["tensors"].items()}
    constants = {
        name: _unpacked(arrays[name], tensors[name]) for name in _names(content["constants"])
    }
    return Graph(
        name=_value(str, content["name"]),
        source=Source("edgekit", "none", sha256),
        inputs=_value(tuple[Edge, ...], content["inputs"]),
        outputs=_value(tuple[Edge, ...], content["outputs"]),
        nodes=tuple(_node(item) for item in content["nodes"]),
        tensors=tensors,
        constants=constants,
        not_compared=_value(tuple[NotCompared, ...], content["not_compared"]),
    )


def _names(items: list[Json]) -> list[str]:
    return [_value(str, item) for item in items]


def _node(item: dict[str, Json]) -> Node:
    given = dict(item)
    kind = _NODES[given.pop("node")]
    made: Node = _value(kind, given)
    return made


def _value(kind: Kind, item: Json) -> Json:
    """Return `item` as the annotated type `kind`.

    Raises:
        TypeError: it is of another type, or a field is missing or unknown.
        KeyError: it is no member of an enum.
    """
    origin: Kind = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if item is None and type(None) in arguments:
            return None
        (kind,) = (each for each in arguments if each is not type(None))
        return _value(kind, item)
    if origin is tuple:
        return _tuple(arguments, item)
    if origin is typing.Literal:
        if item not in arguments:
            raise TypeError(f"{item!r} is none of {arguments}")
        return item
    if kind in (DType, Rounding):
        return kind[item]
    if is_dataclass(kind):
        return _made(kind, item)
    if kind is float and isinstance(item, int) and not isinstance(item, bool):
        return float(item)
    if not isinstance(item, kind) or (isinstance(item, bool) and kind is not bool):
        raise TypeError(f"{item!r} is no {kind.__name__}")
    return item


def _tuple(arguments: tuple[Kind, ...], item: Json) -> tuple[Json, ...]:
    if not isinstance(item, list):
        raise TypeError(f"{item!r} is no list")
    if arguments[-1] is Ellipsis:
        return tuple(_value(arguments[0], each) for each in item)
    return tuple(_value(kind, each) for kind, each in zip(arguments, item, strict=True))


def _made(kind: Kind, item: Json) -> Json:
    hints = typing.get_type_hints(kind)
    if not isinstance(item, dict) or set(item) - {f.name for f in fields(kind)}:
        raise TypeError(f"{item!r} does not hold the fields of {kind.__name__}")
    return kind(**{name: _value(hints[name], each) for name, each in item.items()})


def _packed(array: NDArray[np.int64], dtype: DType) -> NDArray[Any]:
    if dtype.bits >= 8:
        return array.astype(_STORED[dtype])
    bits = _bits_of(array, dtype)
    return np.packbits(bits.reshape(-1), bitorder="little")


def _bits_of(array: NDArray[np.int64], dtype: DType) -> NDArray[np.uint8]:
    if dtype is DType.BINARY:
        return (array > 0).astype(np.uint8)
    unsigned = array.reshape(-1, 1) - dtype.low
    return (unsigned >> np.arange(dtype.bits) & 1).astype(np.uint8)


def _unpacked(stored: NDArray[Any], tensor: Tensor) -> NDArray[np.int64]:
    if min(tensor.shape, default=0) < 1 or tensor.size > _MOST_ELEMENTS:
        raise ValueError(f"constant {tensor.name} has shape {tensor.shape}")
    dtype = tensor.dtype
    if dtype.bits >= 8:
        if stored.dtype != np.dtype(_STORED[dtype]) or stored.size != tensor.size:
            raise ValueError(f"constant {tensor.name} is {stored.dtype} {stored.shape}")
        array = stored.astype(np.int64).reshape(tensor.shape)
    else:
        wanted = -(-tensor.size * dtype.bits // 8)
        if stored.dtype != np.uint8 or stored.size != wanted:
            raise ValueError(f"constant {tensor.name} has {stored.size} bytes, not {wanted}")
        bits = np.unpackbits(stored.reshape(-1), bitorder="little")[: tensor.size * dtype.bits]
        numbers = (bits.reshape(-1, dtype.bits).astype(np.int64) << np.arange(dtype.bits)).sum(1)
        array = np.where(numbers > 0, 1, -1) if dtype is DType.BINARY else numbers + dtype.low
        array = array.reshape(tensor.shape)
    array = np.ascontiguousarray(array, dtype=np.int64)
    array.setflags(write=False)
    return array
