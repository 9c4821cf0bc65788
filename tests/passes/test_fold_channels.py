"""Dead-channel folding keeps every output integer, takes what it can and nothing more."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from writers.random_graphs import GraphBuilder, random_graph

from edgekit import frontend
from edgekit.ir.check import macs, verify
from edgekit.ir.graph import Graph
from edgekit.ir.interp import run
from edgekit.ir.nodes import Conv2D, DepthwiseConv2D
from edgekit.ir.types import Padding, Requant, Rounding
from edgekit.passes import FOLD, optimize, optimize_with_savings
from edgekit.passes.bounds import element_bounds
from edgekit.passes.fold_channels import fold_dead_channels
from edgekit.passes.savings import saving

SAME = Padding(1, 1, 1, 1)


def inputs(graph: Graph, samples: int = 8, seed: int = 0) -> dict[str, np.ndarray]:
    """Return inputs of which half hold nothing but the ends of their range."""
    rng = np.random.default_rng(seed)
    x = {}
    for e in graph.inputs:
        shape = (samples, *graph.tensors[e.tensor].shape)
        ends = rng.choice([-128, 127], shape)
        x[e.tensor] = np.where(
            np.arange(samples).reshape(-1, *[1] * (len(shape) - 1)) % 2,
            ends,
            rng.integers(-128, 128, shape),
        )
    return x


def fold(graph: Graph) -> Graph:
    """Return the folded graph, proved and compared."""
    verify(graph)
    after = fold_dead_channels(graph)
    verify(after)
    assert after.inputs == graph.inputs
    assert after.outputs == graph.outputs
    x = inputs(graph)
    before, now = run(graph, x), run(after, x)
    assert before.keys() == now.keys()
    for name, values in before.items():
        np.testing.assert_array_equal(values, now[name])
    return after


def channels(graph: Graph, name: str) -> int:
    return graph.tensors[name].shape[-1]


def alter(builder: GraphBuilder, place: int = -1, **changes: object) -> None:
    builder.nodes[place] = replace(builder.nodes[place], **changes)


def set_filter(builder: GraphBuilder, channel: int, bias: int, place: int = -1) -> int:
    """Make one filter of a layer all zero; return the number that its channel then is."""
    node = builder.nodes[place]
    weight, biases = builder.constants[node.weight].copy(), builder.constants[node.bias].copy()
    axis = -1 if isinstance(node, DepthwiseConv2D) else 0
    np.moveaxis(weight, axis, 0)[channel] = 0
    biases[channel] = bias
    for name, value in ((node.weight, weight), (node.bias, biases)):
        value.setflags(write=False)
        builder.constants[name] = value
    graph = builder.graph(node.y)
    low, high = element_bounds(graph)[node.y]
    assert (low[..., channel] == high[..., channel]).all()
    return int(low[..., channel].flat[0])


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_with_dead_channels(seed, rounding):
    builder = random_graph(seed, rounding, nodes=10, dead=0.4)
    rng = np.random.default_rng(seed)
    others = {n.y for n in builder.nodes if seed % 2 and rng.random() < 0.1}
    graph = builder.graph(*sorted({builder.nodes[-1].y} | others))
    after = fold(graph)
    assert fold_dead_channels(after) is after
    kept = run(graph, inputs(graph), keep=True)
    for name, (low, high) in element_bounds(graph).items():
        assert (low <= kept[name]).all(), name
        assert (kept[name] <= high).all(), name
    optimized = optimize(graph)
    assert optimize(optimized).nodes == optimized.nodes


@pytest.mark.nightly
def test_many_random_graphs_with_dead_channels():
    smaller = 0
    for seed in range(2000):
        builder = random_graph(seed, list(Rounding)[seed % 4], nodes=12, dead=0.3 + seed % 3 / 5)
        graph = builder.graph(builder.nodes[-1].y)
        smaller += not saving("fold", graph, fold(graph)).is_empty
    assert smaller > 1500


def test_a_tensor_less_itself_at_another_scale_is_bounded():
    builder = GraphBuilder(5)
    x = builder.input(4, 4, 3)
    y = builder.add(x, x, subtract=True)
    graph = builder.graph(y)
    low, high = element_bounds(graph)[y]
    assert (low <= builder.values[y]).all()
    assert (builder.values[y] <= high).all()
    assert (low < high).all()


def test_a_constant_goes_into_the_bias_of_the_next_layer():
    builder = GraphBuilder(1)
    x = builder.conv(builder.input(4, 4, 2), 3, (1, 1))
    constant = set_filter(builder, 1, 700)
    y = builder.conv(x, 2, (1, 1))
    alter(builder, input_zero_point=constant - 9)
    after = fold(builder.graph(y))
    assert channels(after, x) == 2
    last, old = after.nodes[1], builder.nodes[1]
    weight = builder.constants[old.weight]
    np.testing.assert_array_equal(after.constants[last.weight], weight[..., [0, 2]])
    np.testing.assert_array_equal(
        after.constants[last.bias], builder.constants[old.bias] + 9 * weight[:, 0, 0, 1]
    )
    first = after.nodes[0]
    assert after.constants[first.weight].shape == (2, 1, 1, 2)
    assert len(first.requant.multiplier) in (1, 2)


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 2)])
@pytest.mark.parametrize("padding", [SAME, Padding(0, 0, 1, 1), Padding(2, 0, 0, 1), Padding()])
@pytest.mark.parametrize("offset", [0, 40])
def test_a_constant_goes_through_a_depthwise_layer_unless_its_border_differs(
    stride, padding, offset
):
    builder = GraphBuilder(3)
    x = builder.conv(builder.input(7, 7, 2), 3, (1, 1))
    constant = set_filter(builder, 2, 300)
    y = builder.conv(x, 1, (3, 3), stride, padding=padding, depthwise=True)
    alter(builder, input_zero_point=constant - offset if constant > 0 else constant + offset)
    node = builder.nodes[-1]
    weight = builder.constants[node.weight].copy()
    weight[..., 2] = 100  # every cell counts
    weight.setflags(write=False)
    builder.constants[node.weight] = weight
    requant = Requant((1 << 30,), (-8,), 0, -128, 127, Rounding.DOUBLE)
    alter(builder, requant=requant)
    z = builder.conv(y, 2, (1, 1))
    after = fold(builder.graph(z))
    unread = padding == Padding(0, 0, 1, 1) and stride == (2, 2)  # no window gets that far
    gone = offset == 0 or padding == Padding() or unread
    assert channels(after, x) == channels(after, y) == (2 if gone else 3)


def test_a_border_that_requantizes_to_the_same_number_is_no_border():
    builder = GraphBuilder(3)
    x = builder.conv(builder.input(6, 6, 2), 3, (1, 1))
    constant = set_filter(builder, 0, 300)
    y = builder.conv(x, 1, (3, 3), padding=SAME, depthwise=True)
    alter(
        builder,
        input_zero_point=constant - 1 if constant > 0 else constant + 1,
        requant=Requant((1 << 30,), (-18,), 5, -128, 127, Rounding.DOUBLE),
    )
    z = builder.conv(y, 2, (1, 1))
    after = fold(builder.graph(z))
    assert channels(after, x) == channels(after, y) < 3


@pytest.mark.parametrize(
    ("offset", "padding", "left"), [(0, SAME, 2), (7, SAME, 3), (7, Padding(), 2)]
)
def test_a_padded_convolution_keeps_a_constant_that_its_border_does_not_hold(offset, padding, left):
    builder = GraphBuilder(4)
    x = builder.conv(builder.input(5, 5, 1), 3, (1, 1))
    constant = set_filter(builder, 1, -500)
    y = builder.conv(x, 2, (3, 3), padding=padding)
    alter(builder, input_zero_point=constant + offset if constant < 0 else constant - offset)
    assert channels(fold(builder.graph(y)), x) == left


def test_an_explicit_pad_is_a_border_too():
    left = []
    for step in (0, 50):
        builder = GraphBuilder(5)
        x = builder.conv(builder.input(5, 5, 1), 3, (1, 1))
        constant = set_filter(builder, 1, 900)
        value = constant - step if constant > 0 else constant + step
        padded = builder.pad(x, (1, 1, 0), (1, 1, 0), value)
        builder.conv(padded, 2, (3, 3))
        alter(builder, input_zero_point=constant)
        left.append(channels(fold(builder.graph(builder.nodes[-1].y)), padded))
    assert left == [2, 3]


def test_a_channel_that_always_saturates_is_constant():
    builder = GraphBuilder(6)
    x = builder.conv(builder.input(5, 5, 2), 3, (1, 1))
    node = builder.nodes[0]
    bias = builder.constants[node.bias].copy()
    bias[1] = 20_000_000  # far above what the weights can take back
    bias.setflags(write=False)
    builder.constants[node.bias] = bias
    y = builder.dense(builder.average_pool(x, (5, 5)), 3)
    assert channels(fold(builder.graph(y)), x) == 2


def test_what_nobody_reads_goes_back_to_its_origin():
    builder = GraphBuilder(7)
    x = builder.conv(builder.input(6, 6, 2), 4)
    deep = builder.conv(builder.max_pool(x, (2, 2)), 1, depthwise=True)
    deep = builder.clamp(builder.requantize(deep))
    y = builder.conv(deep, 2, (1, 1))
    node = builder.nodes[-1]
    weight = builder.constants[node.weight].copy()
    weight[..., [0, 3]] = 0
    weight.setflags(write=False)
    builder.constants[node.weight] = weight
    after = fold(builder.graph(y))
    assert [channels(after, n.y) for n in after.nodes] == [2, 2, 2, 2, 2, 2]


def test_a_branch_that_only_zero_weights_read_is_removed():
    builder = GraphBuilder(8)
    x = builder.input(4, 4, 2)
    kept = builder.conv(x, 2, (1, 1))
    aside = builder.conv(kept, 2, (1, 1))
    y = builder.dense(aside, 3)
    node = builder.nodes[-1]
    weight = np.zeros_like(builder.constants[node.weight])
    weight.setflags(write=False)
    builder.constants[node.weight] = weight
    after = fold(builder.graph(y, kept))
    # One channel stays, for a layer cannot read nothing.
    assert [channels(after, n.y) for n in after.nodes] == [2, 1, 3]


@pytest.mark.parametrize(("second", "left"), [(True, 2), (False, 3)])
def test_a_sum_keeps_a_channel_that_one_of_its_sides_needs(second, left):
    builder = GraphBuilder(9)
    x = builder.input(4, 4, 2)
    a = builder.conv(x, 3, (1, 1))
    set_filter(builder, 1, 10)
    b = builder.conv(x, 3, (1, 1))
    if second:
        set_filter(builder, 1, 400)
    y = builder.conv(builder.add(a, b), 2, (1, 1))
    after = fold(builder.graph(y))
    assert [channels(after, name) for name in (a, b)] == [left, left]


def test_a_second_reader_of_one_side_keeps_both():
    builder = GraphBuilder(10)
    x = builder.input(4, 4, 2)
    a = builder.conv(x, 3, (1, 1))
    set_filter(builder, 1, 10)
    b = builder.conv(x, 3, (1, 1))
    set_filter(builder, 1, 400)
    y = builder.conv(builder.add(a, b), 2, (1, 1))
    softmax = builder.softmax(b)
    after = fold(builder.graph(y, softmax))
    assert [channels(after, name) for name in (a, b)] == [3, 3]


def test_what_leaves_the_graph_stays():
    builder = GraphBuilder(11)
    x = builder.conv(builder.input(4, 4, 2), 3, (1, 1))
    set_filter(builder, 0, 100)
    graph = builder.graph(x)
    assert fold_dead_channels(graph) is graph


def test_one_channel_is_left_of_a_constant_layer():
    builder = GraphBuilder(12)
    x = builder.conv(builder.input(4, 4, 2), 3, (1, 1))
    for channel in range(3):
        set_filter(builder, channel, 100 * channel)
    y = builder.conv(builder.conv(x, 1, depthwise=True), 2, (1, 1))
    after = fold(builder.graph(y))
    assert [channels(after, n.y) for n in after.nodes] == [1, 1, 2]


def test_a_vector_of_an_image_keeps_the_image_s_channels():
    builder = GraphBuilder(13)
    x = builder.conv(builder.input(2, 3, 2), 4, (1, 1))
    set_filter(builder, 3, 900)
    flat = builder.requantize(builder.reshape(x, 24))
    y = builder.dense(flat, 5)
    after = fold(builder.graph(y))
    assert channels(after, x) == 3
    assert after.tensors[flat].shape == (18,)


@pytest.mark.parametrize(("depth", "left"), [(1, 5), (2, 8)])
def test_outputs_of_one_input_channel_go_together(depth, left):
    builder = GraphBuilder(14)
    x = builder.conv(builder.input(5, 5, depth), 8 // depth, depthwise=True)
    for channel in (0, 2, 5):
        set_filter(builder, channel, 200 * channel)
    y = builder.conv(x, 2, (1, 1))
    after = fold(builder.graph(y))
    # Of several input channels each needs as many outputs as the others.
    assert channels(after, x) == left


def test_layers_that_share_a_constant_fold_apart():
    builder = GraphBuilder(15)
    x = builder.input(4, 4, 2)
    a = builder.conv(x, 3, (1, 1))
    set_filter(builder, 1, 300)
    b = builder.conv(x, 3, (1, 1))
    y = builder.conv(a, 2, (1, 1))
    z = builder.conv(b, 2, (1, 1))
    alter(builder, weight=builder.nodes[-2].weight, bias=builder.nodes[-2].bias)
    after = fold(builder.graph(y, z))
    assert (channels(after, a), channels(after, b)) == (2, 3)


def zero_filters(graph: Graph) -> tuple[int, int]:
    """Return (MACs, weights) of a chain without its all-zero pointwise filters, by hand."""
    total_macs = weights = 0
    lost = {}  # tensor -> dead channels, carried from node to node
    for n in graph.nodes:
        dead_in = lost.get(n.x, 0)
        lost[n.y] = dead_in
        if not hasattr(n, "weight"):
            continue
        weight = graph.constants[n.weight]
        if isinstance(n, DepthwiseConv2D):
            size = weight.size // weight.shape[-1] * (weight.shape[-1] - dead_in)
        elif isinstance(n, Conv2D):
            lost[n.y] = int((~weight.reshape(len(weight), -1).any(axis=1)).sum())
            rest = (len(weight) - lost[n.y]) * (weight.shape[-1] - dead_in)
            size = rest * weight.shape[1] * weight.shape[2]
        else:
            size = weight.size // weight.shape[1] * (weight.shape[1] - dead_in)
        weights += size
        total_macs += size * macs(graph, n) // weight.size
    return total_macs, weights


@pytest.mark.data
def test_person_detection_loses_half_its_multiplications(shared_data: Path) -> None:
    path = shared_data / "models/mlperf_tiny_ref/vww_96_int8.tflite"
    graph = frontend.load(path)
    assert zero_filters(optimize(graph, fold=False)) == (3_742_091, 29_580)
    after, savings = optimize_with_savings(graph)
    (found,) = (s for s in savings if s.name == FOLD)
    assert (found.macs_before, found.weights_before) == (7_489_664, 208_112)
    # Intervals find seven depthwise channels that always saturate, beside the zero filters.
    assert (found.macs_after, found.weights_after) == (3_727_313, 29_066)
    x = inputs(graph, 6)
    for name, values in run(graph, x).items():
        np.testing.assert_array_equal(values, run(after, x)[name])


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("mlperf_tiny_ref/kws_ref_model", (22_016, 22_016)),
        ("mlperf_tiny_ref/pretrainedResnet_quant", (77_360, 77_360)),
        ("tflm/micro_speech_quantized", (16_640, 16_640)),
        ("tflm/hello_world_int8", (288, 220)),
    ],
)
def test_published_models_keep_their_integers(
    shared_data: Path, name: str, weights: tuple[int, int]
) -> None:
    graph = frontend.load(shared_data / f"models/{name}.tflite")
    after, savings = optimize_with_savings(graph)
    (found,) = (s for s in savings if s.name == FOLD)
    assert (found.weights_before, found.weights_after) == weights
    x = inputs(graph, 6)
    for before, now in zip(run(graph, x).values(), run(after, x).values(), strict=True):
        np.testing.assert_array_equal(before, now)
