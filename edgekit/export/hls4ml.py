"""Dense networks as hls4ml projects, in the one form that hls4ml 1.3.0 computes exactly.

Every weight is a `Quant`, binary ones too, and every hidden activation a `BipolarQuant`. Why not
`BipolarQuant` weights: hls4ml folds a batch norm and a sign into thresholds, and its pass
`quantize_dense_output` then quantizes the next layer's weights a second time; what was stored as
0 and 1 becomes 1 throughout. An activation of several levels is written as a sign a threshold.

Nodes before the first sum encode the input: the host runs them, and the project takes what they
give.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.export.onnx_nodes import OnnxNodes
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import LowBitDense, Node, Reshape, Threshold
from edgekit.ir.ranges import accumulator_bounds, value_ranges
from edgekit.ir.types import DType, Edge

Ints = NDArray[np.int64]

_DOMAIN = "qonnx.custom_op.general"
_OPSET = 13
_BITS = {
    DType.BINARY: 2.0,
    DType.TERNARY: 2.0,
    DType.INT2: 2.0,
    DType.INT4: 4.0,
    DType.INT8: 8.0,
}
_NARROW = (DType.BINARY, DType.TERNARY)
_FRACTION_BITS = 2  # thresholds lie between integers, scores may be halves
_MOST_BITS = 24  # float32, in which hls4ml keeps weights and biases, holds such integers


@dataclass(frozen=True, slots=True, eq=False)
class Project:
    """What hls4ml is given, and what the host does before.

    `precision` is of the form `fixed<bits, integer bits>` and holds every sum and threshold.
    """

    encoder: Graph | None  # from the graph's input to the project's; None: they are the same
    model: onnx.ModelProto
    precision: str


@dataclass(frozen=True, slots=True, eq=False)
class _Features:
    """Activations as the project holds them: factor * y[c] = added + sum of its `levels` features.

    Feature c of level l has index `l * channels + c`.
    """

    name: str
    levels: int
    factor: int
    added: int


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Sums of features: factor * y[c] = column c + added[c]."""

    read: _Features
    node: LowBitDense
    added: Ints

    @property
    def factor(self) -> int:
        return self.read.factor


def project(graph: Graph) -> Project:
    """Return `graph` for hls4ml.

    Args:
        graph: nodes that encode the input, then dense layers with thresholds between them.

    Raises:
        UnsupportedError: no dense layer, another node behind one, or sums beyond 22 bits.
    """
    first = next((k for k, n in enumerate(graph.nodes) if isinstance(n, LowBitDense)), None)
    if first is None or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UnsupportedError(
            f"{graph.name}: hls4ml projects are written for one input, dense layers of few bits "
            "and one output",
            hint="the HLS C++ of edgekit takes convolutions and look-up tables too",
        )
    source = graph.tensors[graph.nodes[first].x]  # type: ignore[union-attr]
    writer = _Writer(graph, source.name)
    for node in graph.nodes[first:]:
        writer.add(node)
    writer.finish()
    encoder = None
    if source.name != graph.inputs[0].tensor:
        edge = Edge(source.name, "x", (1, *source.shape), "float32", 1.0, 0, dtype=source.dtype)
        encoder = replace(graph, nodes=graph.nodes[:first], outputs=(edge,))
    imports = [onnx.helper.make_opsetid("", _OPSET), onnx.helper.make_opsetid(_DOMAIN, 1)]
    model = writer.out.model(graph, "x", (1, source.size), imports)
    return Project(encoder, model, writer.precision())


