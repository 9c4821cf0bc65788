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


def _layer(inputs: int = 4, *, learned: bool = True) -> LookUpTables:
    generator = torch.Generator().manual_seed(0)
    return LookUpTables(13, 7, inputs, learned=learned, generator=generator)


@pytest.mark.parametrize("inputs", [2, 4, 6])
@pytest.mark.parametrize("learned", [True, False])
def test_a_node_answers_what_its_table_holds(inputs: int, learned: bool) -> None:
    layer, x = _layer(inputs, learned=learned), _bits(20, 13)
    found = layer(x).codes
    connections = layer.connections()
    for row, sample in enumerate(x.codes):
        for node in range(7):
            bits = [int(sample[source] > 0) for source in connections[node]]
            address = sum(bit << place for place, bit in enumerate(bits))
            expected = 1 if layer.tables[node, address] >= 0 else -1
            assert found[row, node] == expected


def test_gradients_of_tables_inputs_and_scores() -> None:
    layer, x = _layer(2), _bits(5, 13)
    codes = x.codes.requires_grad_(True)
    weights = torch.linspace(-1, 1, 35).reshape(5, 7)
    (layer(Coded(codes, None, 1.0)).codes * weights).sum().backward()
    connections, tables = layer.connections(), layer.tables.detach()
    to_tables, to_x = torch.zeros_like(tables), torch.zeros(5, 13)
    to_scores = torch.zeros(14, 13)
    for row in range(5):
        for node in range(7):
            a, b = (int(codes[row, source] > 0) for source in connections[node])
            to_tables[node, a + 2 * b] += weights[row, node]
            halves = (
                (tables[node, 1 + 2 * b] - tables[node, 2 * b]) / 2,
                (tables[node, a + 2] - tables[node, a]) / 2,
            )
            for place, half in enumerate(halves):
                share = half * weights[row, node]
                to_x[row, connections[node, place]] += share
                to_scores[2 * node + place] += share * codes[row].detach()
    assert torch.allclose(layer.tables.grad, to_tables, atol=1e-6)
    assert torch.allclose(codes.grad, to_x, atol=1e-6)
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
    assert used.min() >= 2
    assert used.max() <= 3
