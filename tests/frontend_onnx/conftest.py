"""The differential check of a network against onnxruntime, and what it proved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from repo import operator_table
from writers.onnx_writer import Net

from edgekit import frontend
from edgekit.frontend.reference import Reference
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph

SAMPLES = 24

Check = Callable[..., Graph]


@pytest.fixture(scope="session")
def worker() -> Iterator[Reference]:
    with Reference() as process:
        yield process


@pytest.fixture(scope="session")
def proven(pytestconfig: pytest.Config) -> Iterator[operator_table.Proven]:
    yield from operator_table.collect(pytestconfig)


@pytest.fixture
def check(tmp_path: Path, worker: Reference, proven: operator_table.Proven) -> Check:
    def run(
        net: Net,
        *,
        softmax: bool = False,
        integers: bool = False,
        varied: float = 12,
        not_compared: tuple[str, ...] = (),
    ) -> Graph:
        path = tmp_path / "model.onnx"
        onnx.save(net.model(softmax=softmax, integers=integers), str(path))
        graph = frontend.load(path)
        x = net.inputs(SAMPLES)
        source = graph.inputs[0]
        found = interp.run(graph, {source.tensor: edges.quantize(source, x)})
        y = found[graph.outputs[0].tensor]
        np.testing.assert_array_equal(y, worker.run(path, graph, x))
        # The model must not saturate: then nothing would be compared.
        assert len(np.unique(y)) >= varied
        assert tuple(e.label.split()[0] for e in graph.not_compared) == not_compared
        proven.add(path)
        return graph

    return run
