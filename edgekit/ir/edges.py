"""Between the source model's own data and graph integers (SPEC section 5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.ir.types import DType, Edge, Tensor

Ints = NDArray[np.int64]
Array = NDArray[Any]  # of a user's file: any dtype until it is checked

_STORED: dict[DType, np.dtype[Any]] = {
    DType.TERNARY: np.dtype("i1"),
    DType.INT2: np.dtype("i1"),
    DType.INT4: np.dtype("i1"),
    DType.INT8: np.dtype("i1"),
    DType.INT16: np.dtype("<i2"),
    DType.INT32: np.dtype("<i4"),
}
_WORD_BITS = 32


def quantize(
    edge: Edge, x: Array, *, x_scale: float | None = None, x_zero_point: int | None = None
) -> Ints:
    """Return the graph integers [batch, *shape] of the source's own input data.

    Args:
        edge: the graph input.
        x: [samples, *source shape without batch] in the source's layout and dtype; float
            inputs take any float dtype, integer inputs a wider signed one too if all values fit.
        x_scale: with `x_zero_point`, the meaning of integer `x` for a float input.
        x_zero_point: see `x_scale`.

    Raises:
        ConfigError: shape, dtype or values are not what the source model takes.
    """
    _check_shape(edge, x)
    if edge.source_dtype == "float32":
        integers = _from_real(edge, _real(edge, x, x_scale, x_zero_point))
    else:
        integers = _from_integers(edge, x)
    if edge.transpose is not None:
        integers = integers.transpose(edge.transpose)
    return np.ascontiguousarray(integers)


def dequantize(edge: Edge, q: Ints) -> NDArray[np.float32]:
    """Return the source's float output, in its layout, of graph integers [batch, *shape].

    Where the source ends in a float softmax or its logarithm (`host_ops`), that is applied in
    float32.
    """
    difference = (q - edge.zero_point).astype(np.float32)
    if edge.channel_scale is None:
        real = np.asarray(difference * np.float32(edge.scale))
    else:  # channels are the last axis of the graph's layout
        by_channel = difference.reshape(len(q), -1, len(edge.channel_scale))
        real = np.asarray(by_channel * np.array(edge.channel_scale, np.float32))
    if edge.channel_offset is not None:
        offset = np.array(edge.channel_offset, np.float32)
        real = np.asarray(real.reshape(len(q), -1, offset.size) + offset)
    real = _to_source_layout(edge, real)
    if edge.host_ops[-1:] not in (("softmax",), ("log_softmax",)):
        return real
    below = real - real.max(axis=-1, keepdims=True)
    power = np.exp(below)
    total = power.sum(axis=-1, keepdims=True)
    if edge.host_ops[-1] == "log_softmax":
        return np.asarray(below - np.log(total))
    return np.asarray(power / total)


def to_source_integers(edge: Edge, q: Ints) -> Array:
    """Return graph integers [batch, *shape] as the source's own integers, in its layout."""
    source = _to_source_layout(edge, q) + edge.source_offset
    if edge.dtype in (DType.INT16, DType.INT32):
        return source.astype(_STORED[edge.dtype])
    return source.astype(np.uint8 if edge.source_offset else np.int8)


def to_bytes(tensor: Tensor, integers: Ints) -> NDArray[np.int8]:
    """Return integers [samples, ...] of `tensor` as a board stores them, [samples, bytes].

    Bits lie in words of 32, the last axis padded with zeros to whole words (SPEC section 7).
    """
    if tensor.dtype is not DType.BINARY:
        flat = integers.reshape(integers.shape[0], -1)
        return np.asarray(flat.astype(_STORED[tensor.dtype]).view(np.int8))
    bits = integers.reshape(integers.shape[0], -1, tensor.shape[-1]) > 0
    spare = -tensor.shape[-1] % _WORD_BITS
    padded = np.pad(bits, ((0, 0), (0, 0), (0, spare)))
    packed = np.packbits(padded, axis=-1, bitorder="little")
    return packed.reshape(integers.shape[0], -1).view(np.int8)


