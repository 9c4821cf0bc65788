"""Nodes that copy values to other places: Concat, Transpose, Slice."""

from __future__ import annotations

import math

from edgekit.errors import UnsupportedError
from edgekit.ir.nodes import Concat, Slice, Transpose
from edgekit.target.mcu import ctext
from edgekit.target.mcu.code import Array, Context, NodeCode

_LOOPS = 4  # of ek_copy_s8


def emit_concat(context: Context, node: Concat) -> NodeCode:
    """Return the C of `node`: each input gives its part of every row of the output."""
    parts = tuple(
        math.prod(context.shape(name)[node.axis :]) * context.element_bytes(name)
        for name in node.xs
    )
    widths = Array("t", context.index, parts, "bytes of each input in a row")
    return NodeCode(
        index=context.index,
        kernel="ek_concat_s8",
        params={
            "rows": context.size(node.y) * context.element_bytes(node.y) // sum(parts),
            "count": len(parts),
            "widths": widths.name,
        },
        arrays=(widths,),
        inputs=node.xs,
        output=node.y,
        listed=True,
    )


def emit_transpose(context: Context, node: Transpose) -> NodeCode:
    """Return the C of `node`: its output in order, its input in strides."""
    steps = strides(context.shape(node.x))
    return _copy(context, node, 0, [steps[axis] for axis in node.order])


def emit_slice(context: Context, node: Slice) -> NodeCode:
    """Return the C of `node`: its output in order, its input in strides."""
    distances = strides(context.shape(node.x))
    start = sum(first * distance for first, distance in zip(node.start, distances, strict=True))
    steps = [step * distance for step, distance in zip(node.step, distances, strict=True)]
    return _copy(context, node, start, steps)


def strides(shape: tuple[int, ...]) -> list[int]:
    """Return the distance of neighbours along each axis of rows that follow each other."""
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _copy(context: Context, node: Transpose | Slice, start: int, steps: list[int]) -> NodeCode:
    # The kernel copies bytes: the innermost loop is over those of one element.
    width = context.element_bytes(node.y)
    start *= width
    loops = merged_loops((*context.shape(node.y), width), [*(step * width for step in steps), 1])
    if len(loops) > _LOOPS:
        raise UnsupportedError(
            f"{node.label}: it moves values along {len(loops)} axes at once; "
            f"the kernel takes at most {_LOOPS}",
            hint="split it into two operators",
        )
    loops = [(1, 0)] * (_LOOPS - len(loops)) + loops
    params: dict[str, ctext.Value] = {"start": start}
    params |= {f"n{k}": extent for k, (extent, _) in enumerate(loops)}
    params |= {f"step{k}": step for k, (_, step) in enumerate(loops)}
    return NodeCode(
        index=context.index,
        kernel="ek_copy_s8",
        params=params,
        arrays=(),
        inputs=(node.x,),
        output=node.y,
    )


def merged_loops(shape: tuple[int, ...], steps: list[int]) -> list[tuple[int, int]]:
    """Return (extent, step) of the fewest loops, outermost first."""
    loops: list[tuple[int, int]] = []
    for extent, step in zip(shape, steps, strict=True):
        if extent == 1:
            continue
        if loops and loops[-1][1] == extent * step:
            loops[-1] = (loops[-1][0] * extent, step)
        else:
            loops.append((extent, step))
    return loops
