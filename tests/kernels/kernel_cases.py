"""Random single-node graphs for each kernel, aimed away from saturation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from case_builders import CaseBuilder, FewBitsBuilder, RectifiedBuilder, WideBuilder
from kernel_driver import Kernels
from writers.random_graphs import GraphBuilder

from edgekit.ir.arithmetic import quantize_multiplier
from edgekit.ir.check import verify
from edgekit.ir.nodes import Add, Mul, Requantize
from edgekit.ir.types import Padding, Rounding
from edgekit.target.mcu.code import Context, NodeCode
from edgekit.target.mcu.features import Feature
from edgekit.target.mcu.ops import emit_node
from edgekit.target.mcu.ops.add import emit_general_add
from edgekit.target.mcu.ops.mul import emit_float_mul

Draw = np.random.Generator
FIXED = (Rounding.DOUBLE, Rounding.TIES_UP, Rounding.SINGLE)


def _ints(draw: Draw, low: int, high: int, count: int) -> tuple[int, ...]:
    return tuple(int(v) for v in draw.integers(low, high + 1, count))


def _window(draw: Draw, builder: GraphBuilder, largest: int) -> dict[str, object]:
    """Draw an input and a window that meets it: 1x1 and 3x3 often, anything else sometimes."""
    kind = draw.random()
    if kind < 0.04:
        return _spread(draw, builder)
    if kind < 0.25:
        kernel, dilation, padding = (1, 1), (1, 1), Padding()
    elif kind < 0.6:
        kernel, dilation, padding = (3, 3), (1, 1), Padding(*_ints(draw, 0, 1, 4))
    else:
        kernel, dilation = _ints(draw, 1, 6, 2), _ints(draw, 1, 3, 2)
        padding = Padding(*_ints(draw, 0, 4, 4))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    around = (padding.top + padding.bottom, padding.left + padding.right)
    extra = _ints(draw, 0, largest, 2)
    height, width = (max(r - a, 1) + e for r, a, e in zip(reach, around, extra, strict=True))
    channels = int(draw.integers(1, 12))
    return {
        "x": builder.input(height, width, channels),
        "kernel": kernel,
        "stride": _ints(draw, 1, 3, 2) if draw.random() < 0.5 else (1, 1),
        "dilation": dilation,
        "padding": padding,
    }


def _spread(draw: Draw, builder: GraphBuilder) -> dict[str, object]:
    """Draw a 1x1 window with strides and so much padding that the output has the input's shape."""
    height, width, stride = _ints(draw, 2, 3, 3)
    rows, columns = (height - 1) * (stride - 1), (width - 1) * (stride - 1)
    return {
        "x": builder.input(height, width, int(draw.integers(1, 12))),
        "kernel": (1, 1),
        "stride": (stride, stride),
        "padding": Padding(0, rows, columns, 0),
    }


def conv2d(builder: GraphBuilder, draw: Draw) -> None:
    builder.conv(channels=int(draw.integers(1, 14)), **_window(draw, builder, 8))


def depthwise(builder: GraphBuilder, draw: Draw) -> None:
    multiplier = 1 if draw.random() < 0.7 else int(draw.integers(2, 4))
    builder.conv(channels=multiplier, depthwise=True, **_window(draw, builder, 12))


def depthwise_3x3(builder: GraphBuilder, draw: Draw, channels: tuple[int, int] = (4, 16)) -> None:
    """What the DSP kernel serves: strides of 1 and 2, in place or not."""
    padding = Padding(1, 1, 1, 1) if draw.random() < 0.5 else Padding(*_ints(draw, 0, 2, 4))
    stride = (1, 1) if draw.random() < 0.5 else (*_ints(draw, 1, 2, 1), *_ints(draw, 1, 3, 1))
    height, width = (3 + e for e in _ints(draw, 0, 9, 2))
    x = builder.input(height, width, *_ints(draw, *channels, 1))
    builder.conv(x, 1, (3, 3), stride=stride, padding=padding, depthwise=True)


def depthwise_3x3_any(builder: GraphBuilder, draw: Draw) -> None:
    """What the MVE kernel serves: one channel, or more than a vector has."""
    depthwise_3x3(builder, draw, (1, 35))


def dense(builder: GraphBuilder, draw: Draw) -> None:
    builder.dense(builder.input(int(draw.integers(1, 90))), int(draw.integers(1, 20)))


def conv2d_or_dense(builder: GraphBuilder, draw: Draw) -> None:
    """Depths and channels on both sides of multiples of 16 and 4; no dilation."""
    kind = draw.random()
    channels = int(draw.integers(1, 18))
    if kind < 0.2:
        builder.dense(builder.input(int(draw.integers(1, 90))), channels)
    elif kind < 0.5:
        x = builder.input(*_ints(draw, 1, 4, 2), int(draw.integers(1, 70)))
        builder.conv(x, channels, (1, 1), stride=_ints(draw, 1, 2, 2))
    else:
        builder.conv(channels=channels, **_window(draw, builder, 8) | {"dilation": (1, 1)})


