"""The text form and the digest."""

from dataclasses import replace

import numpy as np
from writers.random_graphs import GraphBuilder

from edgekit.ir.graph import Graph, Source
from edgekit.ir.text import digest, dump
from edgekit.ir.types import Padding


def sample() -> Graph:
    builder = GraphBuilder(4)
    x = builder.conv(builder.input(4, 4, 1), 2, (3, 3), padding=Padding(1, 1, 1, 1))
    builder.clamp(x, -10, 20)
    return builder.graph(builder.nodes[-1].y)


GOLDEN = """\
graph random_graph
input input_0: int8[4, 4, 1] source=int8[1, 4, 4, 1] scale=0.0625 zero_point=3  # source_input_0
constant bias_2: int32[2]
constant weight_1: int8[2, 3, 3, 1]
conv_3: int8[4, 4, 2] = Conv2D(input_0, weight_1, bias_2) stride=1,1 dilation=1,1 \
padding=1,1,1,1 input_zero_point=9 requant=(1411794723^-8,...x2 double zero_point=-36 \
clamp=-128,127)  # CONV conv_3
clamp_4: int8[4, 4, 2] = Clamp(conv_3) low=-10 high=20  # CLAMP clamp_4
output clamp_4: int8[4, 4, 2] source=int8[1, 4, 4, 2] scale=0.0625 zero_point=3  # source_clamp_4
"""


def test_dump_is_one_line_a_node():
    graph = sample()
    assert dump(graph) == GOLDEN


def test_digest_ignores_where_the_graph_came_from():
    graph = sample()
    moved = replace(
        graph,
        source=Source("onnx-qdq", "onnxruntime", "1" * 64),
        nodes=tuple(replace(node, label="elsewhere") for node in graph.nodes),
    )
    assert digest(moved) == digest(graph)
    assert len(digest(graph)) == 64


def test_digest_sees_every_integer():
    graph = sample()
    conv, clamp = graph.nodes
    weight = graph.constants["weight_1"].copy()
    weight[1, 2, 2, 0] ^= 1
    scale = conv.requant
    last = (*scale.multiplier[:-1], scale.multiplier[-1] + 1)
    edge = graph.inputs[0]
    others = [
        replace(graph, constants={**graph.constants, "weight_1": weight}),
        replace(graph, nodes=(conv, replace(clamp, high=21))),
        replace(graph, nodes=(replace(conv, requant=replace(scale, multiplier=last)), clamp)),
        replace(graph, nodes=(replace(conv, padding=Padding(1, 1, 0, 1)), clamp)),
        replace(graph, inputs=(replace(edge, zero_point=4),)),
        replace(graph, inputs=(replace(edge, transpose=(0, 2, 1, 3)),)),
        replace(graph, inputs=(replace(edge, source_dtype="uint8", source_offset=128),)),
        replace(graph, inputs=(replace(edge, rounding="half_even"),)),
        replace(graph, inputs=(replace(edge, scale=float(np.float32(0.0625 * (1 + 2**-23)))),)),
    ]
    digests = {digest(other) for other in (graph, *others)}
    assert len(digests) == 1 + len(others)
