"""TFLite Micro's single-operator models with 16-bit activations and their stored outputs."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from kernels.kernel_driver import Kernels, host_library
from numpy.typing import NDArray
from repo import model_sets

from edgekit.errors import UnsupportedError
from edgekit.frontend.tflite import load_bytes
from edgekit.frontend.tflite.parse import parse
from edgekit.ir import check, interp
from edgekit.ir.graph import Graph
from edgekit.target.mcu.code import Context
from edgekit.target.mcu.ops import emit_node

pytestmark = [pytest.mark.data, pytest.mark.cc]

MODELS = 81
EXACT = 73
MAX_FILE_BYTES = 1 << 20
MAX_BYTES = 1 << 25


@pytest.fixture(scope="module")
def files(shared_data: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(shared_data / "models/tflm_seanet/seanet_ops_open.zip") as archive:
        sizes = [item.file_size for item in archive.infolist()]
        assert max(sizes) <= MAX_FILE_BYTES
        assert sum(sizes) <= MAX_BYTES
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def host_kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return Kernels(host_library(tmp_path_factory.mktemp("seanet")))


def numbers(files: dict[str, bytes], start: str) -> list[NDArray[np.int64]]:
    """Return the stored tensors whose file names begin so, in order."""
    texts = [files[name].decode() for name in sorted(files) if name.startswith(start)]
    return [np.array([int(v) for v in t.replace(",", " ").split()], np.int64) for t in texts]


def compare(files: dict[str, bytes], stem: str, graph: Graph, kernels: Kernels) -> None:
    """The graph and the C of its one node give what is stored."""
    inputs = numbers(files, f"{stem}_input")
    (wanted,) = numbers(files, f"{stem}_golden")
    values = {
        edge.tensor: x.reshape(1, *graph.tensors[edge.tensor].shape)
        for edge, x in zip(graph.inputs, inputs, strict=True)
    }
    output = graph.outputs[0].tensor
    np.testing.assert_array_equal(interp.run(graph, values)[output].ravel(), wanted, stem)
    (node,) = graph.nodes
    code = emit_node(Context(graph, 0), node)
    assert code is not None
    flat = [values[name].ravel() for name in code.inputs]
    found = kernels.run(code, flat, wanted.size, graph.tensors[output].dtype)
    np.testing.assert_array_equal(found, wanted, stem)


def test_the_set_golden(files: dict[str, bytes], host_kernels: Kernels) -> None:
    exact: defaultdict[str, int] = defaultdict(int)
    refused: defaultdict[tuple[str, str], int] = defaultdict(int)
    stems = sorted(name.removesuffix(".tflite") for name in files if name.endswith(".tflite"))
    assert len(stems) == MODELS
    for stem in stems:
        data = files[f"{stem}.tflite"]
        (operator,) = {op.name for op in parse(data).operators}
        try:
            graph = load_bytes(data, Path(stem).name)
        except UnsupportedError as error:
            refused[operator, error.message] += 1
            continue
        check.verify(graph)
        compare(files, stem, graph, host_kernels)
        exact[operator] += 1
    assert sum(exact.values()) == EXACT
    rows = [(operator, str(count), "exact") for operator, count in sorted(exact.items())]
    rows += [(operator, str(n), message) for (operator, message), n in sorted(refused.items())]
    model_sets.check("tflm-seanet", ("operator", "models", "result"), rows)
