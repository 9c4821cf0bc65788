"""FULLY_CONNECTED."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgekit.frontend.tflite.arithmetic import activation_range, product_scales, requant_of
from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.ops.weights import bias_of, channel_scales
from edgekit.frontend.tflite.schema import Options, TensorType
from edgekit.ir.nodes import Dense, Node, Reshape
from edgekit.ir.types import DType, Tensor

# The reference refuses a bias scale that is further off than this share of the output scale.
_BIAS_TOLERANCE = 0.02


def fully_connected(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate FULLY_CONNECTED; filter (units, inputs), its zero point folded away."""
    context.operands(op, 2, 3)
    x = context.activation(op, 0)
    weight = context.constant(op, 1, (TensorType.INT8,))
    if weight.ndim != 2 or 0 in weight.shape or weight.shape[1] != math.prod(x.shape):
        context.refuse(
            op,
            f"filter shape {weight.shape} does not match {math.prod(x.shape)} input elements",
            "export with batch size 1 and one row per inference",
        )
    units = weight.shape[0]
    options = context.options(op, Options.FULLY_CONNECTED)
    if options.integer(1, "b") != 0:
        context.refuse(op, "shuffled weights", "export with the default weights format")
    keep = options.integer(2, "B") != 0
    context.check_shape(op, (*x.shape[:-1], units) if keep else (units,))
    scales = channel_scales(context, op, units, 0)
    weight = _fold_zero_point(context, op, weight, scales.size)
    y = context.result(op)
    low, high = activation_range(context, op, y, options.integer(0, "b"))
    reals = product_scales(x, scales, y)
    if scales.size == 1:
        reals = _per_tensor(context, op, x, scales[0], y)
    # Kept dimensions are a new label on the vector.
    flat = y.name if len(y.shape) == 1 else f"n{op.index}_flat"
    context.tensors[flat] = Tensor(flat, (units,), DType.INT8)
    node = Dense(
        label=op.label,
        x=x.name,
        y=flat,
        weight=context.add_constant(f"n{op.index}_weight", weight, DType.INT8),
        bias=bias_of(context, op, 2, units),
        input_zero_point=x.zero_point,
        requant=requant_of(reals, y.zero_point, low, high),
    )
    return (node,) if flat == y.name else (node, Reshape(label=op.label, x=flat, y=y.name))


def _fold_zero_point(
    context: Context, op: Operator, weight: NDArray[np.int64], scales: int
) -> NDArray[np.int64]:
    tensor = context.info(op, op.inputs[1])
    zero_points = context.zero_points(op, tensor, scales)
    if not zero_points.any():
        return weight
    # One scale only: the reference ignores zero points of per-channel filters.
    shifted = weight - int(np.clip(zero_points[0], -1024, 1024))
    if scales > 1 or shifted.min() < -128 or shifted.max() > 127:
        context.refuse(
            op,
            f"filter {tensor.name!r} with zero point {zero_points[0]} does not fit 8 bits "
            "without it",
            "quantize weights symmetrically",
        )
    return shifted


def _per_tensor(
    context: Context,
    op: Operator,
    x: ActivationTensor,
    weight_scale: np.float32,
    y: ActivationTensor,
) -> NDArray[np.float64]:
    # Here the reference rounds the product of the scales to float32 before it widens.
    with np.errstate(all="ignore"):
        product = np.float64(np.float32(x.scale * weight_scale))
    if len(op.inputs) > 2 and op.inputs[2] >= 0:
        bias = context.info(op, op.inputs[2])
        stored = bias.quantization.scales
        found = float(stored[0]) if stored.size else 0.0
        if not abs(product - found) / float(y.scale) <= _BIAS_TOLERANCE:
            context.refuse(
                op,
                f"bias scale {found} is far from the product of input and filter scale {product}",
                "quantize the model again",
            )
    return np.asarray([product / np.float64(y.scale)])
