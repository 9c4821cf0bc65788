"""Models unlike the digits on the virtual board: every link gives the same integers."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from writers.tflite_small import SAME
from writers.tflite_wide import Wide
from writers.tflite_writer import write

from edgekit.config import Options
from edgekit.pipeline import deploy
from edgekit.pipeline.settings import resolve
from edgekit.report.types import Report

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]

PUBLISHED = "models/mlperf_results_onnx"


def verified(model: Path, data: Path | None, folder: Path, samples: int) -> Report:
    """Return the report of a model that every link of the chain computes alike."""
    options = Options(
        model=model, data=data, board="nucleo-l4r5zi", virtual=True, work=folder / "work"
    )
    settings = resolve(options, start=folder)
    report = deploy.verify(settings)
    assert report.error is None, report.error
    assert report.equality is not None
    assert report.equality.samples == samples
    assert report.equality.mismatches == 0
    assert report.equality.chain[1:] == ("graph", "c", "board")
    return report


@pytest.mark.nightly
@pytest.mark.data
def test_keywords_of_onnx(tmp_path: Path, shared_data: Path) -> None:
    with zipfile.ZipFile(shared_data / "datasets/mlperf_tiny_kws01/kws01_first600.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".bin"))[:16]
        x = np.stack([np.frombuffer(archive.read(name), np.int8) for name in names])
    labels = np.array([int(Path(name).stem.rsplit("_", 1)[1]) for name in names])
    data = tmp_path / "kws.npz"
    np.savez(data, x=x, y=labels, x_scale=np.float32(0.58470291), x_zero_point=83)
    model = shared_data / PUBLISHED / "kaijiang_v13_kws_qdq_int8.onnx"
    report = verified(model, data, tmp_path, 16)
    assert report.equality is not None
    assert report.equality.chain[0] == "onnxruntime"
    assert report.accuracy is not None
    assert report.accuracy.value > 0.8


@pytest.mark.data
@pytest.mark.nightly
def test_images_of_onnx(tmp_path: Path, shared_data: Path) -> None:
    x = np.random.default_rng(4).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    data = tmp_path / "images.npz"
    np.savez(data, x=x)
    model = shared_data / PUBLISHED / "kaijiang_v13_ic_qdq_int8.onnx"
    report = verified(model, data, tmp_path, 4)
    assert report.equality is not None
    assert report.equality.chain[0] == "onnxruntime"


@pytest.mark.tflite
def test_activations_of_16_bits(tmp_path: Path) -> None:
    wide = Wide(6, (12, 10, 4)).conv(8, (3, 3), padding=SAME).leaky(0.3, 0.8)
    first = wide.at
    wide.around([[0, 0], [1, 1], [1, 1], [0, 0]]).conv(8, (3, 3)).leaky(0.3, 1.0)
    wide.join("SUB", first).part([0, 1, 0, 0], [1, 10, 9, 8]).conv(5, (3, 3), stride=2)
    model = tmp_path / "wide.tflite"
    model.write_bytes(write(wide.spec))
    report = verified(model, None, tmp_path, 64)
    assert report.equality is not None
    assert report.equality.chain[0] == "tflite-ref"
