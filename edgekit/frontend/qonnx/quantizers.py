"""Quant, IntQuant, BipolarQuant, Trunc and MultiThreshold, as the qonnx package computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend import limits
from edgekit.frontend.lowering import Quantizer
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.qonnx.values import Activation, Ints, Real, Walk, Weights, refuse_scales
from edgekit.ir.types import DType

_MAX_BITS = 8
_TYPES = (DType.TERNARY, DType.INT2, DType.INT4, DType.INT8)


def _half_up(x: Real) -> Real:
    return np.asarray(np.sign(x) * np.floor(np.abs(x) + np.float32(0.5)))


def _half_down(x: Real) -> Real:
    return np.asarray(np.sign(x) * np.ceil(np.abs(x) - np.float32(0.5)))


def _up(x: Real) -> Real:
    return np.asarray(np.sign(x) * np.ceil(np.abs(x)))


_ROUNDING: dict[str, Callable[[Real], Real]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": _up,
    "DOWN": np.trunc,
    "HALF_UP": _half_up,
    "HALF_DOWN": _half_down,
}


def quant(walk: Walk, operator: Operator) -> None:
    """Quant(x, scale, zero point, bit width): to signed or unsigned integers and back."""
    scale, zero = _scale(walk, operator, 1), walk.real(operator, 2)
    bits, rounding = _bits(walk, operator, 3), _rounding(operator, "ROUND")
    signed, narrow = operator.integer("signed", 1), operator.integer("narrow", 0)
    if bits == 1 and signed:
        if zero.any():
            raise operator.refuse("one signed bit has no zero point; 0 is wanted")
        _bipolar(walk, operator, scale)
        return
    low, high = _range(bits, bool(signed), bool(narrow))
    if not np.array_equal(zero, np.rint(zero)) or zero.min() < low or zero.max() > high:
        raise operator.refuse(
            f"zero point {float(zero.reshape(-1)[0]):.9g} ({operator.input(2)[:80]!r}); an integer "
            f"from {low} to {high} is wanted"
        )

    def integers(x: Real, scale: Real, zero: Real) -> Real:
        scaled = np.asarray(x / scale + zero)
        return rounding(np.clip(scaled, np.float32(low), np.float32(high)))

    if not isinstance(walk.value(operator, 0), Activation):
        x = walk.real(operator, 0)
        shaped = _broadcast(operator, scale, x.shape), _broadcast(operator, zero, x.shape)
        found = np.asarray(integers(x, *shaped) - shaped[1]).astype(np.int64)
        walk.define(operator, Weights(found, shaped[0], operator.label))
        return
    one, shift = _one(operator, scale, "its scales"), _one(operator, zero, "its zero points")

    def index(x: Real) -> Ints:
        return np.asarray(integers(x, np.asarray(one), np.asarray(shift)).astype(np.int64) - low)

    _activation(walk, operator, index, high - low, float(one), int(shift) - low)


def bipolar_quant(walk: Walk, operator: Operator) -> None:
    """BipolarQuant(x, scale): scale where x >= 0, else -scale."""
    _bipolar(walk, operator, _scale(walk, operator, 1))


def _bipolar(walk: Walk, operator: Operator, scale: Real) -> None:
    if not isinstance(walk.value(operator, 0), Activation):
        x = walk.real(operator, 0)
        signs: Ints = np.where(x >= 0, 1, -1)
        walk.define(operator, Weights(signs, _broadcast(operator, scale, x.shape), operator.label))
        return
    value = walk.activation(operator)
    layer = Quantizer(
        label=operator.label,
        levels=lambda x: np.where(x >= 0, 1, -1),
        dtype=DType.BINARY,
        scale=np.float32(_one(operator, scale, "its scales")),
        zero_point=0,
        low=-1,
        high=1,
    )
    walk.add(operator, layer, value.shape)


def trunc(walk: Walk, operator: Operator) -> None:
    """Trunc: integers with fewer bits; five inputs in version 1 of the operator, six in 2."""
    scale = _one(operator, _scale(walk, operator, 1), "its scales")
    zero = np.float32(walk.scalar(operator, 2))
    bits_in, rounding = _bits(walk, operator, 3, 32), _rounding(operator, "FLOOR")
    if len(operator.inputs) == 5:
        bits = _bits(walk, operator, 4)
        divisor, out, out_zero = np.float32(2.0 ** (bits_in - bits)), scale, zero
        low, high = -(2 ** (bits - 1)), 2**bits - 1
        clip = False
    else:
        out, bits = (
            _one(operator, _scale(walk, operator, 4), "its scales"),
            _bits(walk, operator, 5),
        )
        divisor = np.float32(2.0 ** np.rint(np.log2(out / scale)))
        out_zero, clip = np.float32(zero / divisor), True
        signed, narrow = operator.integer("signed", 1), operator.integer("narrow", 0)
        low, high = _range(bits, bool(signed), bool(narrow))
    if out_zero != np.rint(out_zero):
        raise operator.refuse(f"its zero point becomes {out_zero:.9g}; an integer is wanted")

    def index(x: Real) -> Ints:
        scaled = np.asarray(np.rint(x / scale + zero) / divisor)
        if clip:
            scaled = np.clip(scaled, np.float32(low), np.float32(high))
        return np.asarray(rounding(scaled).astype(np.int64) - low)

    _activation(walk, operator, index, high - low, float(out), int(out_zero) - low)


def multi_threshold(walk: Walk, operator: Operator) -> None:
    """MultiThreshold(x, thresholds): out_bias + out_scale * (thresholds that x reaches)."""
    value = walk.activation(operator)
    rows = np.sort(walk.real(operator, 1), axis=-1)
    channels = value.shape[1] if len(value.shape) > 1 else 0
    layout = operator.text("data_layout", "") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(
        len(value.shape), ""
    )
    if rows.ndim != 2 or rows.shape[0] not in (1, channels) or rows.shape[1] > 2**_MAX_BITS - 1:
        raise operator.refuse(
            f"thresholds of shape {rows.shape}; (1, levels) or ({channels}, levels), at most 255 "
            "levels, is wanted"
        )
    if rows.shape[0] > 1 and layout[1:2] != "C":
        raise operator.refuse(f"its channels are on the axis of {layout!r}; NC or NCHW is wanted")
    scale, bias = operator.real("out_scale", 1.0), operator.real("out_bias", 0.0)
    zero = 0.0 if scale == 0 or not np.isfinite([scale, bias]).all() else -bias / scale
    binary = rows.shape[1] == 1 and zero == 0.5
    if not (scale > 0 and np.isfinite([scale, bias]).all()) or (zero != round(zero) and not binary):
        raise operator.refuse(
            f"out_scale {scale:.9g} and out_bias {bias:.9g} do not fold: a scale above 0 and a "
            "bias that is a multiple of it is wanted"
        )

    def index(x: Real) -> Ints:
        count = np.zeros(x.shape, np.int64)
        for level in range(rows.shape[1]):
            count += x >= rows[:, level]
        return count

    if binary:
        layer = Quantizer(
            label=operator.label,
            levels=lambda x: 2 * index(x) - 1,
            dtype=DType.BINARY,
            scale=np.float32(scale / 2),
            zero_point=0,
            low=-1,
            high=1,
        )
        walk.add(operator, layer, value.shape)
        return
    _activation(walk, operator, index, rows.shape[1], scale, round(zero))


def sign(walk: Walk, operator: Operator) -> None:
    """Sign: -1, 0 or +1."""
    value = walk.activation(operator)
    layer = Quantizer(
        label=operator.label,
        levels=lambda x: np.sign(x).astype(np.int64),
        dtype=DType.TERNARY,
        scale=np.float32(1),
        zero_point=0,
        low=-1,
        high=1,
    )
    walk.add(operator, layer, value.shape)


def _activation(
    walk: Walk,
    operator: Operator,
    index: Callable[[Real], Ints],
    count: int,
    scale: float,
    zero: int,
) -> None:
    """Append a quantizer with levels 0 to `count`, of which `zero` means 0."""
    value = walk.activation(operator)
    found = next((t for t in _TYPES if t.low <= -zero and count - zero <= t.high), None)
    dtype = found or DType.INT8
    shift = zero if found else 128  # from levels to stored integers
    if not (count <= 255 and abs(zero - shift) <= 128):
        raise operator.refuse(f"it has {count + 1} levels, of which {zero} means 0; 256 at most")
    layer = Quantizer(
        label=operator.label,
        levels=lambda x: index(x) - shift,
        dtype=dtype,
        scale=np.float32(scale),
        zero_point=zero - shift,
        low=-shift,
        high=count - shift,
    )
    walk.add(operator, layer, value.shape)


def _scale(walk: Walk, operator: Operator, position: int) -> Real:
    scale = walk.real(operator, position)
    if not (scale >= 2.0**-100).all() or not (scale <= 2.0**60).all():
        worst = float(scale.reshape(-1)[int(np.argmin(scale))])
        raise operator.refuse(
            f"scale {operator.input(position)[:80]!r} is {worst:.9g}; a positive number is wanted",
            hint="calibrate or train again: a scale of 0 comes from a tensor that never varied",
        )
    return scale


def _bits(walk: Walk, operator: Operator, position: int, most: int = _MAX_BITS) -> int:
    bits = walk.scalar(operator, position)
    if bits != round(bits) or not 1 <= bits <= most:
        raise operator.refuse(f"bit width {bits:.9g}; a whole number from 1 to {most} is wanted")
    return int(bits)


def _range(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    if signed:
        return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - narrow


def _rounding(operator: Operator, default: str) -> Callable[[Real], Real]:
    mode = operator.text("rounding_mode", default).upper()
    if mode not in _ROUNDING:
        raise operator.refuse(
            f"rounding mode {mode[:40]!r}; one of {', '.join(_ROUNDING)} is wanted"
        )
    return _ROUNDING[mode]


def _one(operator: Operator, values: Real, what: str) -> np.float32:
    flat = values.reshape(-1)
    if (flat != flat[0]).any():
        raise refuse_scales(operator, flat, f"{what} of an activation")
    return np.float32(flat[0])


def _broadcast(operator: Operator, values: Real, shape: tuple[int, ...]) -> Real:
    if values.ndim > limits.MAX_RANK:
        raise operator.refuse(f"a scale or zero point has {values.ndim} axes")
    try:
        return np.asarray(np.broadcast_to(values, shape))
    except ValueError as error:
        raise operator.refuse(f"scales of shape {values.shape} for a tensor {shape}") from error


def integer_weights(operator: Operator, values: NDArray[Any]) -> Weights:
    """Return float weights without a quantizer whose values are small integers.

    Raises:
        UnsupportedError: they are not; names the operator.
    """
    real = values.astype(np.float32)
    if np.isnan(real).any():
        raise operator.refuse("its weights hold NaN", hint="check the training: it diverged")
    if not (np.abs(real) <= 127).all() or (real != np.rint(real)).any():
        raise operator.refuse(
            "its weights are not quantized",
            hint="a Quant or BipolarQuant stands between weights and the layer",
        )
    return Weights(real.astype(np.int64), np.ones(real.shape, np.float32), operator.label)
