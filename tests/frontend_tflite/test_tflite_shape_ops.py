"""Operators that move or reduce values against the reference kernels, exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from writers.tflite_small import RELU, SAME, VALID, Small, f32
from writers.tflite_writer import INT8, INT32, OpSpec, constant

from edgekit.errors import UnsupportedError
from edgekit.ir import nodes
from edgekit.ir.graph import Graph
from edgekit.passes import optimize

Check = Callable[..., Graph]


def indices(small: Small, values: object) -> int:
    return small.tensor(constant(f"i{len(small.spec.tensors)}", np.asarray(values), INT32))


def moved(small: Small, code: str, inputs: list[int], shape: list[int], options: object) -> Small:
    y = small.activation(tuple(shape), *small.quant)
    return small.op(code, inputs, y, options)


REDUCTIONS = [
    ((7, 5, 6), (1, 2)),
    ((8, 8, 4), (2, 1)),
    ((7, 5, 6), (2,)),
    ((7, 5, 6), (-1,)),
    ((4, 5, 6), (1, 2, 3)),
    ((4, 5, 6), (1, 3)),
    ((4, 1, 6), (1, 3)),
    ((9, 6), (1,)),
    ((9, 6), (2,)),
    ((31,), (1,)),
]


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(("shape", "axes"), REDUCTIONS)
@pytest.mark.parametrize("factor", [1.0, 0.31, 1.7])
def test_mean(
    check: Check, shape: tuple[int, ...], axes: tuple[int, ...], keep: bool, factor: float
) -> None:
    small = Small(len(shape) + len(axes), shape, scale=f32(0.05), zero=-9)
    reduced(small, "MEAN", axes, keep, factor, None if factor == 1.0 else 3)
    check(small, samples=24)


@pytest.mark.parametrize(("shape", "axes"), REDUCTIONS)
def test_reduce_max(check: Check, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    small = Small(3, shape, scale=f32(0.05))
    check(reduced(small, "REDUCE_MAX", axes, True, 1.0, None), samples=24, distinct=2)


def reduced(
    small: Small, code: str, axes: tuple[int, ...], keep: bool, factor: float, zero: int | None
) -> Small:
    full = small.now.shape
    gone = {axis % len(full) for axis in axes}
    shape = [1 if k in gone else e for k, e in enumerate(full) if keep or k not in gone]
    if len(shape) < 2:
        shape, keep = [1] * len(full), True
    y = small.activation(
        tuple(shape), small.quant[0] * factor, small.quant[1] if zero is None else zero
    )
    axis = indices(small, axes)
    return small.op(code, [small.at, axis], y, ("ReducerOptions", {"KeepDims": keep}))


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("size", [(8, 10), (7, 3), (1, 1), (2, 13), (4, 5)])
def test_resize_nearest(check: Check, size: tuple[int, int], half: bool, align: bool) -> None:
    if align and half:
        return  # the reference refuses the pair
    small = Small(5, (4, 5, 3))
    options = {"AlignCorners": align, "HalfPixelCenters": half}
    moved(
        small,
        "RESIZE_NEAREST_NEIGHBOR",
        [small.at, indices(small, size)],
        [1, *size, 3],
        ("ResizeNearestNeighborOptions", options),
    )
    assert isinstance(check(small, distinct=2).nodes[0], nodes.ResizeNearest)


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("size", [(8, 10), (7, 3), (1, 1), (2, 13), (4, 5), (24, 17)])
@pytest.mark.parametrize("shape", [(4, 5, 3), (1, 9, 2), (16, 2, 1)])
def test_resize_bilinear(
    check: Check, shape: tuple[int, ...], size: tuple[int, int], half: bool, align: bool
) -> None:
    if align and half:
        return  # the reference refuses the pair
    small = Small(5, shape)
    options = {"AlignCorners": align, "HalfPixelCenters": half}
    inputs = [small.at, indices(small, size)]
    out = [1, *size, shape[2]]
    moved(small, "RESIZE_BILINEAR", inputs, out, ("ResizeBilinearOptions", options))
    check(small, samples=16, distinct=2)


@pytest.mark.parametrize(("extent", "target"), [(n, m) for n in range(1, 12) for m in (3, 7, 24)])
def test_resize_nearest_rounds_as_the_reference(check: Check, extent: int, target: int) -> None:
    for options in ({"AlignCorners": True}, {"HalfPixelCenters": True}, {}):
        small = Small(5, (extent, 1, 1))
        size = indices(small, [target, 1])
        options_table = ("ResizeNearestNeighborOptions", options)
        moved(small, "RESIZE_NEAREST_NEIGHBOR", [small.at, size], [1, target, 1, 1], options_table)
        check(small, distinct=1)


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2])
@pytest.mark.parametrize("seed", range(3))
def test_concatenation(check: Check, axis: int, seed: int) -> None:
    small = Small(seed, (4, 5, 3), scale=f32(0.02))
    entry, first = small.at, small.quant
    for _ in range(seed):
        small.conv(3, (3, 3))
        small.unary("QUANTIZE", *first)
    parts = [entry, small.at, entry][: 2 + seed % 2]
    shape = [1, 4, 5, 3]
    shape[axis] *= len(parts)
    options = ("ConcatenationOptions", {"Axis": axis})
    graph = check(moved(small, "CONCATENATION", parts, shape, options))
    assert isinstance(graph.nodes[-1], nodes.Concat)


@pytest.mark.parametrize("axis", [1, 2, 3, 4])
def test_pack(check: Check, axis: int) -> None:
    small = Small(2, (4, 5, 3), scale=f32(0.02))
    options = ("PackOptions", {"ValuesCount": 2, "Axis": axis})
    shape = [1, 4, 5, 3]
    shape.insert(axis, 2)
    check(moved(small, "PACK", [small.at, small.at], shape, options))


ORDERS = [(0, 3, 1, 2), (0, 2, 3, 1), (0, 2, 1, 3), (0, 3, 2, 1), (0, 1, 3, 2), (0, 1, 2, 3)]


@pytest.mark.parametrize("order", ORDERS)
def test_transpose(check: Check, order: tuple[int, ...]) -> None:
    small = Small(2, (4, 5, 3))
    shape = [small.now.shape[axis] for axis in order]
    check(
        moved(
            small, "TRANSPOSE", [small.at, indices(small, order)], shape, ("TransposeOptions", {})
        )
    )


def test_transpose_there_and_back_costs_nothing(check: Check) -> None:
    small = Small(2, (4, 5, 3)).conv(4, (1, 1))
    for order in ((0, 3, 1, 2), (0, 2, 3, 1)):
        shape = [small.now.shape[axis] for axis in order]
        axes = indices(small, order)
        moved(small, "TRANSPOSE", [small.at, axes], shape, ("TransposeOptions", {}))
    graph = check(small.conv(3, (3, 3)))
    assert [type(node) for node in optimize(graph).nodes] == [nodes.Conv2D] * 2


def test_transpose_of_axes_of_one_is_a_reshape(check: Check) -> None:
    small = Small(2, (1, 5, 3))
    axes = indices(small, (1, 2, 0, 3))
    graph = check(moved(small, "TRANSPOSE", [small.at, axes], [1, 5, 1, 3], None), samples=8)
    assert {type(node) for node in optimize(graph).nodes} == {nodes.Reshape}


SLICES = [  # begin, end, strides, masks of begin, end and shrink
    ((0, 1, 0, 1), (1, 4, 5, 3), (1, 1, 2, 1), 0, 0, 0),
    ((0, 0, 0, 0), (0, 0, 0, 0), (1, 2, 2, 1), 15, 15, 0),
    ((0, -1, 3, 0), (1, -6, 0, 3), (1, -1, -2, 1), 0, 2, 0),
    ((0, 2, 0, 0), (1, 3, 5, 3), (1, 1, 1, 1), 0, 0, 2),
    ((0, 0, 0, -1), (1, 4, 5, 0), (1, 1, 1, 1), 0, 0, 8),
    ((0, 1), (1, 99), (1, 1), 0, 0, 0),
]


@pytest.mark.parametrize(("begin", "end", "strides", "begins", "ends", "shrink"), SLICES)
def test_strided_slice(
    check: Check,
    begin: tuple[int, ...],
    end: tuple[int, ...],
    strides: tuple[int, ...],
    begins: int,
    ends: int,
    shrink: int,
) -> None:
    small = Small(2, (4, 5, 3))
    cells = np.zeros((1, 4, 5, 3))
    taken = tuple(
        begin[k]
        if shrink >> k & 1
        else slice(
            None if begins >> k & 1 else begin[k], None if ends >> k & 1 else end[k], strides[k]
        )
        for k in range(len(begin))
    )
    inputs = [small.at, *(indices(small, v) for v in (begin, end, strides))]
    options = {"BeginMask": begins, "EndMask": ends, "ShrinkAxisMask": shrink}
    shape = list(cells[taken].shape)
    graph = check(moved(small, "STRIDED_SLICE", inputs, shape, ("StridedSliceOptions", options)))
    assert isinstance(graph.nodes[0], nodes.Slice)


def test_slice(check: Check) -> None:
    small = Small(2, (4, 5, 3))
    inputs = [small.at, indices(small, (0, 1, 2, 0)), indices(small, (1, 2, -1, 3))]
    check(moved(small, "SLICE", inputs, [1, 2, 3, 3], ("SliceOptions", {})))


@pytest.mark.parametrize("code", ["SPLIT", "SPLIT_V", "UNPACK"])
@pytest.mark.parametrize("axis", [1, 3])
def test_parts_that_are_joined_again(check: Check, code: str, axis: int) -> None:
    small = Small(4, (4, 5, 4), scale=f32(0.02))
    source, parts = small.at, 4 if code == "UNPACK" else 2
    shape = [1, 4, 5, 4]
    shape[axis] //= parts
    if code == "UNPACK":
        del shape[axis]
    outputs = [small.activation(tuple(shape), *small.quant) for _ in range(parts)]
    where = indices(small, axis)
    inputs, options = {
        "SPLIT": ([where, source], ("SplitOptions", {"NumSplits": 2})),
        "SPLIT_V": (
            [source, indices(small, (2, 2)), where],
            ("SplitVOptions", {"NumSplits": 2}),
        ),
        "UNPACK": ([source], ("UnpackOptions", {"Num": 4, "Axis": axis})),
    }[code]
    small.spec.ops.append(OpSpec(code, inputs, outputs, options))
    y = small.activation(tuple(shape), 0.03, -7)
    check(small.op("ADD", [outputs[-1], outputs[0]], y, ("AddOptions", {})))


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("code", ["DEPTH_TO_SPACE", "SPACE_TO_DEPTH"])
def test_blocks(check: Check, code: str, size: int) -> None:
    small = Small(4, (6, 12, 2 * size * size))
    shape = [1, 6 * size, 12 * size, 2]
    if code == "SPACE_TO_DEPTH":
        shape = [1, 6 // size, 12 // size, 2 * size**4]
    options = ("".join(word.title() for word in code.split("_")) + "Options", {"BlockSize": size})
    check(moved(small, code, [small.at], shape, options))


@pytest.mark.parametrize("value", [-128, 40])
def test_pad_with_a_value(check: Check, value: int) -> None:
    small = Small(5, (3, 4, 2))
    scale, zero = small.quant
    amounts = indices(small, [[0, 0], [1, 2], [0, 1], [0, 0]])
    stored = constant("value", np.asarray([value]), INT8, scales=[scale], zero_points=[zero])
    inputs = [small.at, amounts, small.tensor(stored)]
    check(moved(small, "PADV2", inputs, [1, 6, 5, 2], ("PadV2Options", {})))


@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("axis", [1, 2])
def test_one_dimensional_convolution(check: Check, axis: int, padding: int) -> None:
    """As Keras exports Conv1D: an axis is inserted before the layer and taken out behind it."""
    small = Small(6, (20, 4), scale=f32(0.03))
    shape = [1, 20, 4]
    shape.insert(axis, 1)
    moved(small, "EXPAND_DIMS", [small.at, indices(small, axis)], shape, ("ExpandDimsOptions", {}))
    kernel, stride = ((1, 5), (1, 2)) if axis == 1 else ((5, 1), (2, 1))
    small.conv(6, kernel, stride, padding=padding, activation=RELU)
    out = [e for k, e in enumerate(small.now.shape) if k != axis]
    moved(small, "SQUEEZE", [small.at], out, ("SqueezeOptions", {"SqueezeDims": [axis]}))
    reduced(small, "MEAN", (1,), False, 0.6, -100)
    check(small.dense(5), samples=16)


@pytest.mark.parametrize(
    ("code", "inputs", "shape", "options", "message"),
    [
        ("TRANSPOSE", [(3, 1, 2, 0)], [3, 5, 4, 1], ("TransposeOptions", {}), "order"),
        ("MEAN", [(0, 1)], [1, 5, 3], ("ReducerOptions", {}), "axes"),
        (
            "STRIDED_SLICE",
            [(0, 0, 0, 0), (1, 1, 1, 1), (1, 1, 1, 1)],
            [1, 1, 1, 1],
            ("StridedSliceOptions", {"EllipsisMask": 2}),
            "masks",
        ),
        ("SLICE", [(0, 3, 0, 0), (1, 2, 5, 3)], [1, 2, 5, 3], ("SliceOptions", {}), "elements"),
        (
            "RESIZE_NEAREST_NEIGHBOR",
            [(0, 4)],
            [1, 0, 4, 3],
            ("ResizeNearestNeighborOptions", {}),
            "size",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    check: Check,
    code: str,
    inputs: list[tuple[int, ...]],
    shape: list[int],
    options: object,
    message: str,
) -> None:
    small = Small(2, (4, 5, 3))
    places = [small.at, *(indices(small, v) for v in inputs)]
    with pytest.raises(UnsupportedError, match=f"^{code} .*{message}"):
        check(moved(small, code, places, shape, options))


def test_concatenation_at_two_scales_is_refused(check: Check) -> None:
    small = Small(1, (4, 4, 2))
    entry = small.at
    small.conv(2, (1, 1))
    options = ("ConcatenationOptions", {"Axis": 3})
    with pytest.raises(UnsupportedError, match="equal ones are wanted"):
        check(moved(small, "CONCATENATION", [entry, small.at], [1, 4, 4, 4], options))
