"""One check for every network: the graph, run, against the file's own float arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.frontend.bounded import BoundedProcess
from edgekit.frontend.keras import hdf5, reference
from edgekit.frontend.keras.archive import read_archive
from edgekit.frontend.keras.convert import convert
from edgekit.frontend.keras.reader import model_of
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.ir.types import InputGrid

Check = Callable[..., Graph]


@pytest.fixture(scope="session")
def process() -> Iterator[BoundedProcess]:
    with BoundedProcess(memory_limit_bytes=2 * 1024**3) as started:
        yield started


def compared(path: Path, x: np.ndarray, grid: InputGrid | None = None) -> Graph:
    """Return the graph of `path`; its integers and scores for `x` are the reference's.

    `x` lies on the grid, where there is one.
    """
    model = model_of(read_archive(path, hdf5.read))
    graph = convert(model, grid)
    edge, last = graph.inputs[0], graph.outputs[0]
    stored = edges.quantize(edge, x).reshape(len(x), *graph.tensors[edge.tensor].shape)
    found = interp.run(graph, {edge.tensor: stored})[last.tensor]
    unit = np.float32(1 if grid is None else grid.scale)
    state = reference.evaluate(model, x.astype(np.float32), unit)
    assert state.integers is not None
    np.testing.assert_array_equal(found, state.integers.reshape(found.shape))
    scores = edges.dequantize(last, found)
    bound = 2.0**-16 * np.abs(state.values).max(initial=1e-30)
    np.testing.assert_allclose(scores.reshape(state.values.shape), state.values, atol=bound, rtol=0)
    return graph


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Write a net, load it and compare; `samples` of normal values, or integers on the grid."""

    def run(net: object, *, grid: InputGrid | None = None, samples: int = 24) -> Graph:
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
