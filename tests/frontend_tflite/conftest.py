from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from repo import operator_table
from writers.tflite_small import Small
from writers.tflite_writer import write

from edgekit import frontend
from edgekit.frontend.reference import Reference
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph

Check = Callable[..., Graph]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for the reference needs its runtime."""
    for item in items:
        here = Path(__file__).parent in item.path.parents
        if here and "reference" in getattr(item, "fixturenames", ()):
            item.add_marker("tflite")


@pytest.fixture(scope="session")
def reference() -> Iterator[Reference]:
    with Reference() as worker:
        yield worker


@pytest.fixture(scope="session")
def proven(pytestconfig: pytest.Config) -> Iterator[operator_table.Proven]:
    yield from operator_table.collect(pytestconfig)


@pytest.fixture
def check(reference: Reference, proven: operator_table.Proven, tmp_path: Path) -> Check:
    """Compare interpreter and reference on random inputs; the outputs must vary."""

    def compare(small: Small, samples: int = 4, distinct: int = 4) -> Graph:
        path = tmp_path / "small.tflite"
        path.write_bytes(write(small.spec))
        graph = frontend.load(path)
        edge, output = graph.inputs[0], graph.outputs[0].tensor
        shape = (samples, *edge.source_shape[1:])
        if edge.source_dtype == "float32":
            x = small.rng.normal(0, 80 * edge.scale, shape).astype(np.float32)
        else:
            info = np.iinfo(edge.source_dtype)
            x = small.rng.integers(info.min, info.max + 1, shape).astype(edge.source_dtype)
        got = interp.run(graph, {edge.tensor: edges.quantize(edge, x)})[output]
        want = reference.run(path, graph, x)
        np.testing.assert_array_equal(got, want)
        if got.size > 16:
            assert np.unique(got).size >= distinct, (
                "the outputs do not spread: the test proves nothing"
            )
        proven.add(path)
        return graph

    return compare