def conv2d_or_dense_any(builder: GraphBuilder, draw: Draw) -> None:
    """Of more than 32 channels at times."""
    if draw.random() < 0.3:
        dense(builder, draw)
        return
    channels = int(draw.integers(1, 14) if draw.random() < 0.8 else draw.integers(30, 70))
    builder.conv(channels=channels, **_window(draw, builder, 5))


def add(builder: GraphBuilder, draw: Draw) -> None:
    # A single graph input: the second operand is made of it.
    x = builder.input(*_ints(draw, 1, 6, 3))
    other = builder.clamp(x, -100, 90)
    minus = builder.rounding is not Rounding.FLOAT32_RNE and draw.random() < 0.3
    builder.add(x, other, subtract=minus)


def wide_add(builder: GraphBuilder, draw: Draw) -> None:
    shape = _ints(draw, 1, 6, 3)
    builder.add(builder.input(*shape), builder.input(*shape))


def average_pool(builder: GraphBuilder, draw: Draw) -> None:
    if draw.random() < 0.4:
        kernel = _ints(draw, 1, 5, 2)
        extents = (k * n for k, n in zip(kernel, _ints(draw, 1, 3, 2), strict=True))
        builder.mean(builder.input(*extents, int(draw.integers(1, 8))), kernel)
        return
    _pool(builder.average_pool, builder, draw)


def max_pool(builder: GraphBuilder, draw: Draw) -> None:
    _pool(builder.max_pool, builder, draw)


def _pool(append: Callable[..., str], builder: GraphBuilder, draw: Draw) -> None:
    kernel = _ints(draw, 1, 5, 2)
    # Every window keeps a cell inside.
    padding = Padding(*(int(draw.integers(0, k)) for k in (*kernel, *kernel)))
    extents = (k + e for k, e in zip(kernel, _ints(draw, 0, 6, 2), strict=True))
    x = builder.input(*extents, int(draw.integers(1, 8)))
    append(x, kernel, _ints(draw, 1, 3, 2), padding if draw.random() < 0.6 else Padding())


def pad(builder: GraphBuilder, draw: Draw) -> None:
    rank = int(draw.choice([1, 3]))
    x = builder.input(*_ints(draw, 1, 6, rank))
    builder.pad(x, _ints(draw, 0, 3, rank), _ints(draw, 0, 3, rank))


def clamp(builder: GraphBuilder, draw: Draw) -> None:
    low, high = sorted(_ints(draw, -128, 127, 2))
    builder.clamp(builder.input(*_ints(draw, 1, 8, 3)), low, high)


def requantize(builder: GraphBuilder, draw: Draw) -> None:
    builder.requantize(builder.input(*_ints(draw, 1, 8, 3)))


def softmax(builder: GraphBuilder, draw: Draw) -> None:
    scale = float(2 ** draw.uniform(-10, 1))
    builder.softmax(builder.input(*_ints(draw, 1, 12, int(draw.choice([1, 3])))), scale)


def mul(builder: GraphBuilder, draw: Draw) -> None:
    """Of one shape, or with a factor for each channel or row."""
    x = builder.input(*_ints(draw, 1, 6, 3))
    kind = int(draw.integers(0, 3))
    if kind == 0:
        builder.mul(x, builder.clamp(x, -100, 90))
        return
    rows, columns, channels = builder.tensors[x].shape
    factor = builder.max_pool(x, (rows, columns) if kind == 1 else (rows, 1))
    builder.mul(x, builder.reshape(factor, *((channels,) if kind == 1 else (columns, channels))))


def lut(builder: GraphBuilder, draw: Draw) -> None:
    builder.lut(builder.input(*_ints(draw, 1, 12, 2)))


def concat(builder: GraphBuilder, draw: Draw) -> None:
    x, axis = builder.input(*_ints(draw, 1, 5, 3)), int(draw.integers(0, 3))
    others = [builder.clamp(x, -100 + 40 * k, 90) for k in range(int(draw.integers(1, 4)))]
    builder.concat(axis, x, *others)


def copy(builder: GraphBuilder, draw: Draw) -> None:
    x = builder.input(*_ints(draw, 1, 6, int(draw.integers(1, 5))))
    if draw.random() < 0.5:
        builder.slice(x)
    else:
        builder.transpose(x, *(int(v) for v in draw.permutation(len(builder.tensors[x].shape))))


def resize_nearest(builder: GraphBuilder, draw: Draw) -> None:
    builder.resize_nearest(builder.input(*_ints(draw, 1, 6, 3)), *_ints(draw, 1, 12, 2))


def wide_requantize(builder: GraphBuilder, draw: Draw) -> None:
    """A change of scale, or a leaky ReLU."""
    builder.requantize(builder.input(*_ints(draw, 1, 8, 3)))
    node = builder.nodes.pop()
    assert isinstance(node, Requantize)
    negative = quantize_multiplier(float(draw.uniform(0.0, 1.5))) if draw.random() < 0.7 else None
    (multiplier, *_), (shift, *_) = node.requant.multiplier, node.requant.shift
    requant = dataclasses.replace(node.requant, multiplier=(multiplier,), shift=(shift,))
    builder.append(dataclasses.replace(node, requant=requant, negative=negative))


