"""The folder that Vitis HLS or Vivado HLS is given: C++, a test bench with vectors, a script."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePosixPath

import numpy as np

from edgekit._data import data_dir
from edgekit.errors import UnsupportedError
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Reshape, inputs_of
from edgekit.ir.ranges import value_ranges
from edgekit.ir.types import DType
from edgekit.target.fpga.hls import text, wire
from edgekit.target.fpga.hls.layers import layer, type_of
from edgekit.target.fpga.hls.text import Activation, Program

INTERVAL_CYCLES = 4096  # 24,000 inferences a second at 100 MHz
_SAMPLES = 16


def generate(
    graph: Graph, *, interval_cycles: int = INTERVAL_CYCLES
) -> Mapping[PurePosixPath, bytes]:
    """Return the files of an HLS project of `graph`; the same graph gives the same bytes.

    Args:
        graph: a chain of low-bit layers with one input and one output.
        interval_cycles: clocks between two inferences that sums and pools are folded for.

    Raises:
        UnsupportedError: a node that has no HLS C++, a branch, or several inputs or outputs.
    """
    _check_chain(graph)
    program = _program(graph, interval_cycles)
    files = text.files(program) | _vectors(graph)
    for path in (data_dir("fpga") / "hls").iterdir():
        files[path.name] = path.read_text(encoding="utf-8")
    return {PurePosixPath(name): files[name].encode("utf-8") for name in sorted(files)}


def _program(graph: Graph, interval_cycles: int) -> Program:
    ranges = value_ranges(graph)
    layers = tuple(
        layer(graph, index, ranges, interval_cycles)
        for index, node in enumerate(graph.nodes)
        if not isinstance(node, Reshape)
    )
    arrays = _arrays(graph)
    lanes = dict.fromkeys(arrays.values(), 1)
    for each in layers:
        source, sink = arrays[inputs_of(each.node)[0]], arrays[each.node.y]
        lanes[source] = math.lcm(lanes[source], each.lanes_in)
        lanes[sink] = math.lcm(lanes[sink], each.lanes_out)
    activations = {}
    for tensor, array in reversed(arrays.items()):  # of a reshaped one the first name stays
        size = graph.tensors[tensor].size
        kind = type_of(graph, tensor, ranges)
        activations[array] = Activation(tensor, kind, size, min(lanes[array], size))
    return Program(graph, layers, arrays, dict(reversed(activations.items())))


def _arrays(graph: Graph) -> dict[str, str]:
    """Return the C++ array of each activation; a reshaped one is another name for the same."""
    arrays = {graph.inputs[0].tensor: "x"}
    for index, node in enumerate(graph.nodes):
        arrays[node.y] = arrays[node.x] if isinstance(node, Reshape) else f"y{index}"
    return arrays


def _check_chain(graph: Graph) -> None:
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UnsupportedError(
            f"the graph has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; HLS C++ "
            "is generated for one of each",
            hint="export the model with a single input and output",
        )
    last = graph.inputs[0].tensor
    for node in graph.nodes:
        if inputs_of(node) != (last,):
            raise UnsupportedError(
                f"{node.label}: it reads {', '.join(inputs_of(node))}; HLS C++ is generated for "
                f"a chain, where it reads {last}",
                hint="export a model without branches",
            )
        last = node.y
    if graph.outputs[0].tensor != last:
        raise UnsupportedError(
            f"the output is {graph.outputs[0].tensor}; the last node writes {last}",
            hint="drop what nobody reads: edgekit.passes.optimize does",
        )


def _vectors(graph: Graph) -> dict[str, str]:
    """Return a few inputs and what the graph makes of them."""
    source = graph.tensors[graph.inputs[0].tensor]
    sink = graph.tensors[graph.outputs[0].tensor]
    draw = np.random.RandomState(0)  # its numbers are the same in every release of numpy
    shape = (_SAMPLES, *source.shape)
    inputs = draw.randint(source.dtype.low, source.dtype.high + 1, shape, np.int64)
    if source.dtype is DType.BINARY:
        inputs = np.where(inputs > 0, 1, -1)
    outputs = interp.run(graph, {source.name: inputs})[sink.name]
    return {
        "input.hex": wire.to_hex(edges.to_bytes(source, inputs)),
        "expected.hex": wire.to_hex(edges.to_bytes(sink, outputs)),
    }
