"""From the training file's layers to a torch module."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import assert_never, cast

import torch
from torch import Tensor, nn

from edgekit.errors import ConfigError
from edgekit.train import config_layers as settings
from edgekit.train.config import TrainConfig
from edgekit.train.data.dataset import Dataset
from edgekit.train.encoding import (
    InputEncoding,
    Integers,
    Thermometer,
    busiest_bytes,
    encoding_of,
)
from edgekit.train.layers import AveragePool, Weighted, WeightedSpec, Window
from edgekit.train.lut import GroupCount, LookUpTables
from edgekit.train.quantizers import Coded

Block = Weighted | AveragePool | LookUpTables | GroupCount
Extent = int | tuple[int, int]

_MOST_PARAMETERS = 1 << 28  # of a layer


class Network(nn.Module):
    """An input encoding and a chain of layers; the output are real scores (B, classes)."""

    def __init__(self, encoding: InputEncoding, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.encoding = encoding
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of samples as the data set holds them."""
        coded = self.coded(x)
        return coded.codes if coded.scale is None else coded.codes * coded.scale

    def coded(self, x: Tensor) -> Coded:
        """Return the last layer's codes and their scale."""
        coded = self.encoding(x)
        for block in self.blocks:
            coded = block(coded)
        return cast("Coded", coded)

    def weighted(self) -> Iterator[tuple[str, Weighted]]:
        """Yield the layers that have weights, with their names in the state."""
        for position, block in enumerate(self.blocks):
            if isinstance(block, Weighted):
                yield f"blocks.{position}", block

    def restore(self, tensors: Mapping[str, Tensor], origin: str) -> None:
        """Take over the state `tensors`; ConfigError for what is missing, odd or not finite."""
        own = self.state_dict()
        wrong = sorted(own.keys() ^ tensors.keys())
        wrong += [n for n in own.keys() & tensors.keys() if own[n].shape != tensors[n].shape]
        if wrong:
            raise ConfigError(f"{origin} does not fit the network at {', '.join(wrong[:5])}")
        for name, value in tensors.items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise ConfigError(f"{origin} holds NaN or infinity in {name}")
        self.load_state_dict(dict(tensors))
        for _, block in self.weighted():
            block.set_mask(block.mask.clone())

    @torch.no_grad()
    def begin_from(self, tensors: Mapping[str, Tensor], origin: str) -> None:
        """Take over what `tensors` has for this network; the rest stays as it began.

        Raises ConfigError where a weight is missing or of another shape.
        """
        own = self.state_dict()
        for name, value in own.items():
            found = tensors.get(name)
            if found is not None and found.shape == value.shape:
                value.copy_(found)
            elif name.endswith((".latent", ".tables")):
                shape = "nothing" if found is None else str(tuple(found.shape))
                raise ConfigError(f"{origin} has {shape} for {name}, wanted {tuple(value.shape)}")
        self.restore(own, origin)

    @torch.no_grad()
    def constrain(self) -> None:
        """Bring parameters back into their ranges; called after each step of the optimizer."""
        for block in self.blocks:
            if isinstance(block, Weighted):
                block.constrain()

    def begin_epoch(self, share: float) -> None:
        """Let connections settle; called before each epoch with the share of them that is done."""
        for block in self.blocks:
            if isinstance(block, LookUpTables):
                block.settled = share >= block.settle


def build(config: TrainConfig, dataset: Dataset) -> Network:
    """Return the untrained network of `config`, the same for the same seed.

    Raises ConfigError for layers that do not fit each other or the samples, naming the layer.
    """
    generator = torch.Generator().manual_seed(config.seed)
    encoding, shape = encoding_of(config.input, dataset)
    blocks: list[nn.Module] = []
    block: nn.Module
    for position, layer in enumerate(config.network):
        last = position == len(config.network) - 1
        try:
            _check_padding(layer, encoding, config.network[:position])
            if isinstance(layer, settings.LutLayer):
                block = _tables(layer, math.prod(shape), blocks, encoding, dataset, generator)
                shape = (layer.nodes,)
            else:
                block, shape = _block(layer, shape, dataset.classes, generator, last=last)
        except ConfigError as exc:
            raise ConfigError(f"network.{position} ({layer.kind}): {exc.message}") from exc
        blocks.append(block)
    if shape != (dataset.classes,):
        raise ConfigError(
            f"the last layer of the network gives {shape}, wanted one score for each of the "
            f"{dataset.classes} classes",
            hint=f"end with a dense layer of {dataset.classes} units, or with group_count",
        )
    network = Network(encoding, blocks)
    if config.train.compute == "bfloat16":
        _compute_in_bfloat16(network)
    return network


def _block(
    layer: settings.WeightedLayer | settings.AveragePoolLayer | settings.GroupCountLayer,
    shape: tuple[int, ...],
    classes: int,
    generator: torch.Generator,
    *,
    last: bool,
) -> tuple[nn.Module, tuple[int, ...]]:
    match layer:
        case settings.DenseLayer():
            spec = _spec("dense", math.prod(shape), layer.units, layer, None, last=last)
            return Weighted(spec, generator), (layer.units,)
        case settings.Conv2DLayer() | settings.Conv1DLayer() | settings.DepthwiseLayer():
            return _convolution(layer, shape, generator, last=last)
        case settings.AveragePoolLayer():
            _need_space(shape)
            whole = layer.size == "all"
            size = (shape[0], shape[1]) if whole else _pair(cast("Extent", layer.size))
            window = Window(size, size, (0, 0))
            after = _after(window, shape)
            flat = (shape[2],) if whole else (*after, shape[2])
            return AveragePool(window, layer.activation), (*after, shape[2]) if not whole else flat
        case settings.GroupCountLayer():
            if math.prod(shape) % classes != 0:
                raise ConfigError(
                    f"{math.prod(shape)} bits cannot be shared out to {classes} classes"
                )
            return GroupCount(classes, layer.temperature), (classes,)
        case _:
            assert_never(layer)


