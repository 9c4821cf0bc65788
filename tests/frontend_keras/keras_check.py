"""One check for every network: the graph, run, against the file's own float arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from repo.operator_table import Proven

from edgekit.frontend.keras import hdf5, reference
from edgekit.frontend.keras.archive import read_archive
from edgekit.frontend.keras.convert import convert
from edgekit.frontend.keras.reader import model_of
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.ir.types import InputGrid

PROVEN = Proven()


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
    PROVEN.add(path)
    return graph
