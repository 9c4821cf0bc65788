"""Nodes that move bits, or take the larger ones: words where rows are whole words, else bits."""

from __future__ import annotations

from typing import assert_never

from edgekit.errors import UnsupportedError
from edgekit.ir.nodes import Concat, MaxPool, Pad, Reshape, Slice, Transpose
from edgekit.target.mcu import ctext
from edgekit.target.mcu.code import Array, Context, NodeCode
from edgekit.target.mcu.ops.binary_pack import LANES
from edgekit.target.mcu.ops.copy import merged_loops, strides
from edgekit.target.mcu.ops.window import window

MoveOfBits = MaxPool | Pad | Concat | Transpose | Slice


def emit_move_of_bits(context: Context, node: MoveOfBits) -> NodeCode:
    """Return the C of `node`, whose tensors are BINARY.

    Raises:
        UnsupportedError: a maximum is limited, or values move along more axes than the kernel has.
    """
    match node:
        case MaxPool():
            return _max_pool(context, node)
        case Pad():
            return _pad(context, node)
        case Concat():
            return _concat(context, node)
        case Transpose():
            steps = _steps(context, node.x)
            return _copy(context, node, 0, [steps[axis] for axis in node.order])
        case Slice():
            steps = _steps(context, node.x)
            start = sum(first * step for first, step in zip(node.start, steps, strict=True))
            return _copy(
                context, node, start, [s * k for s, k in zip(node.step, steps, strict=True)]
            )
        case _:
            assert_never(node)


def emit_reshape_of_bits(context: Context, node: Reshape) -> NodeCode:
    """Return the C of a reshape that moves bits between words."""
    return _code(
        context,
        node,
        "ek_bin_reshape",
        {
            "size": context.size(node.y),
            "in_row": context.shape(node.x)[-1],
            "out_row": context.shape(node.y)[-1],
        },
    )


def _max_pool(context: Context, node: MaxPool) -> NodeCode:
    if node.low > -1 or node.high < 1:
        raise UnsupportedError(
            f"{node.label}: a maximum of bits limited to {node.low} to {node.high}; "
            "-1 to 1 is wanted",
            hint="remove the operator that limits it",
        )
    return _code(context, node, "ek_bin_maxpool", {"window": window(context, node)})


def _pad(context: Context, node: Pad) -> NodeCode:
    missing = 3 - len(node.before)
    extents = {
        "in": (1,) * missing + context.shape(node.x),
        "before": (0,) * missing + node.before,
        "after": (0,) * missing + node.after,
    }
    params: dict[str, ctext.Value] = {
        f"{field}_{axis}": extents[field][i] for field in extents for i, axis in enumerate("hwc")
    }
    return _code(context, node, "ek_bin_pad", {**params, "value": -1 if node.value > 0 else 0})


def _concat(context: Context, node: Concat) -> NodeCode:
    """Return the C of rows of bits, or where rows stay whole, of bytes."""
    last = node.axis == len(context.shape(node.y)) - 1
    if last:
        widths = [context.shape(name)[-1] for name in node.xs]
        rows, kernel = context.size(node.y) // sum(widths), "ek_bin_concat"
    else:
        # Whole rows of words, one input after the other, as often as the axes before it say.
        widths = []
        rows, kernel = 1, "ek_concat_s8"
        for extent in context.shape(node.y)[: node.axis]:
            rows *= extent
        for name in node.xs:
            widths.append(context.stored_bytes(name) // rows)
    array = Array("t", context.index, tuple(widths), "how much of each input is in a row")
    return NodeCode(
        index=context.index,
        kernel=kernel,
        params={"rows": rows, "count": len(widths), "widths": array.name},
        arrays=(array,),
        inputs=node.xs,
        output=node.y,
        listed=True,
    )


def _steps(context: Context, name: str) -> list[int]:
    """Return the distance in bits of a tensor's neighbours along each axis."""
    *others, last = context.shape(name)
    return strides((*others, -(-last // LANES) * LANES))


def _copy(context: Context, node: Transpose | Slice, start: int, steps: list[int]) -> NodeCode:
    *others, last = context.shape(node.y)
    *before, along = steps
    loops = merged_loops(tuple(others), before)
    if len(loops) > 3:
        raise UnsupportedError(
            f"{node.label}: it moves bits along {len(loops) + 1} axes at once; "
            "the kernel takes at most 4",
            hint="split it into two operators",
        )
    loops = [(1, 0)] * (3 - len(loops)) + loops + [(last, along)]
    params: dict[str, ctext.Value] = {"start": start}
    params |= {f"n{k}": extent for k, (extent, _) in enumerate(loops)}
    params |= {f"step{k}": step for k, (_, step) in enumerate(loops)}
    return _code(context, node, "ek_bin_copy", params)


def _code(
    context: Context,
    node: MaxPool | Pad | Transpose | Slice | Reshape,
    kernel: str,
    params: dict[str, ctext.Value],
) -> NodeCode:
    return NodeCode(
        index=context.index,
        kernel=kernel,
        params=params,
        arrays=(),
        inputs=(node.x,),
        output=node.y,
    )
