"""The checker's part for windows and weights: convolutions and pools."""

from __future__ import annotations

from edgekit.ir.check_moves import fail, want
from edgekit.ir.geometry import Windowed, kernel_of, padded_values, window_shape, window_work
from edgekit.ir.graph import Graph
from edgekit.ir.interp.window import valid_cells
from edgekit.ir.nodes import (
    AveragePool,
    Conv2D,
    DepthwiseConv2D,
    LowBitConv2D,
    LowBitDepthwiseConv2D,
    MaxPool,
    Weighted,
)
from edgekit.ir.types import DType

Shape = tuple[int, ...]

_MOST_VALUES = 1 << 24
_MOST_WORK = 1 << 34


def check_window(graph: Graph, node: Windowed) -> None:
    """Check shapes, window, weights and work of a convolution or pool.

    Raises:
        UnsupportedError: naming the node, what was found and what is wanted.
    """
    source, shape = graph.tensors[node.x].shape, graph.tensors[node.y].shape
    if len(source) != 3 or len(shape) != 3:
        fail(node, f"shapes {source} and {shape}; (H, W, C) is wanted")
    channels = shape[2]
    if isinstance(node, Conv2D | LowBitConv2D):
        kernel = _window_of(graph, node, 4)
        check_weights(graph, node, (channels, *kernel, source[2]), channels)
    elif isinstance(node, DepthwiseConv2D | LowBitDepthwiseConv2D):
        kernel = _window_of(graph, node, 3)
        check_weights(graph, node, (*kernel, channels), channels)
        if channels % source[2]:
            fail(node, f"{channels} output channels are no multiple of {source[2]} input channels")
    else:
        kernel = node.kernel
        want(node, "channels", channels, source[2])
    dilation = (1, 1) if isinstance(node, AveragePool | MaxPool) else node.dilation
    padding = node.padding
    edges = (padding.top, padding.left, padding.bottom, padding.right)
    if min(*kernel, *node.stride, *dilation) < 1 or min(edges) < 0:
        fail(
            node,
            f"kernel {kernel}, stride {node.stride}, dilation {dilation}, padding {edges}; "
            "at least 1, 1, 1 and 0 are wanted",
        )
    wanted = window_shape((source[0], source[1]), kernel, node.stride, dilation, padding)
    if min(wanted) < 1:
        fail(node, f"no {kernel} window with dilation {dilation} fits into {source}")
    want(node, "output shape", shape, (*wanted, channels))
    _check_effort(graph, node)
    if isinstance(node, AveragePool | MaxPool):
        _check_cells(node, source)


def _check_effort(graph: Graph, node: Windowed) -> None:
    # Far above any microcontroller model: what is stopped here would take hours or all memory.
    values, work = padded_values(graph, node), window_work(graph, node)
    if values > _MOST_VALUES:
        fail(node, f"its padded input holds {values} values; at most {_MOST_VALUES} is wanted")
    if work > _MOST_WORK:
        fail(node, f"its windows read {work} values; at most {_MOST_WORK} is wanted")


def _window_of(graph: Graph, node: Windowed, rank: int) -> tuple[int, int]:
    assert isinstance(node, Weighted)  # a pool states its kernel itself
    shape = graph.tensors[node.weight].shape
    if len(shape) != rank:
        fail(node, f"weight shape {shape}; {rank} axes are wanted")
    height, width = kernel_of(graph, node)
    return height, width


def _check_cells(node: AveragePool | MaxPool, source: Shape) -> None:
    cells = valid_cells(source[0], source[1], node.kernel, node.stride, node.padding)
    if cells.min() < 1:
        fail(node, f"a window of kernel {node.kernel} lies in the padding alone")
    if isinstance(node, AveragePool) and node.requant is not None:
        if cells.min() != cells.max():
            fail(
                node,
                f"windows hold {cells.min()} to {cells.max()} cells; with a scale "
                "the same number everywhere is wanted",
            )
        want(node, "number of scales", len(node.requant.multiplier), 1)
        want(node, "clamp", (node.low, node.high), (node.requant.low, node.requant.high))


def check_weights(graph: Graph, node: Weighted, shape: Shape, channels: int) -> None:
    """Check shapes and types of weight and bias.

    Raises:
        UnsupportedError: naming the node, what was found and what is wanted.
    """
    weight, bias = graph.tensors[node.weight], graph.tensors[node.bias]
    want(node, "weight shape", weight.shape, shape)
    want(node, "bias shape", bias.shape, (channels,))
    if weight.dtype.bits > 8:
        fail(node, f"weight type is {weight.dtype.name}; INT8 or narrower is wanted")
    want(node, "bias type", bias.dtype.name, DType.INT32.name)
