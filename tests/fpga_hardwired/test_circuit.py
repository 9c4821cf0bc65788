"""Hard-wired circuits against the reference: bit for bit, without any simulator."""

from __future__ import annotations

import numpy as np
import pytest
from circuits import CASES, case_graph, equal_to_interp

from edgekit.ir import check


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_circuit_equals_interp(case, seed: int) -> None:
    graph, x, y = case_graph(case, seed)
    check.verify(graph)
    np.testing.assert_array_equal(equal_to_interp(graph, x), y)
