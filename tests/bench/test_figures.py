"""The counts that README states, and what they may not exceed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from writers.autoencoder import autoencoder

from edgekit import board as boards
from edgekit.build import tools
from edgekit.config import Options
from edgekit.pipeline.bench import bench
from edgekit.pipeline.deploy import deploy
from edgekit.pipeline.settings import resolve

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]

REFERENCE = "models/mlperf_tiny_ref"
MODELS = ("kws_ref_model", "vww_96_int8", "pretrainedResnet_quant")


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> dict[str, dict[str, Any]]:
    models = [shared_data / REFERENCE / f"{name}.tflite" for name in MODELS]
    found = bench(models, boards.find("nucleo-l4r5zi"), virtual=True)
    json.dumps(found)  # one JSON object, no numpy in it
    return {row["model"]: row for row in found["models"]}


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dense") / "autoencoder.tflite"
    path.write_bytes(autoencoder())
    return path


@pytest.mark.data
def test_keyword_spotting_keeps_its_limits(rows: dict[str, dict[str, Any]]) -> None:
    row = rows["kws_ref_model"]
    assert row["instructions"] <= 20_000_000
    assert row["arena_bytes"] <= 20_000
    assert row["code_bytes"] <= 16_000
    assert row["macs"] == 2_656_768


@pytest.mark.data
def test_layers_account_for_the_whole(rows: dict[str, dict[str, Any]]) -> None:
    for row in rows.values():
        counted = sum(layer["instructions"] or 0 for layer in row["layers"])
        # The rest is model_run itself: a few instructions to pass each call's arguments.
        assert 0 <= row["instructions"] - counted <= 12 * len(row["layers"])
        assert sum(layer["macs"] for layer in row["layers"]) == row["macs"]
        assert all(layer["kernel"].startswith("ek_") for layer in row["layers"])
        assert row["cycles"]["lo"] >= row["instructions"] * 0.9
        assert row["arena_bytes"] >= row["arena_lower_bound_bytes"]


@pytest.mark.data
def test_folding_is_named_and_takes_half_of_person_detection(
    rows: dict[str, dict[str, Any]],
) -> None:
    row = rows["vww_96_int8"]
    folded = row["passes"]["fold-dead-channels"]
    assert folded["macs"] == [7_489_664, row["macs"]] == [7_489_664, 3_727_313]
    assert folded["weights"] == [208_112, 29_066]
    for name in ("kws_ref_model", "pretrainedResnet_quant"):
        for before, after in rows[name]["passes"]["fold-dead-channels"].values():
            assert before == after


@pytest.mark.data
def test_readme_states_what_is_counted(rows: dict[str, dict[str, Any]], root: Path) -> None:
    for row in rows.values():
        _stated(row, root)


def test_a_dense_autoencoder_keeps_its_limits(dense: Path, root: Path) -> None:
    row = bench([dense], boards.find("nucleo-l4r5zi"), virtual=True)["models"][0]
    assert row["instructions"] <= 380_000
    assert row["arena_bytes"] == row["arena_lower_bound_bytes"] == 640 + 128
    assert row["code_bytes"] + row["tables_bytes"] <= 5_000
    assert row["weights_bytes"] == 264_192
    _stated(row, root)


def test_a_dense_autoencoder_is_exact(dense: Path, tmp_path: Path) -> None:
    options = Options(model=dense, board="nucleo-l4r5zi", virtual=True, work=tmp_path)
    equality = deploy(resolve(options, start=tmp_path)).equality
    assert equality is not None
    assert equality.chain == ("tflite-ref", "graph", "c", "board")
    assert (equality.samples, equality.mismatches, equality.not_compared) == (64, 0, ())


def _stated(row: dict[str, Any], root: Path) -> None:
    if "12.2" not in (tools.version("arm-none-eabi-gcc") or ""):
        pytest.skip("README's figures are those of arm-none-eabi-gcc 12.2; this is another one")
    readme = (root / "README.md").read_text(encoding="utf-8")
    cells = [f"{row[key]:,}" for key in ("macs", "instructions", "code_bytes", "tables_bytes")]
    cells += [f"{row[key]:,}" for key in ("weights_bytes", "arena_bytes")]
    assert " | ".join(cells) in readme, f"README's row of {row['model']}: {' | '.join(cells)}"


@pytest.mark.nightly
def test_person_detection_with_all_channels_and_in_a_small_arena(shared_data: Path) -> None:
    """Without folding nothing is left out; bands of rows cost a hundredth."""
    model = shared_data / REFERENCE / "vww_96_int8.tflite"
    board = boards.find("nucleo-l4r5zi")
    (whole,) = bench([model], board, virtual=True, fold=False)["models"]
    assert whole["macs"] == 7_489_664
    assert "fold-dead-channels" not in whole["passes"]
    assert whole["arena_bytes"] <= 42_000
    (small,) = bench([model], board, virtual=True, arena_limit_bytes=30_000)["models"]
    assert small["arena_bytes"] <= 30_000
    before, after = small["passes"]["patches"]["macs"]
    assert before < after == small["macs"] <= 1.01 * before
    assert small["instructions"] <= 9_000_000
    assert small["code_bytes"] + small["tables_bytes"] <= 16_100