class _Writer:
    def __init__(self, graph: Graph, source: str) -> None:
        self.graph = graph
        self.out = OnnxNodes()
        self.ranges = value_ranges(graph)
        self.tensor = source
        self.top: _Features | _Sums = _Features("x", levels=1, factor=1, added=0)
        self.largest = max(abs(end) for end in self.ranges[source])

    def add(self, node: Node) -> None:
        match node:
            case LowBitDense() if node.x == self.tensor:
                self._sum(node)
                if node.thresholds is not None:
                    self._step(node, node.thresholds, node.low)
            case Threshold() if node.x == self.tensor and isinstance(self.top, _Sums):
                self._step(node, node.thresholds, node.low)
            case Reshape() if node.x == self.tensor:
                pass
            case _:
                raise UnsupportedError(
                    f"{node.label}: {type(node).__name__} cannot be written for hls4ml",
                    hint="a chain of dense layers of few bits with thresholds between them can; "
                    "the HLS C++ of edgekit takes the other low-bit layers too",
                )
        self.tensor = node.y

    def finish(self) -> None:
        """Write the scores."""
        if isinstance(self.top, _Features):
            raise UnsupportedError(
                f"{self.graph.name} ends in thresholds; hls4ml projects end in the sums of a layer",
                hint="export the model with its scores as output",
            )
        factor, added = self.top.factor, self.top.added
        scores = self._affine(self._columns(self.top, 1), 1 / factor, added / factor)
        self.out.finish(scores, (1, len(added)))

    def precision(self) -> str:
        """Return a type that holds all that was added up, and as much again."""
        bits = self.largest.bit_length() + 2
        if bits > _MOST_BITS - _FRACTION_BITS:
            raise UnsupportedError(
                f"{self.graph.name}: sums and thresholds reach {self.largest}; hls4ml projects "
                f"are written for {_MOST_BITS - _FRACTION_BITS} bits",
            )
        return f"fixed<{bits + _FRACTION_BITS},{bits}>"

    def _sum(self, node: LowBitDense) -> None:
        read = self.top if isinstance(self.top, _Features) else self._of_sums(self.top)
        weight, bias = self.graph.constants[node.weight], self.graph.constants[node.bias]
        per_weight = read.added - read.factor * node.input_zero_point
        added = read.factor * bias + per_weight * weight.sum(axis=1)
        low, high = accumulator_bounds(self.graph, node, self.ranges)
        ends = np.stack([read.factor * low, read.factor * high])
        self.largest = max(self.largest, int(np.abs(ends).max() + np.abs(added).max()))
        self.top = _Sums(read, node, added)

    def _of_sums(self, sums: _Sums) -> _Features:
        """Return sums that the next layer reads as they are."""
        name = self._affine(self._columns(sums, 1), 1.0, sums.added.astype(np.float64))
        return _Features(name, 1, sums.factor, 0)

    def _step(self, node: LowBitDense | Threshold, constant: str, low: int) -> None:
        sums = self.top
        assert isinstance(sums, _Sums)
        least, most = accumulator_bounds(self.graph, sums.node, self.ranges)
        # No further away than sums reach: never passed stays never passed.
        rows = np.clip(self.graph.constants[constant], int(least.min()), int(most.max()) + 1)
        rows = np.broadcast_to(rows, (len(sums.added), rows.shape[1]))
        self.largest = max(self.largest, int(np.abs(rows).max()) * sums.factor)
        # sum >= threshold, moved between the integers: nothing is ever compared with itself.
        moved = (sums.added[:, np.newaxis] - sums.factor * rows).T + 0.5
        levels = rows.shape[1]
        top = self._affine(self._columns(sums, levels), 1.0, moved.reshape(-1))
        one = self.out.constant(np.float32(1))
        name = self.out.add("BipolarQuant", [top, one], domain=_DOMAIN)
        if self.graph.tensors[node.y].dtype is DType.BINARY:
            self.top = _Features(name, 1, 1, 0)
        else:
            self.top = _Features(name, levels, 2, 2 * low + levels)

    def _columns(self, sums: _Sums, copies: int) -> str:
        """Return the sums of features, each `copies` times."""
        weight = self.graph.constants[sums.node.weight]
        dtype = self.graph.tensors[sums.node.weight].dtype
        values = np.tile(weight, (copies, sums.read.levels)).T.astype(np.float32)
        scalars = (np.float32(1), np.float32(0), np.float32(_BITS[dtype]))
        quantized = self.out.add(
            "Quant",
            [self.out.constant(values), *(self.out.constant(each) for each in scalars)],
            domain=_DOMAIN,
            signed=1,
            narrow=int(dtype in _NARROW),
            rounding_mode="ROUND",
        )
        return self.out.add("MatMul", [sums.read.name, quantized])

    def _affine(self, top: str, scale: float, bias: NDArray[np.float64]) -> str:
        size = len(bias)
        columns = (np.full(size, scale), bias, np.zeros(size), np.ones(size))
        constants = [self.out.constant(each.astype(np.float32)) for each in columns]
        return self.out.add("BatchNormalization", [top, *constants], epsilon=0.0)
