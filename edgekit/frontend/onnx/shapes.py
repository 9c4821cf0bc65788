"""Operators that move or relabel elements: reshapes, transposes, padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.frontend import limits
from edgekit.frontend.onnx import layout
from edgekit.frontend.onnx.builder import Builder
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.onnx.scales import quantize_real
from edgekit.frontend.onnx.values import (
    OFFSET,
    FloatInput,
    Order,
    Pending,
    Quant,
    Real,
    Tail,
    Value,
)
from edgekit.ir.nodes import Pad


def identity(builder: Builder, operator: Operator) -> None:
    """Identity."""
    builder.define(operator, builder.value(operator, 0))


def reshape(builder: Builder, operator: Operator) -> None:
    """Reshape to a constant shape; 0 copies an extent, one -1 is inferred."""
    value, order = _movable(builder, operator)
    wanted = builder.constant(operator, 1)
    if wanted.dtype != np.int64 or wanted.ndim != 1 or wanted.size > limits.MAX_RANK:
        raise operator.refuse("its shape is not a short list of int64")
    shape = [int(extent) for extent in wanted]
    if not operator.integer("allowzero", 0):
        for axis, extent in enumerate(shape):
            if extent == 0 and axis < order.ndim:
                shape[axis] = order.shape[axis]
    _define(builder, operator, value, _reshaped(operator, order, shape))


def flatten(builder: Builder, operator: Operator) -> None:
    """Flatten to two axes."""
    value, order = _movable(builder, operator)
    axis = operator.integer("axis", 1)
    if not -order.ndim <= axis <= order.ndim:
        raise operator.refuse(f"axis {axis} of a tensor with {order.ndim}")
    axis += order.ndim if axis < 0 else 0
    rows = int(np.prod(order.shape[:axis], dtype=np.int64))
    if isinstance(value, Real):
        value = replace(value, flattened=operator.label)
    _define(builder, operator, value, _reshaped(operator, order, [rows, order.size // rows]))


def squeeze(builder: Builder, operator: Operator) -> None:
    """Squeeze axes of extent 1."""
    value, order = _movable(builder, operator)
    axes = axes_of(builder, operator, order.ndim)
    if axes is None:
        axes = tuple(axis for axis, extent in enumerate(order.shape) if extent == 1)
    if any(order.shape[axis] != 1 for axis in axes):
        raise operator.refuse(f"it squeezes axes {axes} of shape {order.shape}")
    shape = [extent for axis, extent in enumerate(order.shape) if axis not in axes]
    _define(builder, operator, value, _reshaped(operator, order, shape))


def unsqueeze(builder: Builder, operator: Operator) -> None:
    """Insert axes of extent 1."""
    value, order = _movable(builder, operator)
    given = operator.integers("axes") if not operator.input(1) else None
    count = len(given) if given is not None else int(builder.constant(operator, 1).size)
    rank = order.ndim + count
    axes = axes_of(builder, operator, rank)
    if axes is None or len(set(axes)) != count or rank > limits.MAX_RANK:
        raise operator.refuse("its axes are missing, repeated or too many")
    rest = iter(order.shape)
    shape = [1 if axis in axes else next(rest) for axis in range(rank)]
    _define(builder, operator, value, _reshaped(operator, order, shape))


def transpose(builder: Builder, operator: Operator) -> None:
    """Transpose: the elements stay where they are, their names change."""
    value, order = _movable(builder, operator)
    axes = operator.integers("perm")
    axes = tuple(reversed(range(order.ndim))) if axes is None else axes
    if sorted(axes) != list(range(order.ndim)):
        raise operator.refuse(f"perm {axes[:8]} of a tensor with {order.ndim} axes")
    _define(builder, operator, value, order.transpose(axes))


def pad(builder: Builder, operator: Operator) -> None:
    """Pad with a constant that the tensor's scale represents."""
    value = builder.value(operator, 0)
    quant = value.quant if isinstance(value, Real) else builder.quant(operator, 0)
    if isinstance(value, Real) and value.limited:
        raise operator.refuse("its input is a Relu or Clip that is not quantized again")
    if operator.text("mode", "constant") != "constant":
        raise operator.refuse("only constant padding is supported")
    before, after = _pads(builder, operator, quant.order.ndim)
    cell = _cell(builder, operator, value)
    if len(before) == 4:
        x = builder.image(operator, quant)
        stored: tuple[int, ...] = (2, 3, 1)
    else:
        shape = quant.order.shape
        x = builder.arranged(operator, quant, layout.rows(shape), shape[1:])
        stored = tuple(range(1, quant.order.ndim))
    old = quant.order.shape
    new = tuple(b + extent + a for b, extent, a in zip(before, old, after, strict=True))
    if before[0] or after[0]:
        raise operator.refuse("it pads the batch axis")
    name = builder.activation(operator, tuple(new[axis] for axis in stored))
    builder.nodes.append(
        Pad(
            label=operator.label,
            x=x,
            y=name,
            before=tuple(before[axis] for axis in stored),
            after=tuple(after[axis] for axis in stored),
            value=cell,
        )
    )
    order = layout.channels_last((new[0], *new[1:])) if len(new) == 4 else layout.rows(new)
    padded = replace(quant, tensor=name, name="", order=order, shown=None)
    if isinstance(value, Real):
        builder.define(operator, Real(padded, value.quantization))
    else:
        builder.define(operator, padded.named(operator.outputs[0]))