def float_mul(builder: GraphBuilder, draw: Draw) -> None:
    """The source's zero point is added in float32; the scale is at times a power of two."""
    mul(builder, draw)
    node = builder.nodes.pop()
    assert isinstance(node, Mul)
    offset = -int(draw.choice([0, 128]))
    addend = node.requant.zero_point + node.addend - offset
    requant = dataclasses.replace(node.requant, zero_point=offset)
    builder.append(dataclasses.replace(node, requant=requant, addend=addend))


def resize_bilinear(builder: GraphBuilder, draw: Draw) -> None:
    builder.resize_bilinear(builder.input(*_ints(draw, 1, 6, 3)), *_ints(draw, 1, 12, 2))


CASES: dict[str, Callable[[GraphBuilder, Draw], None]] = {
    "ek_conv2d_s8": conv2d,
    "ek_depthwise_s8": depthwise,
    "ek_conv2d_s16": conv2d,
    "ek_conv2d_dsp": conv2d,
    "ek_depthwise_dsp": depthwise_3x3,
    "ek_conv2d_rv32": conv2d,
    "ek_depthwise_rv32": depthwise_3x3_any,
    "ek_conv2d_mve": conv2d_or_dense,
    "ek_depthwise_mve": depthwise_3x3_any,
    "ek_codes_s8": conv2d_or_dense_any,
    "ek_codes_dsp": conv2d_or_dense_any,
    "ek_dense_s8": dense,
    "ek_dense_dsp": dense,
    "ek_add_linear_s8": add,
    "ek_add_s8": add,
    "ek_add_f32_s8": add,
    "ek_add_s16": wide_add,
    "ek_avgpool_s8": average_pool,
    "ek_maxpool_s8": max_pool,
    "ek_pad_s8": pad,
    "ek_clamp_s8": clamp,
    "ek_requantize_s8": requantize,
    "ek_requantize_s16": wide_requantize,
    "ek_softmax_s8": softmax,
    "ek_mul_s8": mul,
    "ek_mul_f32_s8": float_mul,
    "ek_lut_s8": lut,
    "ek_concat_s8": concat,
    "ek_copy_s8": copy,
    "ek_resize_nearest_s8": resize_nearest,
    "ek_resize_bilinear_s8": resize_bilinear,
}


UNSCALED = {
    *("ek_maxpool_s8", "ek_pad_s8", "ek_clamp_s8", "ek_softmax_s8", "ek_lut_s8"),
    *("ek_concat_s8", "ek_copy_s8", "ek_resize_nearest_s8", "ek_resize_bilinear_s8"),
}


def roundings_of(kernel: str) -> tuple[Rounding, ...]:
    """Return the roundings that a kernel is built for."""
    if kernel == "ek_add_s8" or kernel.endswith("_s16"):
        return FIXED
    if kernel in ("ek_add_f32_s8", "ek_mul_f32_s8"):
        return (Rounding.FLOAT32_RNE,)
    if kernel in UNSCALED:
        return (Rounding.DOUBLE,)
    return tuple(Rounding)


def build(kernel: str, rounding: Rounding, seed: int) -> CaseBuilder:
    """Return case number `seed` of `kernel`."""
    builder = _kind(kernel)(seed, rounding, samples=2)
    builder.general = kernel in ("ek_add_s8", "ek_add_f32_s8", "ek_mul_f32_s8")
    CASES[kernel](builder, np.random.default_rng([seed, 7]))
    return builder


def _kind(kernel: str) -> type[CaseBuilder]:
    if kernel.endswith("_s16"):
        return WideBuilder
    if kernel.startswith("ek_codes"):
        return FewBitsBuilder
    return RectifiedBuilder if kernel.endswith(("_dsp", "_mve", "_rv32")) else CaseBuilder


def features_of(kernel: str) -> frozenset[Feature]:
    """Return the CPU features that make the emitter take `kernel` where it can."""
    for feature in ("dsp", "mve", "rv32"):
        if kernel.endswith(f"_{feature}"):
            return frozenset({feature})
    return frozenset()


def compare(kernels: Kernels, builder: CaseBuilder, kernel: str = "") -> int:
    """Run every node on the interpreter's own inputs; return how many values differ."""
    graph = builder.graph(builder.nodes[-1].y)
    verify(graph)
    wrong = 0
    for index, node in enumerate(graph.nodes):
        context = Context(graph, index, features_of(kernel))
        if isinstance(node, Add) and builder.general:
            code: NodeCode | None = emit_general_add(context, node)
        elif isinstance(node, Mul) and builder.general:
            code = emit_float_mul(context, node)
        else:
            code = emit_node(context, node)
        if code is None:
            continue  # a reshape is another name
        for sample in range(builder.samples):
            inputs = [builder.values[name][sample] for name in code.inputs]
            wanted = builder.values[node.y][sample].ravel()
            dtype = graph.tensors[node.y].dtype
            wrong += int((kernels.run(code, inputs, wanted.size, dtype) != wanted).sum())
    return wrong
