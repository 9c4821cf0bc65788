"""Lossless passes over the integer graph: the interpreter's integers never change."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.ir.check import verify
from edgekit.ir.graph import Graph
from edgekit.passes.flatten import flatten_bits
from edgekit.passes.fold import drop_dead, drop_identity, fold_reshape, fold_transpose
from edgekit.passes.fold_channels import fold_dead_channels
from edgekit.passes.fuse import fuse_clamp, fuse_pad
from edgekit.passes.lookup import fuse_lookup
from edgekit.passes.requantize import fuse_requantize
from edgekit.passes.savings import Saving, saving

Pass = Callable[[Graph], Graph]
OnPass = Callable[[str, Graph], None]

FOLD = "fold-dead-channels"

PASSES: tuple[tuple[str, Pass], ...] = (
    ("drop-dead", drop_dead),  # first: a dead reader must not keep a clamp from merging
    ("fold-transpose", fold_transpose),
    ("fold-reshape", fold_reshape),
    ("flatten-bits", flatten_bits),
    ("drop-identity", drop_identity),
    (FOLD, fold_dead_channels),  # before the fusions: it may take a tensor's second reader away
    ("fuse-pad", fuse_pad),
    ("fuse-clamp", fuse_clamp),
    ("fuse-requantize", fuse_requantize),
    ("fuse-lookup", fuse_lookup),
)


def optimize(graph: Graph, on_pass: OnPass | None = None, *, fold: bool = True) -> Graph:
    """Return `graph` after every pass of PASSES; see `optimize_with_savings`."""
    return optimize_with_savings(graph, on_pass, fold=fold)[0]


def optimize_with_savings(
    graph: Graph, on_pass: OnPass | None = None, *, fold: bool = True
) -> tuple[Graph, tuple[Saving, ...]]:
    """Return `graph` after every pass of PASSES, proved again after each, and what each saved.

    Args:
        graph: a graph that `ir.check.verify` accepts.
        on_pass: called with each pass's name and the graph after it.
        fold: False leaves dead channels in the graph: the pass FOLD is not run.

    Raises:
        UnsupportedError: the graph, or what a pass made of it, is not well formed.
    """
    verify(graph)
    savings = []
    for name, function in PASSES:
        if name == FOLD and not fold:
            continue
        before, graph = graph, function(graph)
        verify(graph)
        savings.append(saving(name, before, graph))
        if on_pass is not None:
            on_pass(name, graph)
    return graph, tuple(savings)
