"""Scales and zero points: reading them, and onnxruntime's float32 requantization constants."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.onnx.builder import Builder
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.onnx.values import Quantization, SourceDType, Weight
from edgekit.ir.arithmetic import float32_scale
from edgekit.ir.types import Requant, Rounding

_RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int32": (-(2**31), 2**31 - 1)}


def quantization(builder: Builder, operator: Operator, scale: int, zero: int) -> Quantization:
    """Return the per-tensor quantization from the inputs at positions `scale` and `zero`."""
    scales = scale_values(builder, operator, scale)
    zeros = zero_values(builder, operator, zero)
    if scales.size != 1 or zeros.size != 1:
        raise operator.refuse(
            f"input {scale} has {scales.size} scales; an activation has one",
            hint="only weights may be quantized per channel",
        )
    if zeros.dtype.name not in ("int8", "uint8"):
        raise operator.refuse(f"an activation of {zeros.dtype} is not supported; int8 is")
    dtype = cast(SourceDType, zeros.dtype.name)
    return Quantization(np.float32(scales.reshape(-1)[0]), int(zeros.reshape(-1)[0]), dtype)


def scale_values(builder: Builder, operator: Operator, position: int) -> NDArray[np.float32]:
    """Return finite, positive float32 scales, scalar or one axis."""
    scales = builder.constant(operator, position)
    if scales.dtype == np.float16 and operator.kind == "QLinearMatMul":
        scales = scales.astype(np.float32)  # exact, and what onnxruntime does there
    if scales.dtype != np.float32 or scales.ndim > 1:
        raise operator.refuse(f"input {position} is not a float32 scale or a list of them")
    if not scales.size or not np.all(np.isfinite(scales)) or not np.all(scales >= 2.0**-100):
        raise operator.refuse(
            f"input {position} holds a scale that is not a positive finite number",
            hint="calibrate the model again: a scale of zero comes from a tensor that never varied",
        )
    return scales


def zero_values(builder: Builder, operator: Operator, position: int) -> NDArray[Any]:
    """Return zero points; an absent input means uint8 zero, as ONNX says."""
    if not operator.input(position):
        return np.zeros((), dtype=np.uint8)
    zeros = builder.constant(operator, position)
    if zeros.dtype.name not in _RANGES or zeros.ndim > 1 or not zeros.size:
        raise operator.refuse(
            f"input {position} is a zero point of {zeros.dtype}; int8 or uint8 is wanted",
            hint="quantize to 8 bits",
        )
    return zeros


def weight(
    builder: Builder, operator: Operator, values: NDArray[Any], scale: int, zero: int, axis: int
) -> Weight:
    """Return a constant with its quantization, per tensor or along `axis`."""
    scales = scale_values(builder, operator, scale)
    zeros = zero_values(builder, operator, zero)
    if values.dtype.name not in _RANGES:
        raise operator.refuse(f"a constant of {values.dtype} cannot be dequantized")
    if operator.input(zero) and zeros.dtype != values.dtype:
        raise operator.refuse(f"zero point of {zeros.dtype} for a constant of {values.dtype}")
    if scales.size > 1 or zeros.size > 1:
        extent = values.shape[axis] if -values.ndim <= axis < values.ndim else -1
        if scales.size not in (1, extent) or zeros.size not in (1, extent):
            raise operator.refuse(
                f"{scales.size} scales and {zeros.size} zero points for axis {axis} of "
                f"a constant of shape {values.shape}"
            )
    wide = zeros.reshape(-1).astype(np.int64)
    return Weight(values, scales.reshape(-1), wide, axis % max(values.ndim, 1))


def centred(
    operator: Operator, constant: Weight, channels: int, *, wide: bool = False
) -> NDArray[np.int64]:
    """Return int8 (`wide`: 9-bit) weights with zero point 0 and channels on axis `channels`."""
    if constant.values.dtype.name not in ("int8", "uint8"):
        raise operator.refuse(f"weights of {constant.values.dtype}; int8 is wanted")
    many = constant.scale.size > 1 or constant.zero_point.size > 1
    if many and constant.axis != channels % constant.values.ndim:
        raise operator.refuse(
            f"its weights are quantized along axis {constant.axis}; the output channels are "
            f"axis {channels % constant.values.ndim}"
        )
    shape = [1] * constant.values.ndim
    shape[constant.axis] = constant.zero_point.size
    values = constant.values.astype(np.int64) - constant.zero_point.reshape(shape)
    if not wide and values.size and (values.min() < -128 or values.max() > 127):
        raise operator.refuse(
            f"its weights less their zero point reach {values.min()} to {values.max()}; "
            "int8 is wanted",
            hint="quantize weights as int8 with zero point 0",
        )
    return values


def bias_values(operator: Operator, constant: Weight | None, count: int) -> NDArray[np.int64]:
    """Return the int32 bias, zeros if there is none."""
    if constant is None:
        return np.zeros(count, dtype=np.int64)
    values = constant.values
    if values.dtype.name != "int32" or values.size != count or np.any(constant.zero_point):
        raise operator.refuse(
            f"its bias has {values.size} values of {values.dtype}; {count} of int32 with zero "
            "point 0 are wanted"
        )
    return values.astype(np.int64).reshape(-1)


def product_scales(
    operator: Operator, x: np.float32, w: NDArray[np.float32], y: np.float32
) -> NDArray[np.float32]:
    """Return `f32(f32(x * w) / y)` for each channel."""
    with np.errstate(over="ignore", under="ignore"):
        scales = np.asarray((x * w) / y, dtype=np.float32)
    if not np.all(np.isfinite(scales)) or np.any(scales < np.float32(2.0**-60)):
        raise operator.refuse("its scales are too far apart for a float32 product")
    return scales


def requant(
    scales: NDArray[np.float32], y: Quantization, low: int = -128, high: int = 127
) -> Requant:
    """Return onnxruntime's requantization: float32 product, nearest even."""
    pairs = [float32_scale(np.float32(scale)) for scale in scales.reshape(-1)]
    return Requant(
        multiplier=tuple(mantissa for mantissa, _ in pairs),
        shift=tuple(exponent for _, exponent in pairs),
        zero_point=y.graph_zero,
        low=low,
        high=high,
        rounding=Rounding.FLOAT32_RNE,
    )


def quantize_real(value: float, q: Quantization) -> int:
    """Return the graph integer of a real number, as QuantizeLinear computes it."""
    low, high = _RANGES[q.dtype]
    with np.errstate(over="ignore", under="ignore"):
        ratio = float(np.float32(value) / q.scale)
    ratio = min(max(ratio, low - q.zero_point), high - q.zero_point)
    return int(np.rint(ratio)) + q.graph_zero
