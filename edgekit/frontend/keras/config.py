"""The configuration of a Keras model: a chain of layers in order, Sequential or Functional."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.errors import ConfigError, UnsupportedError
from edgekit.frontend.keras.archive import Archive
from edgekit.frontend.keras.fields import Fields
from edgekit.frontend.limits import MAX_EXTENT, MAX_NODES, MAX_TENSOR_ELEMENTS

_INPUT = "InputLayer"
_CHAIN_HINT = "a chain of layers is read, each with one input"


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """One layer: its class, its unique name, its settings, its place among all layers."""

    kind: str
    name: str
    fields: Fields
    place: int


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """All layers of the file in its own order, and the chain that the model computes."""

    every: tuple[LayerConfig, ...]
    chain: tuple[LayerConfig, ...]  # without the input
    input_name: str
    input_shape: tuple[int, ...]  # without batch axis


def parse(archive: Archive) -> ChainConfig:
    """Return the model's layers.

    Raises:
        ConfigError: the configuration is damaged.
        UnsupportedError: another kind of model, or no chain of layers; names the layer.
    """
    kind, config = archive.config.get("class_name"), archive.config.get("config")
    if isinstance(config, list):  # Sequential before Keras 2.3
        config = {"layers": config}
    if not isinstance(kind, str) or not isinstance(config, Mapping):
        raise _damaged("it names no class")
    listed = config.get("layers")
    if not isinstance(listed, list) or not listed:
        if kind in ("Sequential", "Functional", "Model"):
            raise _damaged("it lists no layers")
        listed = []
    if len(listed) > MAX_NODES:
        raise _damaged(f"it lists {len(listed)} layers, {MAX_NODES} at most")
    if kind.rsplit(">", 1)[-1] == "Sequential":
        every = tuple(_layer(entry, place) for place, entry in enumerate(listed))
        return _sequential(every, config)
    if kind.rsplit(">", 1)[-1] in ("Functional", "Model"):
        every = tuple(_layer(entry, place) for place, entry in enumerate(listed))
        return _functional(every, listed, config)
    raise UnsupportedError(
        f"the model is a {kind[:60]}: a class of its own, whose code is not in the file",
        hint="build it as Sequential or with the functional interface",
    )


def _damaged(why: str) -> ConfigError:
    return ConfigError(f"the model's configuration is damaged: {why}", hint="save the model again")


def _layer(entry: object, place: int) -> LayerConfig:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
        raise _damaged(f"layer {place} names no class")
    kind = entry["class_name"].rsplit(">", 1)[-1]
    config = entry.get("config")
    if not isinstance(config, Mapping):
        raise _damaged(f"layer {place}, a {kind[:60]}, has no settings")
    name = config.get("name", entry.get("name"))
    if not isinstance(name, str):
        raise _damaged(f"layer {place}, a {kind[:60]}, has no name")
    return LayerConfig(kind, name, Fields(f"{kind[:60]} {name[:80]}", config), place)


def _sequential(every: tuple[LayerConfig, ...], config: Mapping[str, Any]) -> ChainConfig:
    first = every[0]
    chain = every[1:] if first.kind == _INPUT else every
    shape = _declared_shape(first.fields.values)
    if shape is None:
        shape = config.get("build_input_shape")
    return ChainConfig(every, chain, _input_name(first), _input_shape(first, shape))


def _input_name(first: LayerConfig) -> str:
    return first.name if first.kind == _INPUT else f"{first.name}_input"


def _declared_shape(values: Mapping[str, Any]) -> object:
    return values.get("batch_input_shape", values.get("batch_shape"))


def _input_shape(layer: LayerConfig, shape: object) -> tuple[int, ...]:
    fields = layer.fields
    if not isinstance(shape, list | tuple) or not 2 <= len(shape) <= 4:
        raise fields.refuse(
            f"the model's input has shape {str(shape)[:60]}; (batch, features), (batch, length, "
            "channels) or (batch, height, width, channels) is wanted",
            hint="declare the input's shape and save the model again",
        )
    if shape[0] not in (None, 1):
        raise fields.refuse(f"the model's input has a batch of {shape[0]}, 1 or any is wanted")
    size = 1
    for extent in shape[1:]:
        if isinstance(extent, bool) or not isinstance(extent, int) or not 1 <= extent <= MAX_EXTENT:
            raise fields.refuse(f"the model's input has shape {str(shape)[:60]}, not fixed extents")
        size *= extent
    if size > MAX_TENSOR_ELEMENTS:
        raise fields.refuse(f"the model's input has {size} values, {MAX_TENSOR_ELEMENTS} at most")
    if layer.kind == _INPUT and fields.get("dtype") not in (None, "float32"):
        raise fields.refuse(f"the model's input is {str(fields.get('dtype'))[:40]}, not float32")
    return tuple(shape[1:])


def _functional(
    every: tuple[LayerConfig, ...], listed: Sequence[Any], config: Mapping[str, Any]
) -> ChainConfig:
    by_name = {layer.name: layer for layer in every}
    if len(by_name) != len(every):
        raise _damaged("two layers have one name")
    source = _end(config.get("input_layers"), "input")
    last = _end(config.get("output_layers"), "output")
    reads: dict[str, str] = {}
    for entry, layer in zip(listed, every, strict=True):
        if layer.kind != _INPUT:
            before = _before(layer, entry.get("inbound_nodes"))
            if before in reads:
                raise layer.fields.refuse(
                    f"reads {before[:80]}, as {reads[before][:80]} does: the model branches",
                    hint=_CHAIN_HINT,
                )
            reads[before] = layer.name
    if source not in by_name or by_name[source].kind != _INPUT:
        raise _damaged(f"the input {source[:80]} is no input layer")
    chain = []
    at = source
    while at in reads:
        at = reads.pop(at)
        chain.append(by_name[at])
    if at != last or reads:
        raise UnsupportedError(
            f"the layers from {source[:80]} end in {at[:80]}, the model's output is {last[:80]}",
            hint=_CHAIN_HINT,
        )
    first = by_name[source]
    shape = _input_shape(first, _declared_shape(first.fields.values))
    return ChainConfig(every, tuple(chain), first.name, shape)


def _end(listed: object, what: str) -> str:
    """Return the layer's name of `[["name", 0, 0]]` or, in Keras 3, `["name", 0, 0]`."""
    if isinstance(listed, list) and len(listed) == 1 and isinstance(listed[0], list):
        listed = listed[0]
    if not isinstance(listed, list) or not listed or not isinstance(listed[0], str):
        count = len(listed) if isinstance(listed, list) else 0
        raise UnsupportedError(
            f"the model has {count} {what}s, one is wanted", hint="export one input and one output"
        )
    return listed[0]