def _movable(builder: Builder, operator: Operator) -> tuple[Value, Order]:
    value = builder.value(operator, 0)
    match value:
        case Quant() | FloatInput():
            return value, value.order
        case Real() | Tail():
            real = value.real if isinstance(value, Tail) else value
            return value, real.quant.order
        case Pending():
            raise operator.refuse(
                f"it moves the float result of {value.operator.label}, which onnxruntime then "
                "computes in float",
                hint="quantize before this operator",
            )
    raise operator.refuse("its input is a constant", hint="fold constants before export")


def _define(builder: Builder, operator: Operator, value: Value, order: Order) -> None:
    match value:
        case Quant():
            result: Value = value.relabelled(order).named(operator.outputs[0])
        case FloatInput():
            result = FloatInput(order)
        case Real():
            result = replace(value, quant=value.quant.relabelled(order))
        case _:
            raise operator.refuse("a reshape after the softmax is not supported")
    builder.define(operator, result)


def _reshaped(operator: Operator, order: Order, shape: list[int]) -> Order:
    if shape.count(-1) == 1:
        known = int(np.prod([extent for extent in shape if extent != -1], dtype=object))
        shape[shape.index(-1)] = order.size // known if known > 0 else 0
    if min(shape, default=1) < 1 or int(np.prod(shape, dtype=object)) != order.size:
        raise operator.refuse(f"shape {tuple(shape)} for {order.size} elements")
    return order.reshape(shape)


def axes_of(builder: Builder, operator: Operator, rank: int) -> tuple[int, ...] | None:
    """Return the axes that an attribute or input 1 names, not negative; None if nothing does."""
    axes = operator.integers("axes")
    if operator.input(1):
        values = builder.constant(operator, 1)
        if values.dtype != np.int64 or values.ndim > 1 or values.size > limits.MAX_RANK:
            raise operator.refuse("its axes are not a short list of int64")
        axes = tuple(int(axis) for axis in values.reshape(-1))
    if axes is None:
        return None
    if not all(-rank <= axis < rank for axis in axes):
        raise operator.refuse(f"axes {axes[:8]} of a tensor with {rank}")
    return tuple(axis % rank for axis in axes)


def _pads(
    builder: Builder, operator: Operator, rank: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    pads = operator.integers("pads")
    if operator.input(1):
        values = builder.constant(operator, 1)
        if values.dtype != np.int64 or values.ndim != 1:
            raise operator.refuse("its pads are not a list of int64")
        pads = tuple(int(pad) for pad in values)
    if operator.input(3):
        raise operator.refuse("pads for chosen axes are not supported", hint="name all axes")
    if pads is None or len(pads) != 2 * rank or rank < 2:
        raise operator.refuse(f"{len(pads or ())} pads for a tensor with {rank} axes")
    if not all(0 <= extent <= limits.MAX_EXTENT for extent in pads):
        raise operator.refuse(f"pads {pads} are out of bounds")
    return pads[:rank], pads[rank:]


def _cell(builder: Builder, operator: Operator, value: Value) -> int:
    given = 0.0
    if operator.input(2):
        constant = builder.constant(operator, 2)
        if constant.size != 1 or constant.dtype.kind not in "iuf":
            raise operator.refuse("its constant is not one number")
        given = float(constant.reshape(-1)[0])
    else:
        given = operator.real("value", 0.0)
    if isinstance(value, Real):
        q = value.quantization
        cell = quantize_real(given, q) if np.isfinite(given) else 128
        back = np.float32(cell - q.graph_zero) * q.scale
        if cell > 127 or back != np.float32(given):
            raise operator.refuse(
                f"it pads with {given}, which the scale of its input does not represent",
                hint="pad with 0",
            )
        return cell
    offset = OFFSET[value.dtype] if isinstance(value, Quant) else 0
    if not -128 <= given - offset <= 127 or given != int(given):
        raise operator.refuse(f"it pads with {given}, which is not an integer of its type")
    return int(given) - offset
