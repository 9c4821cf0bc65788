"""Concat and Resize: values that move, each on its own scale."""

from __future__ import annotations

from functools import partial

import numpy as np

from edgekit.frontend import limits
from edgekit.frontend.onnx import layout
from edgekit.frontend.onnx.builder import Builder
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.onnx.quantize import as_real, look_up
from edgekit.frontend.onnx.scales import quantization
from edgekit.frontend.onnx.values import Order, Pending, Quant, Quantization, Real, shape_text
from edgekit.ir.nodes import Concat, ResizeNearest

_COORDINATES = ("asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners")
_NEAREST = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


def concat(builder: Builder, operator: Operator) -> None:
    """Concat between DequantizeLinear and QuantizeLinear."""
    reals = [builder.real(operator, k) for k in range(len(operator.inputs))]
    axis = _axis(operator, [real.quant for real in reals])
    order = layout.rows(_joined_shape([real.quant for real in reals], axis))
    finish = partial(_concat_node, builder, operator, reals, axis)
    builder.define(operator, Pending(operator, reals[0].quant.dtype, order, finish))


def qlinear_concat(builder: Builder, operator: Operator) -> None:
    """QLinearConcat of com.microsoft: output scale first, then triples."""
    places = range(2, len(operator.inputs), 3)
    reals = [as_real(builder, operator, builder.quant(operator, k), k + 1, k + 2) for k in places]
    axis = _axis(operator, [real.quant for real in reals])
    y = quantization(builder, operator, 0, 1)
    builder.define(operator, _concat_node(builder, operator, reals, axis, y, -128, 127))


def resize(builder: Builder, operator: Operator) -> None:
    """Resize to the nearest pixel, on integers or between quantizers."""
    value = builder.value(operator, 0)
    if isinstance(value, Quant):
        places = _places(builder, operator, value.order.shape)
        builder.define(operator, _resize_node(builder, operator, value, places))
        return
    real = builder.real(operator, 0)
    places = _places(builder, operator, real.quant.order.shape)
    shape = (*real.quant.order.shape[:2], len(places[0]), len(places[1]))
    finish = partial(_resize_real, builder, operator, real, places)
    builder.define(operator, Pending(operator, real.quant.dtype, layout.rows(shape), finish))


def _axis(operator: Operator, quants: list[Quant]) -> int:
    if len(quants) < 2 or len({quant.dtype for quant in quants}) != 1:
        raise operator.refuse("it joins fewer than two tensors, or int8 and uint8")
    shapes = [quant.order.shape for quant in quants]
    rank = len(shapes[0])
    axis = operator.integer("axis", 1)
    if not -rank <= axis < rank or rank > 4:
        raise operator.refuse(f"axis {axis} of {shape_text(quants[0].order)}")
    axis %= rank
    others = {(len(s), s[:axis], s[axis + 1 :]) for s in shapes}
    if axis == 0 or shapes[0][0] != 1 or len(others) != 1:
        raise operator.refuse(
            f"it joins {', '.join(shape_text(q.order) for q in quants[:4])} along axis {axis}; "
            "equal other axes, batch 1 first, are wanted"
        )
    return axis


def _joined_shape(quants: list[Quant], axis: int) -> tuple[int, ...]:
    shape = list(quants[0].order.shape)
    shape[axis] = sum(quant.order.shape[axis] for quant in quants)
    return tuple(shape)


def _concat_node(
    builder: Builder,
    operator: Operator,
    reals: list[Real],
    axis: int,
    y: Quantization,
    low: int,
    high: int,
) -> Quant:
    if y.dtype != reals[0].quant.dtype:
        raise operator.refuse(f"its inputs are {reals[0].quant.dtype} and its output {y.dtype}")
    parts = [_on_scale(builder, operator, real, y, low, high) for real in reals]
    shape = _joined_shape(parts, axis)
    if len(shape) == 2:
        # Vectors keep whatever order their elements are stored in.
        names, orders, before = [], [], 0
        for part in parts:
            order = builder.order(part)
            names.append(builder.arranged(operator, part, order, (order.size,)))
            orders.append(order + before)
            before += order.size
        order, place = np.concatenate(orders, axis=1), 0
    else:
        names = [_channels_last(builder, operator, part) for part in parts]
        order = layout.channels_last(shape)
        place = axis - 2 if axis > 1 else len(shape) - 2
    name = builder.activation(operator, (*shape[2:], shape[1]))
    builder.nodes.append(Concat(label=operator.label, xs=tuple(names), y=name, axis=place))
    return Quant(name, operator.outputs[0], order, y.dtype, y)


