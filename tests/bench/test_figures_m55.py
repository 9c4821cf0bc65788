"""Counts on a Cortex-M55 with vectors: what they may not exceed, and that outputs are equal."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from writers.autoencoder import autoencoder

from edgekit import board as boards
from edgekit.build import tools
from edgekit.config import Options
from edgekit.pipeline import deploy
from edgekit.pipeline.bench import bench
from edgekit.pipeline.settings import resolve

pytestmark = [pytest.mark.virtual, pytest.mark.gcc, pytest.mark.qemu]

BOARD = "mps3-an547"
REFERENCE = "models/mlperf_tiny_ref"
KEYWORDS = "datasets/mlperf_tiny_kws01/kws01_first600.zip"
KWS, VWW, IC = "kws_ref_model", "vww_96_int8", "pretrainedResnet_quant"
SHAPES = {KWS: (49, 10, 1), VWW: (96, 96, 3), IC: (32, 32, 3)}

# Limits: instructions, code and tables, arena, and the int8 weights that are left after folding.
LIMITS = {
    KWS: (900_000, 12_000, 12_000, 22_016),
    VWW: (2_300_000, 16_000, 42_000, 29_066),
    IC: (2_700_000, 14_000, 36_000, 77_360),
}
# instructions, code, tables, weights, arena with arm-none-eabi-gcc 12.2
EXACT = {
    KWS: (855_366, 5_112, 6_200, 22_024, 10_336),
    VWW: (2_203_760, 5_480, 10_448, 29_141, 40_736),
    IC: (2_609_722, 3_364, 4_352, 77_365, 33_584),
}


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> dict[str, dict[str, Any]]:
    models = [shared_data / REFERENCE / f"{name}.tflite" for name in LIMITS]
    found = bench(models, boards.find(BOARD), virtual=True)
    return {row["model"]: row for row in found["models"]}


@pytest.mark.data
@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_kept(rows: dict[str, dict[str, Any]], name: str) -> None:
    row = rows[name]
    instructions, flash, arena, weights = LIMITS[name]
    assert row["instructions"] <= instructions
    assert row["code_bytes"] + row["tables_bytes"] <= flash
    assert row["arena_bytes"] <= arena
    assert row["weights_bytes"] <= 1.02 * weights
    kernels = {layer["kernel"] for layer in row["layers"] if layer["macs"]}
    assert kernels <= {"ek_conv2d_mve", "ek_depthwise_mve"}


@pytest.mark.data
@pytest.mark.parametrize("name", EXACT)
def test_figures_are_exact(rows: dict[str, dict[str, Any]], name: str) -> None:
    if "12.2" not in (tools.version("arm-none-eabi-gcc") or ""):
        pytest.skip("the figures are those of arm-none-eabi-gcc 12.2; this is another one")
    keys = ("instructions", "code_bytes", "tables_bytes", "weights_bytes", "arena_bytes")
    assert tuple(rows[name][key] for key in keys) == EXACT[name]


def test_a_dense_autoencoder_keeps_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "autoencoder.tflite"
    path.write_bytes(autoencoder())
    (row,) = bench([path], boards.find(BOARD), virtual=True)["models"]
    assert row["instructions"] <= 90_000
    assert row["arena_bytes"] <= 1_400
    assert row["weights_bytes"] <= 1.02 * 264_192


def samples(name: str, shared_data: Path) -> NDArray[np.int8]:
    """Return real keywords or smooth images, and noise."""
    rng = np.random.default_rng(7)
    shape = SHAPES[name]
    noise = rng.integers(-128, 128, (2, *shape)).astype(np.int8)
    if name == KWS:
        with zipfile.ZipFile(shared_data / KEYWORDS) as archive:
            names = sorted(entry for entry in archive.namelist() if entry.endswith(".bin"))[:6]
            real = [np.frombuffer(archive.read(entry), np.int8).reshape(shape) for entry in names]
        return np.concatenate([np.stack(real), noise])
    y, x = np.mgrid[: shape[0], : shape[1]] / shape[0]
    waves = [np.sin(a * x + b * y + c) for a, b, c in rng.uniform(0, 9, (6, 3))]
    smooth = (120 * np.stack(waves).reshape(2, 3, *shape[:2])).astype(np.int8)
    return np.concatenate([smooth.transpose(0, 2, 3, 1), noise])


@pytest.mark.data
@pytest.mark.tflite
@pytest.mark.parametrize("name", LIMITS)
def test_outputs_are_those_of_the_reference(name: str, shared_data: Path, tmp_path: Path) -> None:
    x = samples(name, shared_data)
    np.savez(tmp_path / "data.npz", x=x)
    model = shared_data / REFERENCE / f"{name}.tflite"
    options = Options(
        model=model, data=tmp_path / "data.npz", board=BOARD, virtual=True, work=tmp_path / "work"
    )
    equality = deploy.verify(resolve(options, start=tmp_path)).equality
    assert equality is not None
    assert equality.chain == ("tflite-ref", "graph", "c", "board")
    assert (equality.samples, equality.mismatches, equality.not_compared) == (len(x), 0, ())


@pytest.mark.parametrize("name", LIMITS)
def test_readme_states_them(name: str, root: Path) -> None:
    cells = " | ".join(f"{figure:,}" for figure in EXACT[name])
    assert f"| {name} | {cells} |" in (root / "README.md").read_text(encoding="utf-8")
