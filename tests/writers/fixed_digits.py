"""The fixed digits networks of the data folder as graphs, with their expected scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import check
from edgekit.ir.graph import Graph, Source
from edgekit.ir.nodes import LowBitDense
from edgekit.ir.types import DType, Edge, Tensor

Ints = NDArray[np.int64]

NAMES = (
    "digits_bin_64-64-10_dense",
    "digits_bin_64-64-10_p80",
    "digits_bin_64-64-10_p90",
    "digits_therm3_192-64-10_p80",
    "digits_therm3_192-64-10_p90",
)


@dataclass(frozen=True, slots=True, eq=False)
class FixedNet:
    """A network, its 450 test samples as -1 and +1, and the scores that they have."""

    graph: Graph
    x: Ints
    scores: Ints


def load(folder: Path, name: str) -> FixedNet:
    """Return network `name` of the data folder."""
    found = arrays_of(folder, name)
    return FixedNet(graph_of(name, found), 2 * found["x_test"] - 1, found["score_test"])


def arrays_of(folder: Path, name: str) -> dict[str, Ints]:
    """Return all arrays of network `name`."""
    with np.load(folder / "fpga" / f"{name}.npz", allow_pickle=False) as stored:
        return {key: stored[key].astype(np.int64) for key in stored.files}


def graph_of(name: str, found: dict[str, Ints]) -> Graph:
    """Return the network of these arrays: bits in, class scores out."""
    return two_layers(name, found["W1"], found["t1"], found["W2"], found["b2"])


def two_layers(name: str, w1: Ints, t1: Ints, w2: Ints, b2: Ints) -> Graph:
    """Return sign(w1 @ x >= t1), then w2 @ h + b2; weights -1, 0, +1."""
    hidden, inputs = w1.shape
    classes = len(w2)
    kind = DType.TERNARY if (w1 == 0).any() else DType.BINARY
    constants = {
        "w1": w1,
        "b1": np.zeros(hidden, np.int64),
        "t1": t1[:, np.newaxis],
        "w2": w2,
        "b2": b2,
    }
    for value in constants.values():
        value.setflags(write=False)
    tensors = [
        Tensor("x", (inputs,), DType.BINARY),
        Tensor("h", (hidden,), DType.BINARY),
        Tensor("scores", (classes,), DType.INT16),
        Tensor("w1", w1.shape, kind),
        Tensor("b1", (hidden,), DType.INT32),
        Tensor("t1", (hidden, 1), DType.INT32),
        Tensor("w2", w2.shape, kind),
        Tensor("b2", (classes,), DType.INT32),
    ]
    graph = Graph(
        name=name.replace("-", "_"),
        source=Source("edgekit", "none", ""),
        inputs=(Edge("x", "x", (1, inputs), "float32", 1.0, 0, dtype=DType.BINARY),),
        outputs=(Edge("scores", "scores", (1, classes), "float32", 1.0, 0, dtype=DType.INT16),),
        nodes=(
            LowBitDense("hidden", "x", "h", "w1", "b1", 0, "t1", -1),
            LowBitDense("classes", "h", "scores", "w2", "b2", 0, None, 0),
        ),
        tensors={tensor.name: tensor for tensor in tensors},
        constants=constants,
    )
    check.verify(graph)
    return graph
