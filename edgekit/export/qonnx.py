"""A graph as QONNX: float operators around MultiThreshold, executed by qonnx to equal integers.

Every activation is the float of its integer less the zero point that its reader subtracts, so
padding with 0 adds nothing, and sums below 2**24 are exact in float32. Images are channels first,
(1, C, H, W), whatever the source of the graph had.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.export import steps
from edgekit.export.onnx_nodes import OnnxNodes, channels_first
from edgekit.ir.graph import Graph
from edgekit.ir.interp.lowbit import step_of
from edgekit.ir.nodes import (
    Conv2D,
    Dense,
    DepthwiseConv2D,
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    MaxPool,
    Node,
    Reshape,
    Threshold,
    Weighted,
)
from edgekit.ir.ranges import accumulator_bounds, value_ranges
from edgekit.ir.types import DType

_DOMAIN = "qonnx.custom_op.general"
_OPSET = 13
_EXACT = 1 << 24
_PLAIN = (DType.TERNARY, DType.INT2, DType.INT4, DType.INT8)
_BITS = {DType.TERNARY: 2.0, DType.INT2: 2.0, DType.INT4: 4.0, DType.INT8: 8.0}


def write(graph: Graph, path: Path) -> None:
    """Write `graph` to a QONNX file.

    Raises:
        UnsupportedError: a node, edge or sum that QONNX cannot express exactly; names it.
    """
    path.write_bytes(model(graph).SerializeToString())


def model(graph: Graph) -> onnx.ModelProto:
    """Return `graph` as a QONNX model; raises as `write`."""
    return _Writer(graph).model()


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.out = OnnxNodes()
        self.ranges = value_ranges(graph)
        self.zero = _zero_points(graph)
        self.names: dict[str, str] = {}  # of the ONNX tensor that holds a tensor of the graph
        self.shapes: dict[str, tuple[int, ...]] = {}  # of the graph's tensor that it holds

    def model(self) -> onnx.ModelProto:
        if len(self.graph.inputs) != 1 or len(self.graph.outputs) != 1:
            raise UnsupportedError("a graph with one input and one output is wanted")
        source, shape = self._input()
        for node in self.graph.nodes:
            self._node(node)
        self._output()
        imports = [onnx.helper.make_opsetid("", _OPSET), onnx.helper.make_opsetid(_DOMAIN, 1)]
        return self.out.model(self.graph, source, shape, imports)

    def _input(self) -> tuple[str, tuple[int, ...]]:
        edge = self.graph.inputs[0]
        tensor = self.graph.tensors[edge.tensor]
        flat = len(tensor.shape) == 1
        shape = (
            edge.source_shape if flat and edge.transpose is None else channels_first(tensor.shape)
        )
        top = "x"
        if flat and len(shape) > 2:
            top = self.out.add("Flatten", [top])
        zero = self.zero.get(edge.tensor, 0)
        if edge.source_dtype == "float32":
            rows = steps.of_edge(edge)[np.newaxis]
            low = edge.lowest if edge.thresholds else edge.dtype.low
            top = self._thresholds(top, rows, edge.dtype, low - zero)
        else:
            top = self.out.add("Sub", [top, self.out.constant(float(edge.source_offset + zero))])
        self._define(edge.tensor, top)
        return "x", shape

    def _node(self, node: Node) -> None:
        match node:
            case LowBitConv2D() | LowBitDepthwiseConv2D() | LowBitDense():
                cell = 0 if isinstance(node, LowBitDense) else node.padding_value
                top = self._sum(node, cell)
                if node.thresholds is not None:
                    rows = self.graph.constants[node.thresholds]
                    top = self._step(node.y, top, rows, node.low)
            case Conv2D() | DepthwiseConv2D() | Dense():
                low, high = accumulator_bounds(self.graph, node, self.ranges)
                rows = steps.of_requant(node.requant, low, high)
                top = self._step(node.y, self._sum(node, 0), rows, node.requant.low)
            case Threshold():
                rows = self.graph.constants[node.thresholds]
                top = self._step(node.y, self.names[node.x], rows, node.low)
            case MaxPool():
                top = self._max_pool(node)
            case Reshape() if len(self.graph.tensors[node.y].shape) == 1:
                self.names[node.y], self.shapes[node.y] = self.names[node.x], self.shapes[node.x]
                return
            case _:
                raise _refuse(node, "sums, thresholds, max-pools and flattening reshapes are")
        self._define(node.y, top)

    def _sum(self, node: Weighted, cell: int) -> str:
        low, high = accumulator_bounds(self.graph, node, self.ranges)
        if max(abs(int(low.min())), abs(int(high.max()))) >= _EXACT:
            raise _refuse(node, "sums below 2**24 are")
        top, shape = self.names[node.x], self.shapes[node.x]
        weight, bias = self.graph.constants[node.weight], self.graph.constants[node.bias]
        dtype = self.graph.tensors[node.weight].dtype
        added = [self.out.constant(bias.astype(np.float32))] if bias.any() else []
        if isinstance(node, Dense | LowBitDense):
            if len(shape) == 3:
                top = self.out.add("Flatten", [top])
                weight = weight.reshape(-1, *shape).transpose(0, 3, 1, 2).reshape(len(weight), -1)
            return self.out.add("Gemm", [top, self._weights(weight, dtype), *added], transB=1)
        return self._convolution(node, [top, *added], weight, dtype, cell)

    def _convolution(
        self,
        node: Conv2D | DepthwiseConv2D | LowBitConv2D | LowBitDepthwiseConv2D,
        read: list[str],
        weight: NDArray[np.int64],
        dtype: DType,
        cell: int,
    ) -> str:
        top, *added = read
        p = node.padding
        pads = [p.top, p.left, p.bottom, p.right]
        if cell:
            around = np.array([0, 0, p.top, p.left, 0, 0, p.bottom, p.right], np.int64)
            value = self.out.constant(np.float32(cell))
            top = self.out.add("Pad", [top, self.out.constant(around), value])
            pads = [0, 0, 0, 0]
        group = 1
        if isinstance(node, DepthwiseConv2D | LowBitDepthwiseConv2D):
            group = self.shapes[node.x][2]
            shaped = weight.transpose(2, 0, 1)[:, np.newaxis]
        else:
            shaped = weight.transpose(0, 3, 1, 2)
        return self.out.add(
            "Conv",
            [top, self._weights(shaped, dtype), *added],
            kernel_shape=list(shaped.shape[2:]),
            strides=list(node.stride),
            dilations=list(node.dilation),
            pads=pads,
            group=group,
        )

    def _weights(self, weight: NDArray[np.int64], dtype: DType) -> str:
        values = self.out.constant(weight.astype(np.float32))
        one = self.out.constant(np.float32(1))
        if dtype is DType.BINARY:
            return self.out.add("BipolarQuant", [values, one], domain=_DOMAIN)
        bits = self.out.constant(np.float32(_BITS[dtype]))
        return self.out.add(
            "Quant",
            [values, one, self.out.constant(np.float32(0)), bits],
            domain=_DOMAIN,
            signed=1,
            narrow=int(dtype is DType.TERNARY),
            rounding_mode="ROUND",
        )

    def _step(self, y: str, top: str, rows: NDArray[np.int64], low: int) -> str:
        dtype = self.graph.tensors[y].dtype
        return self._thresholds(top, rows.astype(np.float32), dtype, low - self.zero.get(y, 0))

    def _thresholds(self, top: str, rows: NDArray[np.float32], dtype: DType, low: int) -> str:
        step = step_of(dtype)
        high = low + step * rows.shape[1]
        kind = "BIPOLAR" if dtype is DType.BINARY and low == -1 else _integer_type(low, high)
        return self.out.add(
            "MultiThreshold",
            [top, self.out.constant(rows)],
            domain=_DOMAIN,
            out_dtype=kind,
            out_scale=float(step),
            out_bias=float(low),
        )

    def _max_pool(self, node: MaxPool) -> str:
        low, high = self.ranges[node.x]
        if node.low > low or node.high < high:
            raise _refuse(node, "max-pools without a clamp are")
        p = node.padding
        return self.out.add(
            "MaxPool",
            [self.names[node.x]],
            kernel_shape=list(node.kernel),
            strides=list(node.stride),
            pads=[p.top, p.left, p.bottom, p.right],
        )

    def _output(self) -> None:
        edge = self.graph.outputs[0]
        top, shape = self.names[edge.tensor], self.shapes[edge.tensor]
        spread = (1, -1, 1, 1) if len(shape) == 3 else (1, -1)
        scale = np.array(edge.scale if edge.channel_scale is None else edge.channel_scale)
        if edge.source_dtype != "float32":
            raise UnsupportedError("an output of integers is not written; a float output is")
        if (scale != 1).any():
            factor = self.out.constant(scale.astype(np.float32).reshape(spread))
            top = self.out.add("Mul", [top, factor])
        if edge.channel_offset is not None and np.any(edge.channel_offset):
            offset = np.array(edge.channel_offset, np.float32).reshape(spread)
            top = self.out.add("Add", [top, self.out.constant(offset)])
        last = edge.host_ops[-1:]
        if last in (("softmax",), ("log_softmax",)):
            kind = "Softmax" if last == ("softmax",) else "LogSoftmax"
            top = self.out.add(kind, [top], axis=-1)
        self.out.finish(top, channels_first(shape))

    def _define(self, tensor: str, name: str) -> None:
        self.names[tensor], self.shapes[tensor] = name, self.graph.tensors[tensor].shape


def _zero_points(graph: Graph) -> dict[str, int]:
    """Return what the readers of each tensor subtract from it; the output edge is a reader."""
    found = {edge.tensor: edge.zero_point for edge in graph.outputs}
    for node in reversed(graph.nodes):
        match node:
            case (
                LowBitConv2D()
                | LowBitDepthwiseConv2D()
                | LowBitDense()
                | Conv2D()
                | DepthwiseConv2D()
                | Dense()
            ):
                value = node.input_zero_point
            case MaxPool() | Reshape():
                value = found.get(node.y, 0)
            case Threshold():
                value = 0
            case _:
                raise _refuse(node, "sums, thresholds, max-pools and flattening reshapes are")
        if found.setdefault(node.x, value) != value:
            raise _refuse(node, "activations whose readers subtract one zero point are")
    return found


def _integer_type(low: int, high: int) -> str:
    bits = next(b for b in range(2, 33) if -(1 << (b - 1)) <= low and high < 1 << (b - 1))
    return f"INT{bits}"


def _refuse(node: Node, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"{node.label}: {type(node).__name__} cannot be written as QONNX", hint=f"{what} written"
    )
