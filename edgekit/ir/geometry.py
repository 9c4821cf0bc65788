"""Shapes and multiply counts that follow from a node's parameters (SPEC section 4)."""

from __future__ import annotations

from edgekit.ir.graph import Graph
from edgekit.ir.nodes import (
    AveragePool,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    LowBitConv2D,
    LowBitDense,
    LowBitDepthwiseConv2D,
    MaxPool,
    Node,
    inputs_of,
)
from edgekit.ir.types import Padding

Shape = tuple[int, ...]
Windowed = Conv2D | DepthwiseConv2D | AveragePool | MaxPool | LowBitConv2D | LowBitDepthwiseConv2D


def window_shape(
    spatial: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: Padding,
) -> tuple[int, int]:
    """Return (out_h, out_w); an entry below 1 means that no window fits."""
    around = (padding.top + padding.bottom, padding.left + padding.right)
    height, width = (
        (spatial[axis] + around[axis] - (kernel[axis] - 1) * dilation[axis] - 1) // stride[axis] + 1
        for axis in (0, 1)
    )
    return height, width


def kernel_of(graph: Graph, node: Windowed) -> Shape:
    """Return (kernel_h, kernel_w) of a windowed node."""
    match node:
        case Conv2D() | LowBitConv2D():
            return graph.tensors[node.weight].shape[1:3]
        case DepthwiseConv2D() | LowBitDepthwiseConv2D():
            return graph.tensors[node.weight].shape[0:2]
        case AveragePool() | MaxPool():
            return node.kernel


def repeats(a: Shape, b: Shape) -> bool:
    """Say whether `b`, once leading axes of extent 1 are gone, is the shape of a's last axes."""
    while b and b[0] == 1:
        b = b[1:]
    return a[len(a) - len(b) :] == b


def padded_values(graph: Graph, node: Node) -> int:
    """Return the values that one sample of `node` needs at once: padded input or output."""
    out = graph.tensors[node.y].size
    match node:
        case (
            Conv2D()
            | DepthwiseConv2D()
            | AveragePool()
            | MaxPool()
            | LowBitConv2D()
            | LowBitDepthwiseConv2D()
        ):
            height, width, channels = graph.tensors[node.x].shape
            padding = node.padding
            if isinstance(node, DepthwiseConv2D | LowBitDepthwiseConv2D):
                channels = graph.tensors[node.y].shape[2]
            rows = height + padding.top + padding.bottom
            columns = width + padding.left + padding.right
            return max(out, rows * columns * channels)
        case _:
            return max(out, *(graph.tensors[name].size for name in inputs_of(node)))


def window_work(graph: Graph, node: Windowed) -> int:
    """Return the values that all windows of one sample read together."""
    height, width = kernel_of(graph, node)
    depth = graph.tensors[node.x].shape[2] if isinstance(node, Conv2D | LowBitConv2D) else 1
    return graph.tensors[node.y].size * height * width * depth


def macs(graph: Graph, node: Node) -> int:
    """Return multiply-accumulates of one inference, padded cells counted; 0 without weights."""
    match node:
        case Conv2D() | DepthwiseConv2D() | LowBitConv2D() | LowBitDepthwiseConv2D():
            return window_work(graph, node)
        case Dense() | LowBitDense():
            return graph.tensors[node.weight].size
        case _:
            return 0