def _before(layer: LayerConfig, nodes: object) -> str:
    """Return the name of the one layer that `layer` reads, in the form of Keras 2 or 3."""
    if not isinstance(nodes, list) or len(nodes) != 1:
        count = len(nodes) if isinstance(nodes, list) else 0
        raise layer.fields.refuse(f"it is called {count} times, once is wanted", hint=_CHAIN_HINT)
    node = nodes[0]
    if isinstance(node, Mapping):
        args = node.get("args")
        tensors = [args] if isinstance(args, Mapping) else args
        while isinstance(tensors, list) and len(tensors) == 1 and isinstance(tensors[0], list):
            tensors = tensors[0]
        histories = [_history(tensor) for tensor in tensors] if isinstance(tensors, list) else []
    else:
        called = node if isinstance(node, list) else []
        histories = [call[0] for call in called if isinstance(call, list) and call]
    if len(histories) != 1 or not isinstance(histories[0], str):
        raise layer.fields.refuse(f"it reads {len(histories)} layers, one is wanted", _CHAIN_HINT)
    return histories[0]


def _history(tensor: object) -> object:
    config = tensor.get("config") if isinstance(tensor, Mapping) else None
    history = config.get("keras_history") if isinstance(config, Mapping) else None
    return history[0] if isinstance(history, list) and history else None