def _channels_last(builder: Builder, operator: Operator, quant: Quant) -> str:
    shape = quant.order.shape
    return builder.arranged(operator, quant, layout.channels_last(shape), (*shape[2:], shape[1]))


def _on_scale(
    builder: Builder, operator: Operator, real: Real, y: Quantization, low: int, high: int
) -> Quant:
    if real.quantization == y and (low, high) == (-128, 127):
        return real.quant
    return look_up(builder, operator, real, np.positive, y, low, high)


def _resize_real(
    builder: Builder,
    operator: Operator,
    real: Real,
    places: tuple[tuple[int, ...], tuple[int, ...]],
    y: Quantization,
    low: int,
    high: int,
) -> Quant:
    quant = _on_scale(builder, operator, real, y, low, high)
    resized = _resize_node(builder, operator, quant, places)
    return Quant(resized.tensor, operator.outputs[0], resized.order, y.dtype, y)


def _resize_node(
    builder: Builder,
    operator: Operator,
    quant: Quant,
    places: tuple[tuple[int, ...], tuple[int, ...]],
) -> Quant:
    rows, columns = places
    x = builder.image(operator, quant)
    channels = quant.order.shape[1]
    name = builder.activation(operator, (len(rows), len(columns), channels))
    builder.nodes.append(
        ResizeNearest(label=operator.label, x=x, y=name, rows=rows, columns=columns)
    )
    order: Order = layout.channels_last((1, channels, len(rows), len(columns)))
    return Quant(name, operator.outputs[0], order, quant.dtype, quant.quantization)


def _places(
    builder: Builder, operator: Operator, shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the input row behind each output row, and the columns."""
    mode = operator.text("coordinate_transformation_mode", "half_pixel")
    nearest = operator.text("nearest_mode", "round_prefer_floor")
    if operator.text("mode", "nearest") != "nearest" or len(shape) != 4:
        raise operator.refuse("only a resize of an image to the nearest pixel is supported")
    if mode not in _COORDINATES or nearest not in _NEAREST or builder.model.opset < 11:
        raise operator.refuse(f"coordinates {mode[:40]!r} with {nearest[:40]!r} are not supported")
    if operator.integers("axes") is not None or operator.integer("antialias", 0):
        raise operator.refuse("chosen axes and antialiasing are not supported")
    scales, sizes = _extents(builder, operator, shape)
    rows, columns = (_nearest(shape[k], sizes[k], scales[k], mode, nearest) for k in (2, 3))
    return rows, columns


def _extents(
    builder: Builder, operator: Operator, shape: tuple[int, ...]
) -> tuple[list[np.float32], list[int]]:
    slot = 3 if operator.input(3) else 2
    given = builder.constant(operator, slot)
    wanted = np.int64 if slot == 3 else np.float32
    if given.shape != (4,) or given.dtype != wanted:
        raise operator.refuse("its scales or sizes are not four numbers")
    if operator.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise operator.refuse("only the policy 'stretch' is supported")
    if slot == 3:
        sizes = [int(extent) for extent in given]
        scales = [
            np.float32(np.float32(s) / np.float32(n)) for s, n in zip(sizes, shape, strict=True)
        ]
    else:
        scales = [np.float32(scale) for scale in given]
        bounded = all(np.isfinite(s) and 0 < s <= limits.MAX_EXTENT for s in scales)
        sizes = [
            int(s * np.float32(n)) if bounded else 0 for s, n in zip(scales, shape, strict=True)
        ]
    if sizes[:2] != list(shape[:2]) or not all(1 <= size <= limits.MAX_EXTENT for size in sizes):
        raise operator.refuse(f"it makes {sizes} of {shape}; batch and channels stay")
    return scales, sizes


def _nearest(extent: int, size: int, scale: np.float32, mode: str, nearest: str) -> tuple[int, ...]:
    if extent == size:
        return tuple(range(extent))
    i, half = np.arange(size, dtype=np.float32), np.float32(0.5)
    if mode == "asymmetric":
        place = i / scale
    elif mode == "align_corners":
        last = np.float32(max(size - 1, 1))
        place = i * np.float32(extent - 1) / last if size > 1 else i * 0
    elif mode == "pytorch_half_pixel" and size == 1:
        place = i * 0
    else:
        place = (i + half) / scale - half
    match nearest:
        case "floor":
            found = np.floor(place)
        case "ceil":
            found = np.ceil(place)
        case "round_prefer_floor":
            found = np.ceil(place - half)
        case _:
            found = np.floor(place + half)
    return tuple(int(k) for k in np.clip(found, 0, extent - 1))
