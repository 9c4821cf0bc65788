"""Graphs to hard-wire, and their circuits run on wire bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from writers.random_binary import RESULTS, BinaryBuilder

from edgekit.ir.edges import from_bytes, to_bytes
from edgekit.ir.graph import Graph
from edgekit.ir.lowbit import GroupCount, LutLayer
from edgekit.ir.types import DType, Padding
from edgekit.target.fpga.hardwired import circuit_of
from edgekit.target.fpga.hardwired.circuit import Circuit
from edgekit.target.fpga.hardwired.evaluate import evaluate

Ints = NDArray[np.int64]


def run_circuit(graph: Graph, circuit: Circuit, x: Ints) -> Ints:
    """Return the outputs [samples, *shape] of `circuit`, by way of wire bytes."""
    source = graph.tensors[graph.inputs[0].tensor]
    result = graph.tensors[graph.outputs[0].tensor]
    wire = to_bytes(source, x).view(np.uint8)
    bits = evaluate(circuit, np.unpackbits(wire, axis=1, bitorder="little"))
    out = np.packbits(bits, axis=1, bitorder="little")
    return from_bytes(result, out.view(np.int8)).reshape(-1, *result.shape)


def equal_to_interp(graph: Graph, x: Ints) -> Ints:
    """Return what the hard-wired circuit answers."""
    return run_circuit(graph, circuit_of(graph), x)


class WeightsOfManyKinds(BinaryBuilder):
    """Sparse ternary weights, and weights of several bits."""

    def _bits_and_bias(self, shape: tuple[int, ...], channels: int) -> tuple[str, str]:
        if self.seed % 3 == 0:
            return super()._bits_and_bias(shape, channels)
        limit = 1 if self.seed % 3 == 1 else 6
        values = self.rng.integers(-limit, limit + 1, shape)
        values *= self.rng.random(shape) < 0.6
        dtype = DType.TERNARY if limit == 1 else DType.INT8
        weight = self.constant("weight", values, dtype)
        bias = self.constant("bias", self.rng.integers(-9, 10, channels), DType.INT32)
        return weight, bias


def _result(builder: BinaryBuilder) -> DType:
    return RESULTS[builder.seed % 5]


def dense(builder: BinaryBuilder) -> str:
    x = builder.binary_dense(builder.bits(int(builder.rng.integers(3, 50))), 12)
    return builder.binary_dense(x, 5, _result(builder))


def dense_of_bytes(builder: BinaryBuilder) -> str:
    x = builder.binary_dense(builder.bytes(6), 8, DType.INT4)
    return builder.binary_dense(x, 4, _result(builder))


def convolution(builder: BinaryBuilder) -> str:
    around = Padding(1, 0, 1, 1)
    x = builder.binary_conv(
        builder.bits(5, 4, 2), 3, (3, 2), padding=around, padding_value=builder.seed % 3 - 1
    )
    x = builder.max_of_bits(x, (2, 2), (2, 1), Padding(0, 1, 1, 0))
    x = builder.binary_conv(x, 2, (2, 2), dilation=(1, 1), depthwise=True)
    return builder.binary_dense(builder.reshape(x, builder.tensors[x].size), 3, _result(builder))


def thermometer(builder: BinaryBuilder) -> str:
    x = builder.thermometer(builder.bytes(3, 2), 3, shared=bool(builder.seed % 2))
    return builder.binary_dense(x, 6, _result(builder))


def steps(builder: BinaryBuilder) -> str:
    x = builder.threshold(builder.bytes(2, 5), DType.INT4, shared=bool(builder.seed % 2))
    return builder.threshold(builder.binary_dense(x, 6, DType.INT16), DType.BINARY, shared=False)


def largest_of_sums(builder: BinaryBuilder) -> str:
    x = builder.binary_conv(
        builder.bits(4, 3, 2), 3, (2, 2), padding=Padding(1, 1, 0, 0), result=DType.INT16
    )
    return builder.max_of_bits(x, (2, 2), (2, 2), Padding())


def tables(builder: BinaryBuilder) -> str:
    x, inputs = builder.bits(40), 40
    for nodes, fan_in in ((30, 4), (24, 6 if builder.seed % 2 else 3)):
        connections = builder.rng.integers(0, inputs, (nodes, fan_in))
        table = builder.rng.choice([-1, 1], (nodes, 1 << fan_in))
        y = builder._tensor("nodes", (nodes,), DType.BINARY)
        named = (
            builder.constant("connections", connections, DType.INT16),
            builder.constant("tables", table, DType.BINARY),
        )
        x, inputs = builder.append(LutLayer(f"NODES {y}", x, y, *named)), nodes
    y = builder._tensor("count", (4,), DType.INT16)
    return builder.append(GroupCount(f"COUNT {y}", x, y))


CASES: tuple[Callable[[BinaryBuilder], str], ...] = (
    dense,
    dense_of_bytes,
    convolution,
    thermometer,
    steps,
    largest_of_sums,
    tables,
)


def case_graph(case: Callable[[BinaryBuilder], str], seed: int) -> tuple[Graph, Ints, Ints]:
    """Return a random graph, inputs and the outputs of `interp`."""
    builder = WeightsOfManyKinds(seed, samples=40)
    y = case(builder)
    graph = builder.graph(y)
    return graph, builder.values[graph.inputs[0].tensor], builder.values[y]
