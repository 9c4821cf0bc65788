"""Kernels, strides and paddings of convolutions and pools."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.frontend import limits
from edgekit.frontend.onnx.model import Operator
from edgekit.ir.types import Padding

MAX_PAD = 64  # implicit padding is smaller than a kernel in any trained network


@dataclass(frozen=True, slots=True)
class Window:
    """A two-dimensional window and the size of what it produces."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding
    output: tuple[int, int]


def window(operator: Operator, shape: tuple[int, ...], kernel: tuple[int, int]) -> Window:
    """Return the window of an operator over a source tensor of `shape`."""
    size = spatial(operator, shape)
    axes = len(shape) - 2
    stride = _pair(operator, "strides", axes)
    dilation = _pair(operator, "dilations", axes)
    if not all(1 <= e <= limits.MAX_EXTENT for e in (*kernel, *stride, *dilation)):
        raise operator.refuse(f"kernel {kernel}, stride {stride} or dilation {dilation}")
    covered = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    padding = _padding(operator, size, covered, stride, axes)
    spans = (size[0] + padding.top + padding.bottom, size[1] + padding.left + padding.right)
    output = tuple((n - k) // s + 1 for n, k, s in zip(spans, covered, stride, strict=True))
    if min(output) < 1:
        raise operator.refuse(f"kernel {kernel} is larger than its padded input {spans}")
    if operator.integer("ceil_mode", 0):
        rests = [(n - k) % s for n, k, s in zip(spans, covered, stride, strict=True)]
        if any(rests):
            raise operator.refuse(
                "ceil_mode with windows that reach past the input is not supported",
                hint="pad explicitly",
            )
    return Window(kernel, stride, dilation, padding, (output[0], output[1]))


def kernel_shape(operator: Operator, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the mandatory attribute `kernel_shape` of a pool over a source tensor of `shape`."""
    sides = operator.integers("kernel_shape")
    spatial(operator, shape)
    if sides is None or len(sides) != len(shape) - 2:
        raise operator.refuse(f"kernel_shape is not {len(shape) - 2} numbers")
    return (sides[0], sides[1]) if len(sides) == 2 else (1, sides[0])


def spatial(operator: Operator, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (H, W) of a source tensor (1, C, H, W); H is 1 for (1, C, W)."""
    if len(shape) not in (3, 4):
        raise operator.refuse(f"its input has {len(shape)} axes; (1, C, H, W) is wanted")
    return (shape[2], shape[3]) if len(shape) == 4 else (1, shape[2])


def _pair(operator: Operator, name: str, axes: int) -> tuple[int, int]:
    values = operator.integers(name) or (1,) * axes
    if len(values) != axes:
        raise operator.refuse(f"{name} has {len(values)} values; {axes} are wanted")
    return (values[0], values[1]) if axes == 2 else (1, values[0])


def _padding(
    operator: Operator,
    size: tuple[int, int],
    covered: tuple[int, ...],
    stride: tuple[int, int],
    axes: int,
) -> Padding:
    mode = operator.text("auto_pad", "NOTSET")
    if mode == "NOTSET":
        pads = operator.integers("pads") or (0,) * (2 * axes)
        if len(pads) != 2 * axes or not all(0 <= pad <= MAX_PAD for pad in pads):
            raise operator.refuse(
                f"pads {pads[:8]}: {2 * axes} numbers, 0 to {MAX_PAD}, are wanted"
            )
        return Padding(*pads) if axes == 2 else Padding(left=pads[0], right=pads[1])
    if mode == "VALID":
        return Padding()
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise operator.refuse(f"auto_pad {mode[:40]!r} is not supported")
    pairs = []
    for extent, k, s in zip(size, covered, stride, strict=True):
        total = max((-(-extent // s) - 1) * s + k - extent, 0)
        small, large = total // 2, total - total // 2
        pairs.append((small, large) if mode == "SAME_UPPER" else (large, small))
    (top, bottom), (left, right) = pairs
    return Padding(top, left, bottom, right)
