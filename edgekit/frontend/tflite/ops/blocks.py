"""DEPTH_TO_SPACE and SPACE_TO_DEPTH: blocks of pixels become channels, or the other way."""

from __future__ import annotations

from edgekit.frontend.tflite.arithmetic import spatial
from edgekit.frontend.tflite.context import ActivationTensor, Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.schema import Options
from edgekit.ir.nodes import Node, Reshape, Transpose
from edgekit.ir.types import Tensor


def depth_to_space(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate DEPTH_TO_SPACE."""
    x, size = _operands(context, op, Options.DEPTH_TO_SPACE)
    height, width, channels = spatial(context, op, x)
    depth = channels // (size * size)
    if depth * size * size != channels:
        context.refuse(op, f"{channels} channels in blocks of {size}", "use fitting channels")
    blocks = (height, width, size, size * depth)
    return _turned(context, op, x, blocks, (height * size, width * size, depth))


def space_to_depth(context: Context, op: Operator) -> tuple[Node, ...]:
    """Translate SPACE_TO_DEPTH."""
    x, size = _operands(context, op, Options.SPACE_TO_DEPTH)
    height, width, channels = spatial(context, op, x)
    if height % size or width % size:
        context.refuse(op, f"{height} by {width} in blocks of {size}", "use fitting extents")
    out = (height // size, width // size, channels * size * size)
    return _turned(context, op, x, (height // size, size, width // size, size * channels), out)


def _operands(context: Context, op: Operator, kind: Options) -> tuple[ActivationTensor, int]:
    context.operands(op, 1, 1)
    size = context.options(op, kind).integer(0, "i")
    if not 1 <= size <= 4096:
        context.refuse(op, f"block size {size} found", "export the model again")
    return context.activation(op, 0), size


def _turned(
    context: Context,
    op: Operator,
    x: ActivationTensor,
    blocks: tuple[int, int, int, int],
    out: tuple[int, int, int],
) -> tuple[Node, ...]:
    """Return x as four axes, of which the two in the middle change places."""
    context.check_shape(op, out)
    y = context.result(op)
    context.same_quantization(op, x, y)
    before, after = f"n{op.index}_blocks", f"n{op.index}_turned"
    context.tensors[before] = Tensor(before, blocks, x.dtype)
    turned = (blocks[0], blocks[2], blocks[1], blocks[3])
    context.tensors[after] = Tensor(after, turned, x.dtype)
    return (
        Reshape(label=op.label, x=x.name, y=before),
        Transpose(label=op.label, x=before, y=after, order=(0, 2, 1, 3)),
        Reshape(label=op.label, x=after, y=y.name),
    )
