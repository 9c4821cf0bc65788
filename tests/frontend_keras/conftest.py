"""A process that reads HDF5, and the check of a written net."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from repo.operator_table import collect

from edgekit.frontend.bounded import BoundedProcess
from edgekit.ir.graph import Graph
from edgekit.ir.types import InputGrid

Check = Callable[..., Graph]


@pytest.fixture(scope="session")
def process() -> Iterator[BoundedProcess]:
    with BoundedProcess(memory_limit_bytes=2 * 1024**3) as started:
        yield started


@pytest.fixture(scope="session", autouse=True)
def proven(pytestconfig: pytest.Config) -> Iterator[None]:
    if importlib.util.find_spec("h5py") is None:
        yield
        return
    from keras_check import PROVEN

    for _ in collect(pytestconfig, PROVEN):
        yield


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Write a net, load it and compare; `samples` of normal values, or integers on the grid."""

    def run(net: object, *, grid: InputGrid | None = None, samples: int = 24) -> Graph:
        from keras_check import compared  # h5py may be absent

        path = net.save(tmp_path / "net.h5")  # type: ignore[attr-defined]
        rng = np.random.default_rng(7)
        shape = (samples, *net.shape)  # type: ignore[attr-defined]
        if grid is None:
            x = rng.normal(0, 1, shape).astype(np.float32)
        else:
            low = 0 if grid.dtype == "uint8" else -128
            integers = rng.integers(low, low + 256, shape) - grid.zero_point
            x = integers.astype(np.float32) * np.float32(grid.scale)
        return compared(path, x, grid)

    return run