def from_bytes(tensor: Tensor, stored: NDArray[np.int8]) -> Ints:
    """Return the integers of `tensor` in the bytes of a board, [..., elements]."""
    kept = np.ascontiguousarray(stored)
    if tensor.dtype is not DType.BINARY:
        return np.asarray(kept.view(_STORED[tensor.dtype]).astype(np.int64))
    bits = np.unpackbits(kept.view(np.uint8), axis=-1, bitorder="little")
    words = -(-tensor.shape[-1] // _WORD_BITS)
    rows = bits.reshape(*stored.shape[:-1], -1, words * _WORD_BITS)[..., : tensor.shape[-1]]
    return np.where(rows.reshape(*stored.shape[:-1], tensor.size) > 0, 1, -1).astype(np.int64)


def representative(edge: Edge, q: Ints) -> Array:
    """Return an input in the source's layout and dtype that the edge turns into these integers."""
    if not edge.thresholds:
        return dequantize(edge, q)
    levels = np.array(edge.thresholds, np.float32)
    if _in_runs(edge):
        runs = q.reshape(q.shape[0], len(levels), *edge.source_shape[1:])
        passed = np.count_nonzero(runs > 0, axis=1)
    else:
        passed = (_to_source_layout(edge, q) - edge.lowest) // _step(edge)
    if edge.source_dtype != "float32":
        levels = np.ceil(levels)
        whole: Array = np.concatenate([levels[:1] - 1, levels])[passed]
        return whole.astype(edge.source_dtype)
    below = np.nextafter(levels[:1], np.float32(-np.inf))
    return np.asarray(np.concatenate([below, levels])[passed])


def _step(edge: Edge) -> int:
    return 2 if edge.dtype is DType.BINARY else 1


def _in_runs(edge: Edge) -> bool:
    """Whether each threshold has bits of its own, one run of them after the other."""
    return edge.dtype is DType.BINARY and len(edge.thresholds) > 1


def _compared(edge: Edge, x: Array) -> Ints:
    """Return the count of thresholds that each value reaches, or a run of bits for each."""
    levels = np.array(edge.thresholds, np.float32)
    if _in_runs(edge):
        runs = [x.reshape(len(x), -1) >= level for level in levels]
        return np.where(np.concatenate(runs, axis=1), 1, -1).astype(np.int64)
    passed = np.searchsorted(levels, x, side="right")
    return np.asarray(edge.lowest + _step(edge) * passed.astype(np.int64))


def _to_source_layout(edge: Edge, q: Array) -> Array:
    if edge.transpose is None:
        return q.reshape(q.shape[0], *edge.source_shape[1:])
    inner = [edge.source_shape[axis] for axis in edge.transpose[1:]]
    back = np.argsort(edge.transpose)
    return q.reshape(q.shape[0], *inner).transpose(back)


def _check_shape(edge: Edge, x: Array) -> None:
    wanted = edge.source_shape[1:]
    if x.ndim != len(wanted) + 1 or x.shape[1:] != wanted:
        sizes = ", ".join(["samples", *map(str, wanted)])
        raise ConfigError(
            f"x has shape {list(x.shape)}; input {edge.source_name} takes [{sizes}]",
            hint="store x as the source model itself takes it, samples on the first axis",
        )


def _real(
    edge: Edge, x: Array, x_scale: float | None, x_zero_point: int | None
) -> NDArray[np.float32]:
    if x.dtype.kind == "f":
        # A float64 value beyond float32 becomes infinite and saturates, which is meant.
        with np.errstate(over="ignore"):
            real = x.astype(np.float32)
        if np.isnan(real).any():
            raise ConfigError(
                f"x holds {int(np.isnan(real).sum())} NaN; input {edge.source_name} takes numbers",
                hint="remove the samples that are not numbers",
            )
        return real
    if x.dtype.kind not in "iu":
        raise ConfigError(f"x is {x.dtype}; input {edge.source_name} takes float32")
    if x_scale is None or x_zero_point is None:
        raise ConfigError(
            f"x is {x.dtype}; input {edge.source_name} takes float32",
            hint="store real values, or add x_scale and x_zero_point to the file",
        )
    difference = (x.astype(np.int64) - x_zero_point).astype(np.float32)
    return np.asarray(difference * np.float32(x_scale))


def _from_real(edge: Edge, real: NDArray[np.float32]) -> Ints:
    if edge.thresholds:
        return _compared(edge, real)
    with np.errstate(over="ignore"):
        scaled = np.asarray(real / np.float32(edge.scale))
    if edge.rounding == "half_even":
        rounded = np.rint(scaled)
    else:
        # Adding 0.5 could round up to the next integer; the fraction of a float is exact.
        whole = np.trunc(scaled)
        with np.errstate(invalid="ignore"):
            away = np.abs(scaled - whole) >= 0.5  # NaN for infinities: not away
        rounded = whole + np.where(away, np.copysign(np.float32(1), scaled), np.float32(0))
    # Saturating the float first keeps infinities and huge values out of the conversion.
    low, high = edge.dtype.low - edge.zero_point, edge.dtype.high - edge.zero_point
    limited = np.clip(rounded, low, high)
    return np.asarray(limited.astype(np.int64) + edge.zero_point)


def _from_integers(edge: Edge, x: Array) -> Ints:
    wanted = np.dtype(edge.source_dtype)
    wider = x.dtype.kind == "i" and x.dtype.itemsize > wanted.itemsize
    if x.dtype != wanted and not wider:
        raise ConfigError(
            f"x is {x.dtype}; input {edge.source_name} takes {wanted}",
            hint=f"store x as {wanted}, quantized with scale {edge.scale:.9g} and zero point "
            f"{edge.zero_point + edge.source_offset}",
        )
    limits = np.iinfo(wanted)
    if x.size and (x.min() < limits.min or x.max() > limits.max):
        raise ConfigError(
            f"x reaches {x.min()} to {x.max()}; input {edge.source_name} takes {wanted}, "
            f"{limits.min} to {limits.max}",
            hint=f"store x as {wanted}",
        )
    if edge.thresholds:
        return _compared(edge, x)
    return np.asarray(x.astype(np.int64) - edge.source_offset)
