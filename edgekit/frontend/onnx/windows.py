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


def window(operator: Operator, size: tuple[int, int], kernel: tuple[int, int]) -> Window:
    """Return the window of an operator over an image of `size` (H, W)."""
    stride = _pair(operator, "strides")
    dilation = _pair(operator, "dilations")
    if not all(1 <= e <= limits.MAX_EXTENT for e in (*kernel, *stride, *dilation)):
        raise operator.refuse(f"kernel {kernel}, stride {stride} or dilation {dilation}")
    covered = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    padding = _padding(operator, size, covered, stride)
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


def kernel_shape(operator: Operator) -> tuple[int, int]:
    """Return the mandatory attribute `kernel_shape` of a pool."""
    sides = operator.integers("kernel_shape")
    if sides is None or len(sides) != 2:
        raise operator.refuse(
            "kernel_shape is not two numbers; two-dimensional pools are supported"
        )
    return sides[0], sides[1]


def _pair(operator: Operator, name: str) -> tuple[int, int]:
    values = operator.integers(name) or (1, 1)
    if len(values) != 2:
        raise operator.refuse(f"{name} has {len(values)} values; 2 are wanted")
    return values[0], values[1]


def _padding(
    operator: Operator, size: tuple[int, int], covered: tuple[int, ...], stride: tuple[int, int]
) -> Padding:
    mode = operator.text("auto_pad", "NOTSET")
    if mode == "NOTSET":
        pads = operator.integers("pads") or (0, 0, 0, 0)
        if len(pads) != 4 or not all(0 <= pad <= MAX_PAD for pad in pads):
            raise operator.refuse(f"pads {pads[:8]}: four numbers, 0 to {MAX_PAD}, are wanted")
        return Padding(*pads)
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
