"""What the first layer sees of a sample: integers as they are, or thermometer bits."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.errors import ConfigError
from edgekit.train.config_layers import Input, IntegerInput, ThermometerInput
from edgekit.train.data.dataset import Array, Dataset
from edgekit.train.quantizers import Coded, flatten


class Integers(nn.Module):
    """The samples' own integers, or float samples in steps of a scale, as int8.

    Codes are the integers, which reach `bound`; the scale is 1 / bound, so that values stay near
    1. `step` is that of float samples: code = round(x / step), ties to even, in -128 to 127.
    """

    def __init__(self, bound: float, step: float | None, block: int = 1) -> None:
        super().__init__()
        self.bound, self.step, self.block = bound, step, block
        self.register_buffer("scale", torch.tensor([1 / bound]), persistent=False)

    def forward(self, x: Tensor) -> Coded:
        """Return the codes of samples (B, ...)."""
        codes = channels_first(in_blocks(x.float(), self.block))
        if self.step is not None:
            codes = torch.round(codes / torch.tensor(self.step)).clamp(-128, 127)
        return Coded(codes, self.scale, self.bound)


class Thermometer(nn.Module):
    """`thresholds` (levels, channels or 1): bit l * C + c is +1 where x[c] >= thresholds[l, c]."""

    bound = 1.0

    def __init__(
        self, thresholds: NDArray[np.float32], block: int = 1, *, on_host: bool = False
    ) -> None:
        super().__init__()
        self.block, self.on_host = block, on_host
        self.register_buffer("thresholds", torch.from_numpy(thresholds), persistent=False)

    def forward(self, x: Tensor) -> Coded:
        """Return the bits of samples (B, ...), levels times as many channels."""
        values = channels_first(in_blocks(x.float(), self.block))
        shape = (1, *self.thresholds.shape) + (1,) * (values.dim() - 2)
        bits = torch.where(values.unsqueeze(1) >= self.thresholds.reshape(shape), 1.0, -1.0)
        bits = bits.flatten(1, 2)
        if bits.dim() == 4:
            bits = bits.contiguous(memory_format=torch.channels_last)
        return Coded(bits, None, 1.0)


InputEncoding: TypeAlias = Integers | Thermometer


def encoding_of(wanted: Input, dataset: Dataset) -> tuple[InputEncoding, tuple[int, ...]]:
    """Return the encoding and the shape it gives: (N,), or (height, width, channels).

    Raises ConfigError for thresholds that do not ascend or do not belong to the data.
    """
    shape = dataset.shape if len(dataset.shape) != 2 else (1, *dataset.shape)
    shape = _block_shape(shape, wanted.block)
    if isinstance(wanted, IntegerInput):
        return _integers(wanted, dataset), shape
    thresholds = _thresholds(wanted, dataset)
    encoding = Thermometer(thresholds, wanted.block, on_host=wanted.compare == "host")
    return encoding, (*shape[:-1], shape[-1] * len(thresholds))


def busiest_bytes(encoding: Thermometer, x: Array, count: int) -> Tensor:
    """Return the places (8 * count,), rising, of the bits in the bytes that vary most over `x`.

    The samples' bits are packed in their order, 8 to a byte; the first of equal bytes counts.
    """
    ones = torch.zeros(int(np.prod(x.shape[1:])), dtype=torch.float64)
    for begin in range(0, len(x), 1000):
        part = encoding(torch.from_numpy(np.ascontiguousarray(x[begin : begin + 1000])))
        ones += (flatten(part.codes) > 0).sum(dim=0)
    share = torch.nn.functional.pad(ones / len(x), (0, -len(ones) % 8))
    variance = (share * (1 - share)).reshape(-1, 8).sum(dim=1)
    if count > len(variance):
        raise ConfigError(f"input_bytes of {count}; a sample has {len(variance)}")
    chosen = torch.argsort(variance, descending=True, stable=True)[:count].sort().values
    places = (chosen.unsqueeze(1) * 8 + torch.arange(8)).flatten()
    return places[places < len(ones)]


def in_blocks(x: Tensor, block: int) -> Tensor:
    """Return (B, H, W, C) as (B, H/b, W/b, b*b*C): rows, columns, then channels of a square."""
    if block == 1:
        return x
    count, height, width, channels = x.shape
    parts = x.reshape(count, height // block, block, width // block, block * channels)
    return parts.transpose(2, 3).reshape(count, height // block, width // block, -1)


def channels_first(x: Tensor) -> Tensor:
    """Return (B, N) as it is, (B, T, C) as (B, C, 1, T), (B, H, W, C) as (B, C, H, W)."""
    if x.dim() == 3:
        x = x.unsqueeze(1)
    return x.permute(0, 3, 1, 2) if x.dim() == 4 else x


def _block_shape(shape: tuple[int, ...], block: int) -> tuple[int, ...]:
    if block == 1:
        return shape
    if len(shape) != 3 or shape[0] % block or shape[1] % block:
        raise ConfigError(f"input.block of {block} does not divide samples of {shape}")
    return (shape[0] // block, shape[1] // block, shape[2] * block * block)


def _integers(wanted: IntegerInput, dataset: Dataset) -> Integers:
    x = dataset.train_x
    if x.dtype != np.float32:
        if wanted.scale is not None:
            raise ConfigError(f"input.scale is for float samples, the data hold {x.dtype}")
        return Integers(255.0 if x.dtype == np.uint8 else 128.0, None, wanted.block)
    step = wanted.scale or float(np.abs(x).max()) / 127 or 1.0
    return Integers(128.0, float(np.float32(step)), wanted.block)


def _thresholds(wanted: ThermometerInput, dataset: Dataset) -> NDArray[np.float32]:
    x = dataset.train_x
    if wanted.per_feature and x.ndim != 2:
        raise ConfigError(f"input.per_feature is for flat samples, found {dataset.shape}")
    if wanted.thresholds is not None:
        found = np.asarray(wanted.thresholds, np.float32)[:, None]
    else:
        shares = np.arange(1, wanted.levels + 1) / (wanted.levels + 1)
        found = _spaced(wanted, x, shares).astype(np.float32)
    if found.size == 0 or not np.isfinite(found).all() or (np.diff(found, axis=0) < 0).any():
        raise ConfigError("input.thresholds are not finite and ascending")
    return found


def _spaced(wanted: ThermometerInput, x: Array, shares: NDArray[np.float64]) -> Array:
    axis = 0 if wanted.per_feature else None
    if wanted.spacing == "quantile":
        values = x if wanted.per_feature else x[x > x.min()]  # a background is no information
        return np.quantile(values, shares, axis=axis).reshape(len(shares), -1)
    low, high = x.min(axis=axis).astype(np.float64), x.max(axis=axis).astype(np.float64)
    rows: Array = np.stack([low + (high - low) * share for share in shares])
    return rows.reshape(len(shares), -1)
