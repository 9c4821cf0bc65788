"""Float networks of `edgekit train` as float networks to compress. Needs torch."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from edgekit.compress import floatnet
from edgekit.compress.floatnet import (
    AveragePool,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    FloatNet,
    Floats,
    Layer,
    MaxPool,
    Relu,
)
from edgekit.errors import UnsupportedError
from edgekit.ir.types import Padding
from edgekit.train import checkpoint, distill, layers
from edgekit.train.data.dataset import Dataset
from edgekit.train.encoding import Integers
from edgekit.train.quantizers import Real
from edgekit.train.run import MODEL


def load(path: Path, data: Dataset) -> FloatNet:
    """Return the float network that `edgekit train` left in `path`, a model or its directory.

    It takes samples as `data` holds them: the scale of its input is in the first layer's weights.

    Raises:
        ConfigError: the file is missing, damaged, or of other data.
        UnsupportedError: the network, or a part of it, is not float.
    """
    file = path / MODEL if path.is_dir() else path
    state = checkpoint.read(file)
    network = distill.teacher_of(state, data)
    if not isinstance(network.encoding, Integers):
        raise UnsupportedError(
            f"{path}: its input is a thermometer, which is integer already",
            hint="deploy it as it is, or train it with float weights and an integer input",
        )
    found: list[Layer] = []
    scale = 1.0 / network.encoding.bound  # real = scale * code, of what the next layer reads
    for position, block in enumerate(network.blocks):
        label = f"{type(block).__name__.lower()}_{position}"
        if isinstance(block, layers.Weighted):
            found += _weighted(label, block, scale)
            scale = 1.0
        elif isinstance(block, layers.AveragePool) and isinstance(block.activation, Real):
            found.append(AveragePool(label, block.window.kernel, block.window.stride))
            found += [Relu(f"{label}_relu")] if block.activation.relu else []
            cells = math.prod(block.window.kernel)
            scale = 1.0 if block.activation.relu else scale / cells
        else:
            raise _integer(path, label, type(block).__name__)
    shape = data.shape if len(data.shape) != 2 else (1, *data.shape)
    net = FloatNet(
        name=state.config.name,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        source_name="x",
        source_shape=(1, *data.shape),
        transpose=None,
        input_shape=shape,
        layers=tuple(found),
        output_name="scores",
    )
    return _scaled(net, 1.0 / (network.encoding.bound * (network.encoding.step or 1.0)))


def _weighted(label: str, block: layers.Weighted, scale: float) -> list[Layer]:
    """Return the layers of a block; its bias is added to sums of codes, in units of `scale`."""
    spec = block.spec
    if spec.weight != "float" or not isinstance(block.activation, Real):
        raise _integer(Path(label), label, f"{spec.weight} weights, activation {spec.activation}")
    weight = block.latent * block.mask
    factor, offset = block.scaling.affine(None)
    bias = block.scaling.integer_bias() * scale
    if factor is not None:
        weight = weight * factor.reshape(-1, *(1,) * (weight.dim() - 1))
        bias = bias * factor
    values = _floats(bias if offset is None else bias + offset)
    window = spec.window
    # A ReLU and a maximum can be taken in either order.
    after: list[Layer] = [Relu(f"{label}_relu")] if block.activation.relu else []
    if window is None:
        return [Dense(label, _floats(weight), values), *after]
    if window.pad_value:
        raise _integer(Path(label), label, f"padding with {window.pad_value}")
    high, wide = window.padding
    place = (window.stride, (1, 1), Padding(high, wide, high, wide))
    if spec.kind == "depthwise":
        filters = _floats(weight[:, 0].permute(1, 2, 0))
        made: Layer = DepthwiseConv2D(label, filters, values, *place)
    else:
        made = Conv2D(label, _floats(weight.permute(0, 2, 3, 1)), values, *place)
    if max(window.pool) > 1:
        after.append(MaxPool(f"{label}_pool", window.pool, window.pool))
    return [made, *after]


def _integer(path: Path, label: str, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"{path}: layer {label} has {what}; compress takes float networks",
        hint="train with `weight: float` and `activation: relu`; a network that was trained in "
        "integers deploys as it is",
    )


def _floats(tensor: Tensor) -> Floats:
    return np.ascontiguousarray(tensor.detach().numpy(), np.float32)


def _scaled(net: FloatNet, scale: float) -> FloatNet:
    """Fold a scale of the input into the first layer with weights; ReLU and means pass it on."""
    index, first = floatnet.weighted(net)[0]
    weight = (first.weight * np.float64(scale)).astype(np.float32)
    return floatnet.with_layers(net, {index: replace(first, weight=weight)})