def _tables(
    layer: settings.LutLayer,
    width: int,
    before: list[nn.Module],
    encoding: InputEncoding,
    dataset: Dataset,
    generator: torch.Generator,
) -> LookUpTables:
    if layer.input_bytes is None:
        candidates = torch.arange(width)
    elif before or not isinstance(encoding, Thermometer) or len(encoding.thresholds) != 1:
        raise ConfigError(
            "input_bytes is for the first layer, after a thermometer of one level",
            hint="remove it, or set input.kind to thermometer and input.levels to 1",
        )
    else:
        candidates = busiest_bytes(encoding, dataset.train_x, layer.input_bytes)
    learned = layer.connections == "learned"
    _check_size(layer.nodes * max(2**layer.inputs, layer.inputs * len(candidates)))
    return LookUpTables(
        candidates,
        layer.nodes,
        layer.inputs,
        learned=learned,
        bits=not (before and isinstance(before[-1], LookUpTables)),
        settle=layer.settle,
        generator=generator,
    )


def _convolution(
    layer: settings.Conv2DLayer | settings.Conv1DLayer | settings.DepthwiseLayer,
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    last: bool,
) -> tuple[nn.Module, tuple[int, ...]]:
    _need_space(shape)
    flat = isinstance(layer, settings.Conv1DLayer)
    if flat and shape[0] != 1:
        raise ConfigError(f"conv1d wants (time, channels), found samples of {shape}")
    kernel, stride = _extent(layer.kernel, flat=flat), _extent(layer.stride, flat=flat)
    if layer.padding == "same":
        padding = (kernel[0] // 2, kernel[1] // 2)
    else:
        padding = _extent(0 if layer.padding == "valid" else layer.padding, flat=flat)
        padding = (0, padding[1]) if flat else padding
    window = Window(kernel, stride, padding, layer.pad_value, _extent(layer.pool, flat=flat))
    depthwise = isinstance(layer, settings.DepthwiseLayer)
    outputs = shape[2] if isinstance(layer, settings.DepthwiseLayer) else layer.channels
    kind = "depthwise" if depthwise else "conv"
    spec = _spec(kind, shape[2], outputs, layer, window, last=last)
    return Weighted(spec, generator), (*_after(window, shape), outputs)


def _check_size(count: int) -> None:
    if count > _MOST_PARAMETERS:
        raise ConfigError(f"it has {count} parameters; at most {_MOST_PARAMETERS} are trained")


def _spec(
    kind: str,
    inputs: int,
    outputs: int,
    layer: settings.WeightedLayer,
    window: Window | None,
    *,
    last: bool,
) -> WeightedSpec:
    if layer.weight == "float" and layer.activation not in ("none", "relu"):
        raise ConfigError("float weights take the activations none and relu")
    norm = layer.norm or ("none" if last else "batch")
    spec = WeightedSpec(
        kind=kind,  # type: ignore[arg-type]
        inputs=inputs,
        outputs=outputs,
        weight=layer.weight,
        activation=layer.activation,
        norm=norm,
        window=window,
        head=last,
    )
    _check_size(math.prod(spec.shape))
    return spec


def _check_padding(
    layer: settings.Layer, encoding: InputEncoding, before: tuple[settings.Layer, ...]
) -> None:
    """The cells around an unsigned activation cannot hold -1."""
    if getattr(layer, "pad_value", 0) >= 0:
        return
    last = before[-1] if before else None
    kind = getattr(last, "activation", "binary")
    unsigned = kind in ("relu", "uint2", "uint4", "uint8")
    if unsigned or (last is None and isinstance(encoding, Integers) and encoding.bound == 255):
        raise ConfigError("pad_value -1 around an input that is never negative")


def _after(window: Window, shape: tuple[int, ...]) -> tuple[int, int]:
    after = window.shape(shape[0], shape[1])
    if min(after) < 1:
        raise ConfigError(
            f"a kernel of {window.kernel} and a pool of {window.pool} leave nothing of {shape}"
        )
    return after


def _need_space(shape: tuple[int, ...]) -> None:
    if len(shape) != 3:
        raise ConfigError(f"wants samples with height and width, found {shape}")


def _pair(value: Extent) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _extent(value: Extent, *, flat: bool) -> tuple[int, int]:
    """Return (height, width); a one-dimensional layer has height 1."""
    return (1, cast("int", value)) if flat else _pair(value)


def _compute_in_bfloat16(network: Network) -> None:
    """Codes up to 256 are exact in bfloat16; sums are kept in float32 by the library."""
    bound = network.encoding.bound
    for _, block in network.weighted():
        if bound <= 256 and block.spec.window is not None and block.spec.weight != "float":
            block.compute = torch.bfloat16
        bound = 256.0 if block.spec.activation not in ("none", "relu") else math.inf
