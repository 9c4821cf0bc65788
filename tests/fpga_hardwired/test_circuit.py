"""Hard-wired circuits against the reference: bit for bit, without any simulator."""

from __future__ import annotations

import numpy as np
import pytest
from circuits import CASES, case_graph, equal_to_interp

from edgekit.ir import check
from edgekit.target.fpga.hardwired import share


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_circuit_equals_interp(case, seed: int) -> None:
    graph, x, y = case_graph(case, seed)
    check.verify(graph)
    np.testing.assert_array_equal(equal_to_interp(graph, x), y)


def test_long_rows_share_what_their_neighbours_share(monkeypatch) -> None:
    monkeypatch.setattr(share, "_MAX_CANDIDATES", 20_000)
    rows = [[2 * signal for signal in range(4, 104)] for _ in range(4)]  # 646,800 triples in all
    triples = share.common_triples(rows)
    assert all(found == triples[0] for found in triples)
    used = [bit for triple in triples[0] for bit in triple]
    assert len(used) == len(set(used))
    assert len(used) >= 0.9 * len(rows[0])
