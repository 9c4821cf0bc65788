"""The check of a QONNX file against the qonnx package, and what it proved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from repo.operator_table import Proven
from writers.qonnx_writer import Net

from edgekit.frontend import load
from edgekit.frontend.reference import Reference
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.ir.types import InputGrid

PROVEN = Proven()


def same(path: Path, reference: Reference, x: np.ndarray, grid: InputGrid | None = None) -> Graph:
    graph = load(path, grid=grid)
    integers = edges.quantize(graph.inputs[0], x)
    found = interp.run(graph, {graph.inputs[0].tensor: integers})[graph.outputs[0].tensor]
    np.testing.assert_array_equal(found, reference.run(path, graph, x))
    PROVEN.add(path)
    return graph


def data(rng: np.random.Generator, net: Net, count: int = 24) -> np.ndarray:
    return rng.normal(0, 1, (count, *net.shape[1:])).astype(np.float32)
