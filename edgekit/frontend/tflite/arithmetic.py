"""Quantized constants as the TFLite reference kernels compute them (SPEC section 3)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.schema import Activation
from edgekit.ir.arithmetic import quantize_multiplier
from edgekit.ir.types import Padding, Requant, Rounding

_WIDEST_SHIFT = 7

_BOUNDS: dict[int, tuple[float | None, float | None]] = {
    Activation.NONE: (None, None),
    Activation.RELU: (0.0, None),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
    Activation.RELU6: (0.0, 6.0),
}


def activation_range(
    context: Context, op: Operator, y: ActivationTensor, code: int
) -> tuple[int, int]:
    """Return (low, high) of the output under fused activation `code`."""
    if code not in _BOUNDS:
        context.refuse(
            op,
            f"fused activation {code} is not supported",
            "use no activation, ReLU, ReLU6 or ReLU-N1-to-1; others as operators of their own",
        )
    lower, upper = _BOUNDS[code]
    low, high = y.dtype.low, y.dtype.high
    if lower is not None:
        low = max(low, _quantized(context, op, y, lower))
    if upper is not None:
        high = min(high, _quantized(context, op, y, upper))
    if low > high:
        context.refuse(
            op,
            f"the activation leaves no value between {low} and {high}",
            "quantize the model again",
        )
    return low, high


def _quantized(context: Context, op: Operator, y: ActivationTensor, real: float) -> int:
    # The reference divides in float32 and rounds half away from zero.
    with np.errstate(over="ignore"):
        steps = float(np.float32(real) / y.scale)
    if not abs(steps) < 2.0**30:
        context.refuse(
            op,
            f"output scale {y.scale} is too small for the activation bound {real}",
            "quantize the model again",
        )
    return y.zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))


def requant_of(reals: NDArray[np.float64], zero_point: int, low: int, high: int) -> Requant:
    """Return the double-rounding requant of real scales, one or one per output channel."""
    pairs = [quantize_multiplier(float(real)) for real in reals]
    return Requant(
        multiplier=tuple(multiplier for multiplier, _ in pairs),
        shift=tuple(shift for _, shift in pairs),
        zero_point=zero_point,
        low=low,
        high=high,
        rounding=Rounding.DOUBLE,
    )


def wide_requant(reals: NDArray[np.float64], low: int, high: int) -> Requant:
    """Return the requant of 64-bit accumulators: one rounding, multipliers of 16 bits.

    Raises:
        UnsupportedError: a scale is 2**7 or above, where the reference has no meaning.
    """
    pairs = [quantize_multiplier(float(real)) for real in reals]
    if any(shift > _WIDEST_SHIFT for _, shift in pairs):
        raise UnsupportedError(
            f"scale {reals.max()} found, below {2**_WIDEST_SHIFT} is wanted",
            hint="quantize the model again",
        )
    return Requant(
        multiplier=tuple(min((m + (1 << 15)) >> 16, 0x7FFF) << 16 for m, _ in pairs),
        shift=tuple(shift for _, shift in pairs),
        zero_point=0,
        low=low,
        high=high,
        rounding=Rounding.SINGLE,
    )


def product_scales(
    x: ActivationTensor, weight_scales: NDArray[np.float32], y: ActivationTensor
) -> NDArray[np.float64]:
    """Return `s_in * s_w[c] / s_out` in double throughout: convolutions."""
    widened = np.float64(x.scale) * weight_scales.astype(np.float64)
    return np.asarray(widened / np.float64(y.scale))


def window(
    context: Context,
    op: Operator,
    extent: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding_code: int,
) -> tuple[tuple[int, int], Padding]:
    """Return (output height and width, padding) of a sliding window over `extent`."""
    if padding_code not in (0, 1):
        context.refuse(op, f"padding scheme {padding_code} found", "use SAME or VALID padding")
    for what, values in (("kernel", kernel), ("stride", stride), ("dilation", dilation)):
        if not all(1 <= value <= 4096 for value in values):
            context.refuse(
                op, f"{what} {values} found, 1 to 4096 is wanted", "export the model again"
            )
    out: list[int] = []
    around: list[tuple[int, int]] = []
    for size, k, s, d in zip(extent, kernel, stride, dilation, strict=True):
        reach = (k - 1) * d + 1
        count = -(-size // s) if padding_code == 0 else (size - reach) // s + 1
        if count < 1:
            context.refuse(
                op,
                f"a window of {reach} does not fit an input of {size} without padding",
                "use SAME padding or a smaller kernel",
            )
        total = max((count - 1) * s + reach - size, 0) if padding_code == 0 else 0
        out.append(count)
        around.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = around
    return (out[0], out[1]), Padding(top=top, left=left, bottom=bottom, right=right)


def spatial(context: Context, op: Operator, x: ActivationTensor) -> tuple[int, int, int]:
    """Return (H, W, C) of an image activation."""
    if len(x.shape) != 3:
        context.refuse(
            op,
            f"an input of rank {len(x.shape) + 1} found, batch x height x width x channels wanted",
            "reshape to four axes before this operator",
        )
    return x.shape[0], x.shape[1], x.shape[2]
