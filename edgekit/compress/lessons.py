"""A data set as a network takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.compress import floatnet
from edgekit.compress.floatnet import FloatNet, Floats
from edgekit.errors import ConfigError
from edgekit.train.data.dataset import Dataset

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Samples in the network's layout, real values, and labels; choices are made on `val`."""

    x: Floats
    y: Labels
    val_x: Floats
    val_y: Labels
    test_x: Floats
    test_y: Labels


def of(net: FloatNet, data: Dataset, input_scale: float) -> Lessons:
    """Return the samples times `input_scale`, laid out for `net`.

    Raises ConfigError where samples or classes do not fit the network, or none are for choices.
    """
    if len(data.val_y) == 0:
        raise ConfigError(
            "the data have no validation part, which compression makes its choices with",
            hint="set data.validation above 0, or hold samples out",
        )
    outputs = int(np.prod(net.output_shape))
    if data.classes > outputs:
        raise ConfigError(
            f"the data have {data.classes} classes, the network {outputs} outputs",
            hint="compress the network that was trained for these data",
        )

    def laid_out(x: NDArray[Any]) -> Floats:
        return floatnet.to_layout(net, as_source(net, x) * np.float32(input_scale))

    return Lessons(
        laid_out(data.train_x),
        data.train_y,
        laid_out(data.val_x),
        data.val_y,
        laid_out(data.test_x),
        data.test_y,
    )


def as_source(net: FloatNet, x: NDArray[Any]) -> Floats:
    """Return samples [n, ...], channels last or flat, as the source model takes them.

    Raises ConfigError where their shape is not that of the model's input.
    """
    wanted, real = net.source_shape[1:], x.astype(np.float32)
    if real.shape[1:] == wanted:
        return real
    first = np.moveaxis(real, -1, 1)
    if first.shape[1:] == wanted:
        return np.ascontiguousarray(first)
    flat = len(wanted) == 1 or real.ndim == 2
    if flat and real[:1].size == np.prod(wanted):
        return real.reshape(len(real), *wanted)
    raise ConfigError(
        f"samples of shape {list(real.shape[1:])}; input {net.source_name} takes {list(wanted)}",
        hint="store samples as the model takes them, or with their channels last",
    )
