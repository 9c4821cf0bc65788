"""Published QKeras models: two submissions to MLPerf Tiny, and what they compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from keras_check import compared

from edgekit.ir.types import DType, InputGrid

pytestmark = [pytest.mark.h5py, pytest.mark.data]
FOLDER = "models/mlperf_results_keras"


def test_image_classifier(shared_data: Path) -> None:
    path = shared_data / FOLDER / "hls4ml_RN06_qkeras.h5"
    x = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)) / 256
    graph = compared(path, x, InputGrid(1 / 256, 0, "uint8"))
    assert graph.not_compared == ()
    assert [type(node).__name__ for node in graph.nodes] == ["Conv2D"] * 3 + ["LowBitDense"]


def test_anomaly_detector_with_weights_of_12_bits(shared_data: Path) -> None:
    path = shared_data / FOLDER / "hls4ml_AD08_qkeras.h5"
    x = np.random.default_rng(0).integers(-128, 128, (200, 64)) / 4
    graph = compared(path, x, InputGrid(1 / 4, 0, "int8"))
    assert graph.not_compared == ()
    twice = graph.nodes[-2]
    assert graph.tensors[twice.y].dtype is DType.INT16
    assert graph.tensors[graph.nodes[-1].y].shape == (64,)
