"""Layers of look-up tables over bits, and counts of groups of bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import GroupCount, LutLayer
from edgekit.passes.memory import tensor_bytes
from edgekit.target.mcu.code import Array, Context, NodeCode

Ints = NDArray[np.int64]

_WORD = 32
_BYTE_INPUTS = 256  # that a connection of one byte can name
_BITS = 8  # bytes of scratch for each byte of the input


def emit_lut_layer(context: Context, node: LutLayer) -> NodeCode:
    """Return the C of `node`; scratch holds a byte for each input bit."""
    connections = _places(context, node)
    tables = context.graph.constants[node.tables] > 0
    outputs, inputs = connections.shape
    in_n = _BITS * tensor_bytes(context.graph.tensors[node.x])
    is_short = int(connections.max()) >= _BYTE_INPUTS
    values = connections if is_short else connections.astype(np.uint8).view(np.int8)
    names = Array(
        "i" if is_short else "l",
        context.index,
        tuple(values.ravel().tolist()),
        f"{inputs} inputs of each of {outputs} tables",
    )
    rows = np.packbits(tables, axis=1, bitorder="little").view(np.int8)
    bits = Array("w", context.index, tuple(rows.ravel().tolist()), f"{outputs} tables")
    return NodeCode(
        index=context.index,
        kernel="ek_lut_layer",
        params={
            "in_n": in_n,
            "out_n": outputs,
            "inputs": inputs,
            "is_short": int(is_short),
            "connections": names.name,
            "tables": bits.name,
        },
        arrays=(names, bits),
        inputs=(node.x,),
        output=node.y,
        scratch_bytes=in_n,
    )


def _places(context: Context, node: LutLayer) -> Ints:
    """Return where the connected elements lie among the bits of the input's words."""
    connections = context.graph.constants[node.connections]
    channels = context.shape(node.x)[-1]
    row = -(-channels // _WORD) * _WORD
    return connections // channels * row + connections % channels


def emit_group_count(context: Context, node: GroupCount) -> NodeCode | None:
    """Return the C of `node`, or None where its bits do not follow each other."""
    groups, shape = context.size(node.y), context.shape(node.x)
    if shape[-1] % _WORD and shape[-1] != context.size(node.x):
        return None
    return NodeCode(
        index=context.index,
        kernel="ek_group_count",
        params={"groups": groups, "run": context.size(node.x) // groups},
        arrays=(),
        inputs=(node.x,),
        output=node.y,
    )
