"""An 8-bit graph as QDQ ONNX, which onnxruntime's integer kernels compute to equal integers.

Every activation has scale 1 and each weight the layer's whole scale, so that onnxruntime's own
`f32(f32(s_x * s_w) / s_y)` is the graph's float32 number again. Images are channels first.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from edgekit.errors import UnsupportedError
from edgekit.export import steps
from edgekit.export.onnx_nodes import OnnxNodes, channels_first
from edgekit.ir import ladder
from edgekit.ir.arithmetic import float32_value, requantize
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import AveragePool, Conv2D, Dense, DepthwiseConv2D, MaxPool, Node, Reshape
from edgekit.ir.ranges import accumulator_bounds, value_ranges
from edgekit.ir.types import DType, Edge, Requant, Rounding

_OPSET = 13
_ULPS = 4
_WRITTEN = "8-bit convolutions, dense layers, max-pools and means of whole images are written"


def write(graph: Graph, path: Path) -> None:
    """Write `graph` to a QDQ ONNX file.

    The input is float32 where the graph's edge rounds half to even, as QuantizeLinear does, and
    int8, the graph's own integers, elsewhere.

    Raises:
        UnsupportedError: a node or scale that the format cannot express exactly; names it.
    """
    path.write_bytes(model(graph).SerializeToString())


def model(graph: Graph) -> onnx.ModelProto:
    """Return `graph` as a QDQ model; raises as `write`."""
    return _Writer(graph).model()


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.out = OnnxNodes()
        self.ranges = value_ranges(graph)
        self.names: dict[str, str] = {}  # of the int8 tensor that holds a tensor of the graph
        self.shapes: dict[str, tuple[int, ...]] = {}

    def model(self) -> onnx.ModelProto:
        if len(self.graph.inputs) != 1 or len(self.graph.outputs) != 1:
            raise UnsupportedError("a graph with one input and one output is wanted")
        source, sink = self.graph.inputs[0], self.graph.outputs[0]
        for edge in (source, sink):
            if edge.dtype is not DType.INT8 or edge.thresholds or edge.channel_scale is not None:
                raise UnsupportedError(
                    f"{edge.source_name}: an edge of {edge.dtype.name} cannot be written as QDQ",
                    hint="write the graph as QONNX",
                )
        kind = self._input(source)
        for node in self.graph.nodes:
            self._node(node)
        self._output(sink)
        shape = channels_first(self.graph.tensors[source.tensor].shape)
        imports = [onnx.helper.make_opsetid("", _OPSET)]
        return self.out.model(self.graph, "x", shape, imports, kind)

    def _input(self, edge: Edge) -> int:
        top, kind = "x", onnx.TensorProto.INT8
        if edge.source_dtype == "float32" and edge.rounding == "half_even":
            top, kind = self._quantized("x", edge.scale, edge.zero_point), onnx.TensorProto.FLOAT
        self._define(edge.tensor, top)
        return int(kind)

    def _node(self, node: Node) -> None:
        match node:
            case Conv2D() | DepthwiseConv2D() | Dense():
                top = self._scaled(node)
            case MaxPool():
                p = node.padding
                top = self.out.add(
                    "MaxPool",
                    [self._real(node.x, 1.0, 0)],
                    kernel_shape=list(node.kernel),
                    strides=list(node.stride),
                    pads=[p.top, p.left, p.bottom, p.right],
                )
                top = self._limited(self._quantized(top, 1.0, 0), 0, node.low, node.high)
            case AveragePool():
                top = self._mean(node)
            case Reshape() if len(self.graph.tensors[node.y].shape) == 1:
                self.names[node.y], self.shapes[node.y] = self.names[node.x], self.shapes[node.x]
                return
            case _:
                raise _refuse(node, _WRITTEN)
        self._define(node.y, top)

    def _scaled(self, node: Conv2D | DepthwiseConv2D | Dense) -> str:
        if self.graph.tensors[node.x].dtype is not DType.INT8:
            raise _refuse(node, _WRITTEN)
        low, high = accumulator_bounds(self.graph, node, self.ranges)
        scale = _float32_scales(node, node.requant, low, high)
        weight, bias = self.graph.constants[node.weight], self.graph.constants[node.bias]
        shape = self.shapes[node.x]
        if isinstance(node, Dense):
            if len(shape) == 3:
                flat = self.out.constant(np.array([1, -1], np.int64))
                self.names[node.x] = self.out.add("Reshape", [self.names[node.x], flat])
                weight = weight.reshape(-1, *shape).transpose(0, 3, 1, 2).reshape(len(weight), -1)
            parts = self._weights(weight, bias, scale)
            top = self._real(node.x, 1.0, node.input_zero_point)
            top = self.out.add("Gemm", [top, *parts], transB=1)
        else:
            depthwise = isinstance(node, DepthwiseConv2D)
            order = weight.transpose(2, 0, 1)[:, np.newaxis] if depthwise else None
            weight = weight.transpose(0, 3, 1, 2) if order is None else order
            p = node.padding
            top = self._real(node.x, 1.0, node.input_zero_point)
            top = self.out.add(
                "Conv",
                [top, *self._weights(weight, bias, scale)],
                kernel_shape=list(weight.shape[2:]),
                strides=list(node.stride),
                dilations=list(node.dilation),
                pads=[p.top, p.left, p.bottom, p.right],
                group=shape[2] if depthwise else 1,
            )
        return self._finished(top, node.requant, low, high)

    def _finished(
        self, top: str, requant: Requant, low: NDArray[np.int64], high: NDArray[np.int64]
    ) -> str:
        """Return the int8 tensor of a scaled sum, clamped only if a sum reaches past the clamp."""
        top, r = self._quantized(top, 1.0, requant.zero_point), requant
        ends = requantize(np.stack([low, high]), replace(r, low=-128, high=127))
        if r.low <= ends.min() and ends.max() <= r.high:
            return top
        return self._limited(top, r.zero_point, r.low, r.high)

    def _weights(
        self, weight: NDArray[np.int64], bias: NDArray[np.int64], scale: NDArray[np.float32]
    ) -> list[str]:
        """Return dequantized weights and biases; a scale of 0 stands for weights of 0."""
        dead = scale == 0
        kept = np.where(dead.reshape(-1, *(1,) * (weight.ndim - 1)), 0, weight).astype(np.int8)
        factor = self.out.constant(np.where(dead, np.float32(1), scale).astype(np.float32))
        added = np.where(dead, 0, bias).astype(np.int32)
        parts = ((kept, np.int8), (added, np.int32))
        return [
            self.out.add(
                "DequantizeLinear",
                [
                    self.out.constant(values),
                    factor,
                    self.out.constant(np.zeros(len(values), kind)),
                ],
                axis=0,
            )
            for values, kind in parts
        ]

    def _mean(self, node: AveragePool) -> str:
        shape = self.shapes[node.x]
        if node.requant is None or node.kernel != shape[:2]:
            raise _refuse(node, _WRITTEN)
        count = np.float32(node.kernel[0] * node.kernel[1])
        low, high = accumulator_bounds(self.graph, node, self.ranges)
        wanted = _float32_scales(node, node.requant, low, high)[0]
        start = np.float32(wanted * count)
        scales = [np.float32(start + k * np.spacing(start)) for k in range(-_ULPS, _ULPS + 1)]
        found = next((each for each in scales if np.float32(each / count) == wanted), None)
        if found is None:
            raise _refuse(
                node, "means whose scale is a quotient by the number of cells are written"
            )
        real = self._real(node.x, float(found), node.input_zero_point)
        top = self.out.add("GlobalAveragePool", [real])
        return self._finished(top, node.requant, low, high)

    def _output(self, edge: Edge) -> None:
        shape = self.shapes[edge.tensor]
        if edge.source_dtype != "float32":
            self.out.finish(self.names[edge.tensor], channels_first(shape), onnx.TensorProto.INT8)
            return
        top = self._real(edge.tensor, edge.scale, edge.zero_point)
        last = edge.host_ops[-1:]
        if last in (("softmax",), ("log_softmax",)):
            top = self.out.add("Softmax" if last == ("softmax",) else "LogSoftmax", [top], axis=-1)
        self.out.finish(top, channels_first(shape))

    def _real(self, tensor: str, scale: float, zero_point: int) -> str:
        zero = self.out.constant(np.int8(zero_point))
        name = self.names[tensor]
        return self.out.add("DequantizeLinear", [name, self.out.constant(float(scale)), zero])

    def _quantized(self, top: str, scale: float, zero_point: int) -> str:
        zero = self.out.constant(np.int8(zero_point))
        return self.out.add("QuantizeLinear", [top, self.out.constant(float(scale)), zero])

    def _limited(self, top: str, zero_point: int, low: int, high: int) -> str:
        """Return the int8 tensor `top` clamped, in a step of its own where that does anything."""
        if low <= DType.INT8.low and high >= DType.INT8.high:
            return top
        ends = [self.out.constant(float(end - zero_point)) for end in (low, high)]
        scale, zero = self.out.constant(1.0), self.out.constant(np.int8(zero_point))
        real = self.out.add("DequantizeLinear", [top, scale, zero])
        return self._quantized(self.out.add("Clip", [real, *ends]), 1.0, zero_point)

    def _define(self, tensor: str, name: str) -> None:
        self.names[tensor], self.shapes[tensor] = name, self.graph.tensors[tensor].shape


def _float32_scales(
    node: Conv2D | DepthwiseConv2D | Dense | AveragePool,
    requant: Requant,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return float32 scales, one for each channel, that give the requant's integer for every sum.

    Raises:
        UnsupportedError: there is none within a few units of the last place; names the node.
    """
    count = low.size
    pairs = zip(requant.multiplier, requant.shift, strict=True)
    if requant.rounding is Rounding.FLOAT32_RNE:
        given = [float32_value(mantissa, exponent) for mantissa, exponent in pairs]
        return np.broadcast_to(np.array(given, np.float32), (count,))
    given = [np.float32(m * 2.0 ** (shift - 31)) for m, shift in pairs]
    start = np.broadcast_to(np.array(given, np.float32), (count,))
    wanted = steps.of_requant(requant, low, high)
    found, open_ = start.copy(), np.ones(count, bool)
    for ulps in sorted(range(-_ULPS, _ULPS + 1), key=abs):
        scale = (start + ulps * np.spacing(start)).astype(np.float32)

        def index(acc: NDArray[np.int64], scale: NDArray[np.float32] = scale) -> NDArray[np.int64]:
            whole = np.clip(np.rint(acc.astype(np.float32) * scale), -1024, 1024).astype(np.int64)
            limited = np.clip(whole + requant.zero_point, requant.low, requant.high)
            return np.asarray(limited - requant.low)

        rows = ladder.thresholds(index, low, high, requant.high - requant.low)
        good = (rows == wanted).all(axis=1) & open_
        found = np.where(good, scale, found)
        open_ &= ~good
    if open_.any():
        raise _refuse(node, "scales that a float32 product gives for every sum are written")
    return found


def _refuse(node: Node, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"{node.label}: {type(node).__name__} cannot be written as QDQ ONNX", hint=what
    )
