"""Chains of Requantize: one node where all 256 integers agree, two where one differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from writers.random_graphs import GraphBuilder

from edgekit.ir.arithmetic import float32_scale, quantize_multiplier
from edgekit.ir.check import verify
from edgekit.ir.graph import Graph
from edgekit.ir.interp import run
from edgekit.ir.nodes import Requantize
from edgekit.ir.types import Requant, Rounding
from edgekit.passes import optimize, requantize
from edgekit.passes.fold import drop_identity
from edgekit.passes.requantize import fuse_requantize

ALL = np.arange(-128, 128).reshape(256, 1, 1, 1)


def requant(scale: float, zero_point: int, rounding: Rounding, *limits: int) -> Requant:
    if rounding is Rounding.FLOAT32_RNE:
        multiplier, shift = float32_scale(np.float32(scale))
    else:
        multiplier, shift = quantize_multiplier(scale)
    low, high = limits or (-128, 127)
    return Requant((multiplier,), (shift,), zero_point, low, high, rounding)


def chain(*steps: tuple[int, Requant]) -> tuple[GraphBuilder, list[str]]:
    """Return one Requantize for each (input zero point, requant), one after the other."""
    builder = GraphBuilder(1)
    names = [builder.input(1, 1, 1)]
    for zero_point, scale in steps:
        node = builder.requantize(names[-1])
        builder.nodes[-1] = replace(builder.nodes[-1], input_zero_point=zero_point, requant=scale)
        names.append(node)
    return builder, names


def outputs(graph: Graph) -> np.ndarray:
    return run(graph, {graph.inputs[0].tensor: ALL})[graph.outputs[0].tensor]


def changes(graph: Graph) -> list[Requantize]:
    return [node for node in graph.nodes if isinstance(node, Requantize)]


@pytest.mark.parametrize("rounding", list(Rounding))
def test_a_change_of_zero_point_is_free(rounding):
    builder, names = chain(
        (3, requant(0.37, -10, rounding)), (-10, requant(1.0, 25, rounding, -90, 100))
    )
    graph = builder.graph(names[-1])
    after = fuse_requantize(graph)
    verify(after)
    assert len(changes(after)) == 1
    np.testing.assert_array_equal(outputs(after), outputs(graph))


@pytest.mark.parametrize("rounding", list(Rounding))
def test_random_chains_keep_all_integers(rounding):
    rng = np.random.default_rng(5)
    fused = 0
    for _ in range(150):
        scales = [float(s) for s in rng.choice([0.25, 0.5, 1.0, 2.0, *rng.uniform(0.3, 3, 3)], 3)]
        zeros = [int(z) for z in rng.integers(-60, 60, 4)]
        steps = [(zeros[k], requant(s, zeros[k + 1], rounding)) for k, s in enumerate(scales)]
        builder, names = chain(*steps)
        graph = builder.graph(names[-1])
        after = fuse_requantize(graph)
        verify(after)
        np.testing.assert_array_equal(outputs(after), outputs(graph))
        np.testing.assert_array_equal(outputs(optimize(graph)), outputs(graph))
        fused += len(changes(after)) < 3
    assert 10 <= fused < 150


def test_without_the_comparison_integers_change(monkeypatch):
    """A planted bug: the product of the scales is taken unseen."""
    builder, names = chain(
        (0, requant(0.5, 0, Rounding.DOUBLE)), (0, requant(2.0, 0, Rounding.DOUBLE))
    )
    graph = builder.graph(names[-1])
    assert len(changes(fuse_requantize(graph))) == 2
    monkeypatch.setattr(requantize.np, "array_equal", lambda *_: True)
    after = fuse_requantize(graph)
    assert len(changes(after)) == 1
    assert (outputs(after) != outputs(graph)).any()


def test_what_others_read_stays():
    one = requant(1.0, 0, Rounding.DOUBLE)
    builder, names = chain((0, requant(0.4, 0, Rounding.DOUBLE)), (0, one))
    assert len(changes(fuse_requantize(builder.graph(names[1], names[2])))) == 2
    builder.clamp(names[1], -5, 5)
    graph = builder.graph(names[2], builder.nodes[-1].y)
    assert len(changes(fuse_requantize(graph))) == 2


@pytest.mark.parametrize("rounding", list(Rounding))
def test_a_scale_near_one_that_changes_nothing_goes(rounding):
    builder, names = chain((0, requant(0.4, 0, rounding)), (7, requant(1.0005, 7, rounding)))
    graph = builder.graph(names[-1])
    assert len(changes(drop_identity(graph))) == 1
    np.testing.assert_array_equal(outputs(drop_identity(graph)), outputs(graph))
    builder, names = chain((0, requant(0.4, 0, rounding)), (7, requant(1.01, 7, rounding)))
    assert len(changes(drop_identity(builder.graph(names[-1])))) == 2
