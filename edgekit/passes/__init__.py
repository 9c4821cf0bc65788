"""Lossless passes over the integer graph: the interpreter's integers never change."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.ir.check import verify
from edgekit.ir.graph import Graph
from edgekit.passes.fold import drop_dead, drop_identity, fold_reshape
from edgekit.passes.fuse import fuse_clamp, fuse_pad

Pass = Callable[[Graph], Graph]

PASSES: tuple[tuple[str, Pass], ...] = (
    ("drop-dead", drop_dead),  # first: a dead reader must not keep a clamp from merging
    ("fold-reshape", fold_reshape),
    ("fuse-pad", fuse_pad),
    ("fuse-clamp", fuse_clamp),
    ("drop-identity", drop_identity),
)


def optimize(graph: Graph, on_pass: Callable[[str, Graph], None] | None = None) -> Graph:
    """Return `graph` after every pass of PASSES, proved again after each.

    Args:
        graph: a graph that `ir.check.verify` accepts.
        on_pass: called with each pass's name and the graph after it.

    Raises:
        UnsupportedError: the graph, or what a pass made of it, is not well formed.
    """
    verify(graph)
    for name, function in PASSES:
        graph = function(graph)
        verify(graph)
        if on_pass is not None:
            on_pass(name, graph)
    return graph
