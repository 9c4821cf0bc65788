"""Which kernel takes a low-bit node: one table, by what its input and weights are."""

from __future__ import annotations

from typing import NoReturn

from edgekit.errors import UnsupportedError
from edgekit.ir.nodes import LowBitNode, Reshape
from edgekit.target.mcu.code import Context, NodeCode


def emit_low_bit(context: Context, node: LowBitNode) -> NodeCode:
    """Return the C of `node`.

    Raises:
        UnsupportedError: no kernel takes these types.
    """
    _refuse(context, node)


def emit_repack(context: Context, node: Reshape) -> NodeCode:
    """Return the C of a reshape of bits that moves them between words.

    Raises:
        UnsupportedError: no kernel does.
    """
    _refuse(context, node)


def _refuse(context: Context, node: LowBitNode | Reshape) -> NoReturn:
    tensors = context.graph.tensors
    found = f"{tensors[node.x].dtype.name} to {tensors[node.y].dtype.name}"
    raise UnsupportedError(
        f"{node.label}: no C kernel for {type(node).__name__} from {found}",
        hint="`edgekit check` lists what the model's nodes are; the graph itself can be run",
    )
