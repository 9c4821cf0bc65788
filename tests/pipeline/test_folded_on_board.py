"""A folded network on the virtual iCEBreaker: its weights and inputs come over the link."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from edgekit.config import Options
from edgekit.frontend import load
from edgekit.ir import edges, interp
from edgekit.pipeline import deploy
from edgekit.pipeline.settings import resolve

IMAGES = 32


@pytest.mark.data
@pytest.mark.nightly
@pytest.mark.virtual
@pytest.mark.nextpnr
@pytest.mark.yowasp
@pytest.mark.cc
def test_mnist_at_a_thousand_a_second(root: Path, shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "datasets" / "mnist"
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    x = np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28, 1)[:IMAGES]
    np.savez(tmp_path / "test.npz", x=x)
    model = root / "examples" / "mnist" / "convolutional.safetensors"
    options = Options(
        model=model,
        data=tmp_path / "test.npz",
        board="icebreaker",
        virtual=True,
        operating_point="hfosc_24mhz",
        rate_hz=1000.0,
        work=tmp_path / "work",
    )
    done = deploy.run(resolve(options, start=tmp_path))
    graph = load(model)
    source, sink = graph.inputs[0], graph.outputs[0].tensor
    answers = interp.run(graph, {source.tensor: edges.quantize(source, x)})[sink]
    np.testing.assert_array_equal(done.outputs, edges.to_bytes(graph.tensors[sink], answers))
    assert set(done.cycles.tolist()) == {25_067}
