"""CONCATENATION and PACK."""

from __future__ import annotations

from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.ops.constant import is_constant
from edgekit.frontend.tflite.schema import Options
from edgekit.ir.nodes import Concat, Node, Reshape
from edgekit.ir.types import Tensor

_MOST_INPUTS = 64


def concatenation(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate CONCATENATION at equal scales; the reference takes no others."""
    context.operands(op, 1, _MOST_INPUTS)
    options = context.options(op, Options.CONCATENATION)
    if options.integer(1, "b") != 0:
        context.refuse(op, "a fused activation", "use it as an operator of its own")
    xs = _inputs(context, op)
    rank = len(xs[0].shape) + 1
    axis = _axis(context, op, options.integer(0, "i"), rank)
    around = {(*x.shape[: axis - 1], *x.shape[axis:]) for x in xs if len(x.shape) + 1 == rank}
    if len(around) != 1 or any(len(x.shape) + 1 != rank for x in xs):
        shapes = ", ".join(str(x.shape) for x in xs)
        context.refuse(op, f"shapes {shapes} along axis {axis}", "join tensors that fit")
    extent = sum(x.shape[axis - 1] for x in xs)
    context.check_shape(op, (*xs[0].shape[: axis - 1], extent, *xs[0].shape[axis:]))
    y = _result(context, op, xs)
    names = tuple(x.name for x in xs)
    if len(names) == 1:
        return (Reshape(label=op.label, x=names[0], y=y.name),)
    return (Concat(label=op.label, xs=names, y=y.name, axis=axis - 1),)


def pack(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate PACK: tensors of one shape along a new axis."""
    context.operands(op, 1, _MOST_INPUTS)
    xs = _inputs(context, op)
    shape = xs[0].shape
    options = context.options(op, Options.PACK)
    axis = _axis(context, op, options.integer(1, "i"), len(shape) + 2)
    if any(x.shape != shape for x in xs) or options.integer(0, "i") != len(xs):
        context.refuse(op, "tensors of different shapes", "stack tensors of one shape")
    context.check_shape(op, (*shape[: axis - 1], len(xs), *shape[axis - 1 :]))
    y = _result(context, op, xs)
    single = (*shape[: axis - 1], 1, *shape[axis - 1 :])
    nodes: list[Node] = []
    names = []
    for place, x in enumerate(xs):
        name = y.name if len(xs) == 1 else f"n{op.index}_part{place}"
        context.tensors[name] = Tensor(name, single, x.dtype)
        nodes.append(Reshape(label=op.label, x=x.name, y=name))
        names.append(name)
    if len(xs) > 1:
        nodes.append(Concat(label=op.label, xs=tuple(names), y=y.name, axis=axis - 1))
    return tuple(nodes)


def _inputs(context: Context, op: Operator) -> list[ActivationTensor]:
    for slot in range(len(op.inputs)):
        if is_constant(context, op, slot):
            context.refuse(op, f"input {slot} is a constant", "join activations only")
    return [context.activation(op, slot) for slot in range(len(op.inputs))]


def _axis(context: Context, op: Operator, axis: int, rank: int) -> int:
    place = axis + rank if axis < 0 else axis
    if not 0 < place < rank:
        context.refuse(op, f"axis {axis} of {rank} found", "join along an axis behind the batch")
    return place


def _result(context: Context, op: Operator, xs: list[ActivationTensor]) -> ActivationTensor:
    y = context.result(op)
    for x in xs:
        context.same_quantization(op, x, y)
    return y
