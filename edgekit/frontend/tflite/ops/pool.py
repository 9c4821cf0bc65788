"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from edgekit.frontend.tflite.arithmetic import activation_range, spatial, window
from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.schema import Options
from edgekit.ir.nodes import AveragePool, MaxPool, Node
from edgekit.ir.types import Padding


def average_pool_2d(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate AVERAGE_POOL_2D at equal scales."""
    x, y, kernel, stride, padding, low, high = _pool(context, op)
    node = AveragePool(
        label=op.label,
        x=x.name,
        y=y.name,
        kernel=kernel,
        stride=stride,
        padding=padding,
        input_zero_point=x.zero_point,
        low=low,
        high=high,
        requant=None,
    )
    return (node,)


def max_pool_2d(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate MAX_POOL_2D at equal scales."""
    x, y, kernel, stride, padding, low, high = _pool(context, op)
    node = MaxPool(
        label=op.label,
        x=x.name,
        y=y.name,
        kernel=kernel,
        stride=stride,
        padding=padding,
        low=low,
        high=high,
    )
    return (node,)


def _pool(
    context: Context, op: Operator
) -> tuple[ActivationTensor, ActivationTensor, tuple[int, int], tuple[int, int], Padding, int, int]:
    context.operands(op, 1, 1)
    x = context.activation(op, 0)
    height, width, channels = spatial(context, op, x)
    options = context.options(op, Options.POOL_2D)
    # Fields: padding, stride w, stride h, filter width, filter height, activation.
    stride = (options.integer(2, "i"), options.integer(1, "i"))
    kernel = (options.integer(4, "i"), options.integer(3, "i"))
    # A window far beyond the input is never meant and only costs time.
    if kernel[0] > 2 * height + 1 or kernel[1] > 2 * width + 1:
        context.refuse(
            op,
            f"kernel {kernel} is larger than twice the input {(height, width)}",
            "use a kernel no larger than the input",
        )
    out, padding = window(
        context, op, (height, width), kernel, stride, (1, 1), options.integer(0, "b")
    )
    context.check_shape(op, (*out, channels))
    y = context.result(op)
    context.same_quantization(op, x, y)
    low, high = activation_range(context, op, y, options.integer(5, "b"))
    return x, y, kernel, stride, padding, low, high
