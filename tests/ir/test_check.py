"""The checker: every broken graph is refused with a message that names the place."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from changes import GRAPH, node, reshaped, sample, tensor
from writers.random_graphs import GraphBuilder

from edgekit.errors import UnsupportedError
from edgekit.ir.arithmetic import float32_scale
from edgekit.ir.check import accumulator_range, verify
from edgekit.ir.geometry import window_shape
from edgekit.ir.graph import Graph
from edgekit.ir.types import DType, Padding, Requant, Rounding

ONE = Requant((1 << 30,), (1,), 0, -128, 127, Rounding.DOUBLE)


FLOAT = sample(Rounding.FLOAT32_RNE)
NODES = GRAPH.nodes
NAMES = [node.y for node in NODES]


def requant(index: int, graph: Graph = GRAPH, **changes: object) -> Graph:
    return node(index, graph, requant=replace(graph.nodes[index].requant, **changes))


def constant(name: str, change: Callable[[np.ndarray], np.ndarray], frozen: bool = True) -> Graph:
    array = change(GRAPH.constants[name].copy())
    array.setflags(write=not frozen)
    return replace(GRAPH, constants={**GRAPH.constants, name: array})


def edge(where: str, **changes: object) -> Graph:
    return replace(GRAPH, **{where: (replace(getattr(GRAPH, where)[0], **changes),)})


def with_value(array: np.ndarray, index: int, value: int) -> np.ndarray:
    array.flat[index] = value
    return array


def heavy_bias(array: np.ndarray) -> np.ndarray:
    return with_value(array, 1, 2**31 - 1)


CONV, ADD, MEAN, TOP, PADDED, CLAMPED, SAME, FLAT, DENSE, SOFT, DEEP = NODES
LABELS = [n.label for n in NODES]
W, B = CONV.weight, CONV.bias
X = GRAPH.inputs[0].tensor

BROKEN = {
    "graph 'two words': the name must be a C identifier of at most 63 characters": replace(
        GRAPH, name="two words"
    ),
    "graph 'while': the name must be a C identifier of at most 63 characters": replace(
        GRAPH, name="while"
    ),
    f"tensor {X}: it is declared under the name other": tensor(X, name="other"),
    f"tensor {X}: shape (6, 0, 2); extents of at least 1 are wanted": tensor(X, shape=(6, 0, 2)),
    "constant lost: the graph does not declare it": replace(
        GRAPH, constants={**GRAPH.constants, "lost": GRAPH.constants[B]}
    ),
    f"constant {W}: read-only int32; read-only int64 is wanted": constant(
        W, lambda a: a.astype(np.int32)
    ),
    f"constant {W}: writable int64; read-only int64 is wanted": constant(W, lambda a: a, False),
    f"constant {B}: shape (1, 2); (2,) is declared": constant(B, lambda a: a[np.newaxis]),
    f"constant {W}: values {GRAPH.constants[W].min()} to 128; INT8 holds -128 to 127": constant(
        W, lambda a: with_value(a, int(a.argmax()), 128)
    ),
    "graph random_graph: it has no output": replace(GRAPH, outputs=()),
    f"graph random_graph: two inputs share a tensor: {X}, {X}": replace(
        GRAPH, inputs=GRAPH.inputs * 2
    ),
    f"input source_{X}: its tensor {W} is not an activation of the graph": edge("inputs", tensor=W),
    f"input source_{X}: type INT16 behind an edge of INT8": (tensor(X, dtype=DType.INT16)),
    f"input source_{X}: scale 0.1; a positive float32 number is wanted": edge("inputs", scale=0.1),
    f"input source_{X}: scale -1.0; a positive float32 number is wanted": edge(
        "inputs", scale=-1.0
    ),
    f"input source_{X}: zero point 128; -128 to 127 is wanted": edge("inputs", zero_point=128),
    f"input source_{X}: source offset 0; 128 is wanted for uint8": edge(
        "inputs", source_dtype="uint8"
    ),
    f"input source_{X}: source shape (1, 6, 6, 2) does not hold one (6, 5, 2) a sample": edge(
        "inputs", source_shape=(1, 6, 6, 2)
    ),
    f"input source_{X}: transpose (1, 0, 2, 3); a permutation of 4 axes, batch first, is wanted": (
        edge("inputs", transpose=(1, 0, 2, 3))
    ),
    f"output source_{SOFT.y}: no node produces its tensor {SOFT.y}": replace(
        GRAPH, nodes=NODES[:9]
    ),
    f"{LABELS[0]}: it reads {ADD.y}, which no input or earlier node produces": node(0, x=ADD.y),
    f"{LABELS[0]}: it reads the constant {X}, which the graph lacks": node(0, weight=X),
    f"{LABELS[0]}: it writes lost, which the graph does not declare": node(0, y="lost"),
    f"{LABELS[1]}: it writes {CONV.y}, which already has a value": node(1, y=CONV.y),
    f"{LABELS[0]}: type of {X} is INT8; INT16 is wanted": tensor(CONV.y, dtype=DType.INT16),
    f"{LABELS[0]}: shapes (6, 5, 2) and (60,); (H, W, C) is wanted": tensor(CONV.y, shape=(60,)),
    f"{LABELS[0]}: weight shape is (2, 3, 3, 2); (3, 3, 3, 2) is wanted": tensor(
        CONV.y, shape=(6, 5, 3)
    ),
    f"{LABELS[0]}: output shape is (6, 5, 2); (4, 5, 2) is wanted": node(
        0, padding=Padding(0, 1, 0, 1)
    ),
    f"{LABELS[0]}: no (3, 3) window with dilation (4, 1) fits into (6, 5, 2)": node(
        0, dilation=(4, 1)
    ),
    f"{LABELS[0]}: kernel (3, 3), stride (0, 1), dilation (1, 1), padding (1, 1, 1, 1); "
    "at least 1, 1, 1 and 0 are wanted": node(0, stride=(0, 1)),
    f"{LABELS[0]}: bias type is INT16; INT32 is wanted": tensor(B, dtype=DType.INT16),
    f"{LABELS[0]}: weight type is INT16; INT8 or narrower is wanted": tensor(W, dtype=DType.INT16),
    f"{LABELS[0]}: input zero point is -129; -128 to 127 is wanted": node(0, input_zero_point=-129),
    f"{LABELS[0]}: 3 multipliers and 1 shifts; 1 or 2 of each is wanted": requant(
        0, multiplier=(2**30,) * 3, shift=(0,)
    ),
    f"{LABELS[0]}: clamp is 5 to 4; an interval within -128 to 127 is wanted": requant(
        0, low=5, high=4
    ),
    f"{LABELS[0]}: output zero point is 200; -128 to 127 is wanted": requant(0, zero_point=200),
    f"{LABELS[0]}: multiplier 1073741823 and shift 0; 2**30 to 2**31 and -31 to 30 are wanted": (
        requant(0, multiplier=(2**30 - 1,), shift=(0,))
    ),
    f"{LABELS[0]}: multiplier 1073741824 and shift 31; 2**30 to 2**31 and -31 to 30 are wanted": (
        requant(0, multiplier=(2**30,), shift=(31,))
    ),
    f"{LABELS[0]}: scale 16777216 * 2**-40; a float32 number from 2**-60 to 2**20 is wanted": (
        requant(0, FLOAT, multiplier=(2**24,), shift=(-40,))
    ),
    f"{LABELS[0]}: scale 1 * 2**-61; a float32 number from 2**-60 to 2**20 is wanted": requant(
        0, FLOAT, multiplier=(1,), shift=(-61,)
    ),
    f"{LABELS[1]}: left shift is 31; 0 to 30 is wanted": node(1, left_shift=31),
    f"{LABELS[1]}: scale of {CONV.y} has shift 1; at most 0 is wanted": node(1, a_scale=(2**30, 1)),
    f"{LABELS[1]}: 2 multipliers and 2 shifts; 1 or 2 of each is wanted": requant(
        1, multiplier=(2**30,) * 2, shift=(0,) * 2
    ),
    f"{LABELS[1]}: left shift is 20; 0 is wanted": node(1, FLOAT, left_shift=20),
    f"{LABELS[1]}: input scale 0 * 2**0; a positive number is wanted": node(
        1, FLOAT, b_scale=(0, 0)
    ),
    f"{LABELS[1]}: addend 16777216 * 2**0; 0 or a float32 number of 2**-60 to 2**31 is wanted": (
        requant(1, FLOAT, multiplier=(2**24,), shift=(0,))
    ),
    f"{LABELS[1]}: addend -1 * 2**-61; 0 or a float32 number of 2**-60 to 2**31 is wanted": (
        requant(1, FLOAT, multiplier=(-1,), shift=(-61,))
    ),
    f"{LABELS[2]}: channels is 3; 2 is wanted": tensor(MEAN.y, shape=(5, 4, 3)),
    f"{LABELS[3]}: clamp is -129 to 127; an interval within -128 to 127 is wanted": node(
        3, low=-129, high=127
    ),
    f"{LABELS[4]}: padding (1, 0), (0, 1, 0); one entry for each axis of (4, 3, 2)": node(
        4, before=(1, 0)
    ),
    f"{LABELS[4]}: padding (1, 0, -1), (0, 1, 0); at least 0 is wanted": node(4, before=(1, 0, -1)),
    f"{LABELS[4]}: output shape is (5, 4, 2); (6, 4, 2) is wanted": node(4, before=(2, 0, 0)),
    f"{LABELS[4]}: padding value is 300; -128 to 127 is wanted": node(4, value=300),
    f"{LABELS[5]}: clamp is 1 to 0; an interval within -128 to 127 is wanted": node(
        5, low=1, high=0
    ),
    f"{LABELS[5]}: shape of its input is (5, 4, 2); (4, 5, 2) is wanted": tensor(
        CLAMPED.y, shape=(4, 5, 2)
    ),
    f"{LABELS[7]}: number of elements is 40; 41 is wanted": tensor(FLAT.y, shape=(41,)),
    f"{LABELS[8]}: output shape is (2, 4); (4,) is wanted": tensor(DENSE.y, shape=(2, 4)),
    f"{LABELS[9]}: the table is no softmax table: 2**31 - 1 first, -1 only at its end": constant(
        SOFT.table, lambda a: with_value(a, 3, -1)
    ),
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_graphs_are_refused(message):
    with pytest.raises(UnsupportedError) as caught:
        verify(BROKEN[message])
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize("rounding", list(Rounding))
def test_whole_graphs_pass(rounding):
    verify(sample(rounding))


def test_partial_sums_must_fit_32_bits():
    weights = int(np.abs(GRAPH.constants[W][1]).sum())
    folded = 2**31 - 1 - CONV.input_zero_point * int(GRAPH.constants[W][1].sum())
    reach = max(2**31 - 1, abs(folded)) + 255 * weights
    with pytest.raises(UnsupportedError) as caught:
        verify(constant(B, heavy_bias))
    assert caught.value.message == (
        f"{CONV.label}: partial sums of channel 1 reach {reach}; less than 2147483648 is wanted"
    )
    assert caught.value.hint == (
        "quantize the model again with smaller weights or fewer inputs in this layer"
    )


def test_accumulators_must_fit_after_a_left_shift():
    low, high = accumulator_range(GRAPH, CONV)
    reach = max(-low, high) << 20
    with pytest.raises(UnsupportedError) as caught:
        verify(requant(0, multiplier=(2**30,), shift=(20,)))
    assert caught.value.message == (
        f"{CONV.label}: accumulators reach {reach} before they are scaled; "
        "less than 2147483648 is wanted"
    )


def test_add_operands_must_fit_their_left_shift():
    low, high = CONV.requant.low - ADD.a_zero_point, CONV.requant.high - ADD.a_zero_point
    reach = max(abs(low), abs(high)) << 28
    with pytest.raises(UnsupportedError) as caught:
        verify(node(1, left_shift=28))
    assert caught.value.message == (
        f"{ADD.label}: {CONV.y} reaches {reach} after its left shift; "
        "less than 2147483648 is wanted"
    )


def test_pool_windows():
    builder = GraphBuilder(3)
    x = builder.input(4, 4, 1)
    builder.max_pool(x, (2, 2))
    graph = builder.graph(builder.nodes[-1].y)
    lonely = node(0, graph, padding=Padding(2, 0, 0, 0))
    lonely = reshaped(lonely, (5, 3, 1))
    with pytest.raises(UnsupportedError) as caught:
        verify(lonely)
    label = graph.nodes[0].label
    wanted = f"{label}: a window of kernel (2, 2) lies in the padding alone"
    assert caught.value.message == wanted


def test_float_average_needs_equal_windows():
    builder = GraphBuilder(3)
    x = builder.input(4, 4, 1)
    builder.average_pool(x, (3, 3), padding=Padding(1, 1, 1, 1))
    graph = builder.graph(builder.nodes[-1].y)
    mantissa, exponent = float32_scale(np.float32(0.1))
    scale = Requant((mantissa,), (exponent,), 0, -128, 127, Rounding.FLOAT32_RNE)
    unequal = node(0, graph, requant=scale, low=-128, high=127)
    label = graph.nodes[0].label
    with pytest.raises(UnsupportedError) as caught:
        verify(unequal)
    assert caught.value.message == (
        f"{label}: windows hold 4 to 9 cells; with a scale the same number everywhere is wanted"
    )
    equal = node(0, unequal, padding=Padding())
    equal = reshaped(equal, (2, 2, 1))
    verify(equal)
    with pytest.raises(UnsupportedError) as caught:
        verify(node(0, equal, low=-100))
    assert caught.value.message == f"{label}: clamp is (-100, 127); (-128, 127) is wanted"
    verify(node(0, equal, requant=ONE))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "message"),
    [
        (
            (1, 1),
            2**20,
            2**24,
            "its padded input holds 67108880 values; at most 16777216 is wanted",
        ),
        (
            (1500, 1500),
            (1, 1),
            1000,
            "its windows read 573806250000 values; at most 17179869184 is wanted",
        ),
    ],
)
def test_windows_that_would_take_all_memory_or_hours(kernel, stride, padding, message):
    builder = GraphBuilder(3)
    x = builder.input(4, 4, 1)
    builder.max_pool(x, (2, 2))
    graph = builder.graph(builder.nodes[-1].y)
    stride = stride if isinstance(stride, tuple) else (stride, stride)
    rows = Padding(padding, 0, 0, 0) if kernel == (1, 1) else Padding(*[padding] * 4)
    height, width = window_shape((4, 4), kernel, stride, (1, 1), rows)
    wide = reshaped(node(0, graph, kernel=kernel, stride=stride, padding=rows), (height, width, 1))
    with pytest.raises(UnsupportedError) as caught:
        verify(wide)
    assert caught.value.message == f"{graph.nodes[0].label}: {message}"


def test_shapes_that_do_not_belong_together():
    builder = GraphBuilder(2)
    x = builder.input(4, 4, 3)
    deep = builder.conv(x, 1, (2, 2), depthwise=True)
    builder.dense(deep, 4)
    graph = builder.graph(builder.nodes[-1].y)
    deep_node, dense_node = graph.nodes
    four = tensor(deep, graph, shape=(3, 3, 4))
    three = tensor(deep_node.weight, graph, shape=(2, 2, 3))
    cases = {
        f"{deep_node.label}: weight shape is (2, 2, 3); (2, 2, 4) is wanted": four,
        f"{deep_node.label}: weight shape (4, 27); 3 axes are wanted": node(
            0, three, weight=dense_node.weight
        ),
        f"{dense_node.label}: weight shape is (4, 27); (4, 48) is wanted": node(1, graph, x=x),
    }
    for message, broken in cases.items():
        with pytest.raises(UnsupportedError) as caught:
            verify(broken)
        assert caught.value.message == message


def test_depthwise_channels_are_a_multiple():
    builder = GraphBuilder(2)
    builder.conv(builder.input(4, 4, 3), 1, (2, 2), depthwise=True)
    graph = builder.graph(builder.nodes[-1].y)
    constants = {
        name: np.ascontiguousarray(array[..., :2]) for name, array in graph.constants.items()
    }
    tensors = dict(graph.tensors)
    for name, array in constants.items():
        array.setflags(write=False)
        tensors[name] = replace(tensors[name], shape=array.shape)
    narrow = reshaped(replace(graph, constants=constants, tensors=tensors), (3, 3, 2))
    with pytest.raises(UnsupportedError) as caught:
        verify(narrow)
    assert caught.value.message == (
        f"{graph.nodes[0].label}: 2 output channels are no multiple of 3 input channels"
    )


def test_softmax_length_is_bounded():
    builder = GraphBuilder(3, samples=1)
    builder.softmax(builder.input(600))
    with pytest.raises(UnsupportedError) as caught:
        verify(builder.graph(builder.nodes[-1].y))
    assert caught.value.message == (
        f"{builder.nodes[-1].label}: softmax over 600 values; at most 511 have a defined result"
    )
