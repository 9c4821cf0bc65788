"""Networks of every operator that is no layer, as generated C: each tensor of each node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from native_model import NativeModel, plan_of
from writers.tflite_networks import attention, numbers, pyramid
from writers.tflite_writer import write

from edgekit.frontend.tflite import load_bytes
from edgekit.ir import interp
from edgekit.ir.check import verify
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Reshape
from edgekit.passes import optimize


@pytest.mark.parametrize("network", [attention, pyramid, numbers])
@pytest.mark.parametrize("optimized", [False, True])
def test_every_tensor_of_the_c(tmp_path: Path, network: object, optimized: bool) -> None:
    assert callable(network)
    small = network()
    graph = load_bytes(write(small.spec), "network")
    verify(graph)
    graph = optimize(graph) if optimized else graph
    x = small.rng.integers(-128, 128, (3, *graph.inputs[0].source_shape[1:]))
    tensors = interp.run(graph, {graph.inputs[0].tensor: x}, keep=True)
    model = NativeModel(plan_of(graph), tmp_path)
    for sample, values in enumerate(x):
        for index, node in enumerate(graph.nodes):
            wanted = tensors[node.y][sample].ravel()
            np.testing.assert_array_equal(model.tensor(values, index), wanted, err_msg=node.label)
    last = tensors[graph.outputs[0].tensor]
    assert np.unique(last).size >= 4
    assert spread(graph, tensors) >= 0.3, shares(graph, tensors)


def spread(graph: Graph, tensors: dict[str, np.ndarray]) -> float:
    """Return the smallest share of values that lie within the range, over all nodes."""
    return min(shares(graph, tensors).values())


def shares(graph: Graph, tensors: dict[str, np.ndarray]) -> dict[str, float]:
    computed = {n.label: tensors[n.y] for n in graph.nodes if not isinstance(n, Reshape)}
    return {k: float((np.abs(t + 0.5) < 127).mean()) for k, t in computed.items()}
