"""Look-up-table layers against their definition, and the gradients by finite differences."""

from __future__ import annotations

import pytest
import torch

from edgekit.train.lut import GroupCount, LookUpTables
from edgekit.train.quantizers import Coded

pytestmark = pytest.mark.torch


def _bits(count: int, width: int) -> Coded:
    generator = torch.Generator().manual_seed(1)
    return Coded(torch.randint(0, 2, (count, width), generator=generator) * 2.0 - 1, None, 1.0)


def _layer(inputs: int = 4, *, learned: bool = True, bits: bool = True) -> LookUpTables:
    generator = torch.Generator().manual_seed(0)
    candidates = torch.tensor([0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12])
    return LookUpTables(candidates, 7, inputs, learned=learned, bits=bits, generator=generator)


@pytest.mark.parametrize("inputs", [2, 4, 6])
@pytest.mark.parametrize("learned", [True, False])
def test_a_node_answers_what_its_table_holds(inputs: int, learned: bool) -> None:
    layer, x = _layer(inputs, learned=learned).eval(), _bits(20, 13)
    found = layer(x).codes
    connections = layer.connections()
    for row, sample in enumerate(x.codes):
        for node in range(7):
            bits = [int(sample[source] > 0) for source in connections[node]]
            address = sum(bit << place for place, bit in enumerate(bits))
            expected = 1 if layer.tables[node, address] >= 0 else -1
            assert found[row, node] == expected


@pytest.mark.parametrize("bits", [True, False])
def test_a_relaxed_node_interpolates_between_its_entries(bits: bool) -> None:
    layer, x = _layer(2, bits=bits), _bits(5, 13)
    if not bits:
        x = Coded(x.codes * torch.linspace(0.1, 0.9, 13), None, 1.0)
    entries = torch.tanh(1.25 * layer.tables)
    found = layer(x).codes
    for row, sample in enumerate(x.codes):
        for node, (first, second) in enumerate(layer.connections()):
            a, b = (sample[first] + 1) / 2, (sample[second] + 1) / 2
            shares = torch.stack([(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b])
            assert torch.isclose(found[row, node], (shares * entries[node]).sum(), atol=1e-6)


@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize("bits", [True, False])
def test_gradients_of_tables_inputs_and_scores(bits: bool, settled: bool) -> None:
    """Those of the interpolation, whose derivative at bits is half of what a flip changes."""
    layer, x = _layer(2, bits=bits), _bits(5, 13)
    layer.settled = settled
    codes = x.codes.requires_grad_(True)
    weights = torch.linspace(-1, 1, 35).reshape(5, 7)
    (layer(Coded(codes, None, 1.0)).codes * weights).sum().backward()
    entries = torch.tanh(1.25 * layer.tables.detach())
    to_entries, to_x = torch.zeros_like(entries), torch.zeros(5, 13)
    to_scores = torch.zeros(14, 11)
    for row in range(5):
        for node, (first, second) in enumerate(layer.connections()):
            a, b = int(codes[row, first] > 0), int(codes[row, second] > 0)
            to_entries[node, a + 2 * b] += weights[row, node]
            halves = (
                (entries[node, 1 + 2 * b] - entries[node, 2 * b]) / 2,
                (entries[node, a + 2] - entries[node, a]) / 2,
            )
            for place, (source, half) in enumerate(zip((first, second), halves, strict=True)):
                share = half * weights[row, node]
                to_x[row, source] += share
                to_scores[2 * node + place] += share * codes[row, layer.candidates].detach()
    assert torch.allclose(layer.tables.grad, to_entries * 1.25 * (1 - entries**2), atol=1e-6)
    assert torch.allclose(codes.grad, to_x, atol=1e-6)
    if settled:
        assert layer.scores.grad is None
    else:
        assert torch.allclose(layer.scores.grad, to_scores, atol=1e-6)


def test_group_count_counts_the_ones_of_each_run() -> None:
    x = torch.tensor([[1.0, 1, -1, -1, -1, -1, 1, -1, 1]])
    codes, scale, bound = GroupCount(3, 2.0)(Coded(x, None, 1.0))
    assert codes.tolist() == [[2, 0, 2]]
    assert scale.item() == 0.5
    assert bound == 3


def test_random_connections_use_every_input() -> None:
    layer = _layer(4, learned=False)
    used = torch.bincount(layer.connections().flatten(), minlength=13)
    assert used[[1, 11]].tolist() == [0, 0]
    assert used[layer.candidates].min() >= 2
    assert used.max() <= 3
