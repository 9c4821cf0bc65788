"""One reference process for all QONNX files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from qonnx_check import PROVEN
from repo.operator_table import collect

from edgekit.frontend.reference import Reference


@pytest.fixture(scope="session")
def reference(pytestconfig: pytest.Config) -> Iterator[Reference]:
    with Reference() as worker:
        for _ in collect(pytestconfig, PROVEN):
            yield worker
