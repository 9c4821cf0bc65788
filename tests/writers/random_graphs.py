"""Small random integer graphs, aimed so that results spread over int8 instead of saturating."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from writers.random_moves import Moves

from edgekit.ir.arithmetic import float32_scale, quantize_multiplier, softmax_table
from edgekit.ir.geometry import window_shape
from edgekit.ir.graph import Graph, Source
from edgekit.ir.interp import evaluate
from edgekit.ir.interp.conv2d import conv2d_accumulators
from edgekit.ir.interp.dense import dense_accumulators
from edgekit.ir.interp.depthwise_conv2d import depthwise_accumulators
from edgekit.ir.nodes import (
    Add,
    AveragePool,
    Clamp,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    MaxPool,
    Node,
    Pad,
    Requantize,
    Reshape,
    Rows,
    Softmax,
    Stack,
)
from edgekit.ir.types import DType, Edge, Padding, Requant, Rounding, Tensor

Ints = NDArray[np.int64]
UNIT = Requant((1 << 30,), (1,), 0, -128, 127, Rounding.DOUBLE)


@dataclass
class GraphBuilder(Moves):
    """Grows a graph node by node while it runs `samples` random inputs through it."""

    seed: int
    rounding: Rounding = Rounding.DOUBLE
    samples: int = 4
    dead: float = 0.0  # share of filters, and of input channels of a layer, that are all zero
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    constants: dict[str, Ints] = field(default_factory=dict)
    values: dict[str, Ints] = field(default_factory=dict)
    inputs: list[Edge] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def input(self, *shape: int) -> str:
        name = self._tensor("input", shape)
        self.inputs.append(self._edge(name))
        dtype = self.tensors[name].dtype
        self.values[name] = self.rng.integers(dtype.low, dtype.high + 1, (self.samples, *shape))
        return name

    def constant(self, name: str, value: Ints, dtype: DType) -> str:
        name = self._tensor(name, value.shape, dtype)
        value = value.astype(np.int64)
        value.setflags(write=False)
        self.constants[name] = value
        return name

    def conv(
        self,
        x: str,
        channels: int,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: Padding | None = None,
        depthwise: bool = False,
    ) -> str:
        """Append a convolution; `channels` is the multiplier of a depthwise one."""
        source = self.tensors[x].shape
        padding = padding if padding is not None else Padding()
        if depthwise:
            channels *= source[2]
            shape: tuple[int, ...] = (*kernel, channels)
        else:
            shape = (channels, *kernel, source[2])
        weight, bias = self._weights(shape, channels)
        size = window_shape((source[0], source[1]), kernel, stride, dilation, padding)
        y = self._tensor("conv", (*size, channels))
        kind = DepthwiseConv2D if depthwise else Conv2D
        zero = self.zero_of(x)
        node = kind(f"CONV {y}", x, y, weight, bias, stride, dilation, padding, zero, UNIT)
        measure = depthwise_accumulators if depthwise else conv2d_accumulators
        arrays = self.values[x], self.constants[weight], self.constants[bias]
        acc = measure(node, *arrays)  # type: ignore[arg-type]
        requant = self.requant(acc, channels)
        return self.append(
            kind(f"CONV {y}", x, y, weight, bias, stride, dilation, padding, zero, requant)
        )

    def dense(self, x: str, outputs: int) -> str:
        weight, bias = self._weights((outputs, self.tensors[x].size), outputs)
        y = self._tensor("dense", (outputs,))
        zero = self.zero_of(x)
        node = Dense(f"DENSE {y}", x, y, weight, bias, zero, UNIT)
        acc = dense_accumulators(node, self.values[x], self.constants[weight], self.constants[bias])
        return self.append(
            Dense(f"DENSE {y}", x, y, weight, bias, zero, self.requant(acc, outputs))
        )

    def add(self, a: str, b: str, *, subtract: bool = False) -> str:
        y = self._tensor("add", self.tensors[a].shape)
        scale_a, scale_b = self.rng.uniform(0.2, 0.9, 2)
        if self.rounding is Rounding.FLOAT32_RNE:
            low, high = self._limits()
            scales = [float32_scale(np.float32(s)) for s in (scale_a, scale_b)]
            # uint8 sources: q + 128 is multiplied, so the addend takes the mean back.
            mean = 128.0 * float(scale_a + scale_b) - 128.0
            addend = float32_scale(np.float32(self.rng.uniform(-20, 20) - mean))
            requant = Requant((addend[0],), (addend[1],), -128, low, high, self.rounding)
            return self.append(Add(f"ADD {y}", a, b, y, -128, -128, 0, *scales, requant))
        top = 2 * max(scale_a, scale_b)
        pair = [quantize_multiplier(scale / top) for scale in (scale_a, scale_b)]
        out = quantize_multiplier(top / 2**20)
        low, high = self._limits()
        requant = Requant((out[0],), (out[1],), self.zero(), low, high, self.rounding)
        zeros = self.zero(), self.zero()
        return self.append(Add(f"ADD {y}", a, b, y, *zeros, 20, *pair, requant, subtract))

    def average_pool(
        self,
        x: str,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        padding: Padding | None = None,
    ) -> str:
        source = self.tensors[x].shape
        padding = padding if padding is not None else Padding()
        size = window_shape((source[0], source[1]), kernel, stride, (1, 1), padding)
        y = self._tensor("mean", (*size, source[2]))
        low, high = self._limits()
        requant, zero = None, 0
        if self.rounding is Rounding.FLOAT32_RNE and padding == Padding():
            zero = self.zero()
            pair = float32_scale(np.float32(self.rng.uniform(0.7, 1.4) / (kernel[0] * kernel[1])))
            requant = Requant((pair[0],), (pair[1],), self.zero(), low, high, self.rounding)
        return self.append(
            AveragePool(f"MEAN {y}", x, y, kernel, stride, padding, zero, low, high, requant)
        )

    def max_pool(
        self,
        x: str,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        padding: Padding | None = None,
    ) -> str:
        source = self.tensors[x].shape
        padding = padding if padding is not None else Padding()
        size = window_shape((source[0], source[1]), kernel, stride, (1, 1), padding)
        y = self._tensor("max", (*size, source[2]))
        return self.append(MaxPool(f"MAX {y}", x, y, kernel, stride, padding, *self._limits()))

    def pad(
        self, x: str, before: tuple[int, ...], after: tuple[int, ...], value: int | None = None
    ) -> str:
        shape = tuple(
            extent + low + high
            for extent, low, high in zip(self.tensors[x].shape, before, after, strict=True)
        )
        y = self._tensor("pad", shape)
        value = self.zero() if value is None else value
        return self.append(Pad(f"PAD {y}", x, y, before, after, value))

    def reshape(self, x: str, *shape: int) -> str:
        y = self._tensor("flat", shape)
        return self.append(Reshape(f"RESHAPE {y}", x, y))

    def rows(self, x: str, first: int, count: int) -> str:
        y = self._tensor("rows", (count, *self.tensors[x].shape[1:]))
        return self.append(Rows(f"ROWS {y}", x, y, first))

    def stack(self, *parts: str) -> str:
        height = sum(self.tensors[name].shape[0] for name in parts)
        y = self._tensor("stack", (height, *self.tensors[parts[0]].shape[1:]))
        return self.append(Stack(f"STACK {y}", parts, y))

    def clamp(self, x: str, low: int | None = None, high: int | None = None) -> str:
        y = self._tensor("clamp", self.tensors[x].shape)
        drawn = self._limits()
        limits = (drawn[0] if low is None else low, drawn[1] if high is None else high)
        return self.append(Clamp(f"CLAMP {y}", x, y, *limits))

    def requantize(self, x: str) -> str:
        y = self._tensor("requant", self.tensors[x].shape)
        zero = self.zero()
        requant = self.requant(self.values[x] - zero, 1)
        return self.append(Requantize(f"REQUANT {y}", x, y, zero, requant))

    def softmax(self, x: str, scale: float = 0.08) -> str:
        table = self.constant("table", softmax_table(1.0, scale), DType.INT32)
        y = self._tensor("softmax", self.tensors[x].shape)
        return self.append(Softmax(f"SOFTMAX {y}", x, y, table))

    def append(self, node: Node) -> str:
        self.nodes.append(node)
        self.values[node.y] = evaluate(self.graph(node.y), node, self.values)
        return node.y

    def graph(self, *outputs: str) -> Graph:
        """Return the graph with the given output tensors."""
        return Graph(
            name="random_graph",
            source=Source("edgekit", "none", "0" * 64),
            inputs=tuple(self.inputs),
            outputs=tuple(self._edge(name) for name in outputs),
            nodes=tuple(self.nodes),
            tensors=dict(self.tensors),
            constants=dict(self.constants),
        )

    def _edge(self, name: str) -> Edge:
        tensor = self.tensors[name]
        if tensor.dtype is DType.INT8:
            return edge(name, tensor.shape)
        return Edge(name, name, (1, *tensor.shape), "int16", 0.0625, 0, dtype=tensor.dtype)

    def zero(self) -> int:
        return int(self.rng.integers(-128, 128))

    def zero_of(self, x: str) -> int:
        """Return a zero point for a layer that reads `x`: at times what a channel always is."""
        if self.dead and self.rng.random() < 0.5:
            values = self.values[x].reshape(-1, self.tensors[x].shape[-1])
            fixed = np.flatnonzero((values == values[0]).all(axis=0))
            if fixed.size:
                return int(values[0, self.rng.choice(fixed)])
        return self.zero()

    def requant(self, acc: Ints, channels: int) -> Requant:
        """Return a requant whose results spread over int8, ties included."""
        count = channels if self.rng.random() < 0.7 else 1
        spread = max(float(acc.std()), 1.0)
        pairs = []
        for _ in range(count):
            real = float(self.rng.uniform(20, 70)) / spread
            if self.rounding is Rounding.FLOAT32_RNE:
                pairs.append(float32_scale(np.float32(real)))
            else:
                pairs.append(quantize_multiplier(real))
        middle = float(np.median(acc)) * real
        zero = int(np.clip(self.rng.integers(-60, 60) - middle, -128, 127))
        multipliers, shifts = zip(*pairs, strict=True)
        return Requant(multipliers, shifts, zero, *self._limits(), self.rounding)

    def _limits(self) -> tuple[int, int]:
        if self.rng.random() < 0.5:
            return -128, 127
        return int(self.rng.integers(-128, -40)), int(self.rng.integers(40, 128))

    def _weights(self, shape: tuple[int, ...], channels: int) -> tuple[str, str]:
        drawn = self.rng.integers(-127, 128, shape)
        if self.dead:
            filters = np.moveaxis(drawn, -1 if len(shape) == 3 else 0, 0)
            filters[self.rng.random(channels) < self.dead] = 0
            if len(shape) != 3:
                drawn[..., self.rng.random(shape[-1]) < self.dead / 2] = 0
        weight = self.constant("weight", drawn, DType.INT8)
        bias = self.constant("bias", self.rng.integers(-2000, 2000, channels), DType.INT32)
        return weight, bias

    def _tensor(self, stem: str, shape: tuple[int, ...], dtype: DType = DType.INT8) -> str:
        name = f"{stem}_{len(self.tensors)}"
        self.tensors[name] = Tensor(name, shape, dtype)
        return name


def edge(name: str, shape: tuple[int, ...]) -> Edge:
    """Return an int8 edge of `shape` at scale 1/16."""
    return Edge(name, f"source_{name}", (1, *shape), "int8", 0.0625, 3)


def random_graph(
    seed: int, rounding: Rounding = Rounding.DOUBLE, nodes: int = 8, dead: float = 0.0
) -> GraphBuilder:
    """Return a builder holding a random graph of at most about `nodes` nodes, all kinds mixed.

    The last node's tensor is the natural output: `builder.graph(builder.nodes[-1].y)`.
    """
    builder = GraphBuilder(seed, rounding, dead=dead)
    rng = np.random.default_rng(seed + 1_000_003)
    height, width, depth = (int(v) for v in rng.integers(5, 10, 3) - (0, 0, 4))
    alive = [builder.input(height, width, depth)]
    for _ in range(nodes - 3):
        x = alive[int(rng.integers(max(len(alive) - 2, 0), len(alive)))]
        alive.append(_random_node(builder, rng, x, alive))
    x = builder.reshape(alive[-1], builder.tensors[alive[-1]].size)
    x = builder.dense(x, int(rng.integers(2, 12)))
    if rng.random() < 0.6:
        builder.softmax(x)
    return builder


def _random_node(builder: GraphBuilder, rng: np.random.Generator, x: str, alive: list[str]) -> str:
    shape = builder.tensors[x].shape
    kernel = tuple(int(v) for v in rng.integers(1, 1 + np.minimum(4, shape[:2])))
    stride = tuple(int(v) for v in rng.integers(1, 3, 2))
    padding = Padding(*(int(rng.integers(0, max(k, 1))) for k in (*kernel, *kernel)))
    same = [name for name in alive if builder.tensors[name].shape == shape]
    kind = int(rng.integers(0, 13))
    pair = (kernel[0], kernel[1]), (stride[0], stride[1])
    match kind:
        case 0 | 1:
            return builder.conv(x, int(rng.integers(1, 7)), *pair, padding=padding)
        case 2:
            return builder.conv(x, int(rng.integers(1, 3)), *pair, padding=padding, depthwise=True)
        case 3:
            minus = builder.rounding is not Rounding.FLOAT32_RNE and rng.random() < 0.3
            return builder.add(x, same[int(rng.integers(0, len(same)))], subtract=minus)
        case 4:
            inner = padding if rng.random() < 0.5 else Padding()
            return builder.average_pool(x, *pair, padding=inner)
        case 5:
            return builder.max_pool(x, *pair, padding=padding)
        case 6:
            sides = [tuple(int(v) for v in rng.integers(0, 2, 3)) for _ in range(2)]
            padded = builder.pad(x, sides[0], sides[1])
            return builder.conv(padded, 3, (1, 1))
        case 7:
            return builder.clamp(x)
        case 8:
            return builder.requantize(x)
        case _:
            return builder.move(x, same[int(rng.integers(0, len(same)))])
