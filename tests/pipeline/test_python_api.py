"""The public Python interface, as its documentation shows it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deploying import DIGITS, few

import edgekit
from edgekit import board as boards
from edgekit.config import Options
from edgekit.device.serial_port import open_port
from edgekit.ir import interp
from edgekit.pipeline import data
from edgekit.pipeline.settings import resolve
from edgekit.virtual import start_twin

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]

PUBLIC = (
    *("load", "compile", "build", "flash", "run", "measure", "verify", "deploy"),
    *("Graph", "Board", "Artifact", "Run", "Report", "EdgekitError"),
)


def test_what_is_exported() -> None:
    assert tuple(edgekit.__all__) == PUBLIC
    for name in PUBLIC:
        assert callable(getattr(edgekit, name)), name
    with pytest.raises(AttributeError, match="no attribute 'flahs'"):
        edgekit.flahs  # noqa: B018 # type: ignore[attr-defined]


def test_stage_after_stage(work: Path, tmp_path: Path) -> None:
    graph = edgekit.load(DIGITS)
    assert isinstance(graph, edgekit.Graph)
    board = boards.find("nucleo-l4r5zi")
    assert isinstance(board, edgekit.Board)
    plan = edgekit.compile(graph, board)
    artifact = edgekit.build(plan, work)
    assert isinstance(artifact, edgekit.Artifact)
    assert artifact.products["elf"].is_file()
    assert artifact.plan == plan.digest()
    samples = data.read(few(tmp_path / "few.npz", 10), graph, seed=0)
    with (
        start_twin(
            artifact.products["elf"], board, tmp_path / "twin", cache=work / "cache"
        ) as twin,
        closing(open_port(twin.link_url)) as port,
    ):
        run = edgekit.run(artifact, port, samples.as_bytes())
    assert isinstance(run, edgekit.Run)
    meant = interp.run(graph, {graph.inputs[0].tensor: samples.integers})
    np.testing.assert_array_equal(
        run.outputs, meant[graph.outputs[0].tensor].reshape(10, -1).astype(np.int8)
    )
    assert (run.cycles > 0).all()


def test_deploy_verify_and_measure(work: Path, tmp_path: Path) -> None:
    options = Options(
        model=DIGITS, board="nucleo-l4r5zi", virtual=True, work=work, rate_hz=10.0, seed=4
    )
    settings = resolve(options, start=tmp_path)
    settings = replace(settings, data=few(tmp_path / "few.npz", 10))
    verified = edgekit.verify(settings)
    assert isinstance(verified, edgekit.Report)
    assert verified.exit_code == 0
    assert verified.power is None
    measured = edgekit.measure(settings)
    assert measured.exit_code == 0
    assert measured.equality is None
    deployed = edgekit.deploy(settings)
    assert deployed.exit_code == 0
    assert deployed.equality == verified.equality
    assert deployed.verdict == measured.verdict == "pass"
    assert not (work / "report.json").exists()  # files are the command line's business


def test_errors_are_raised_by_stages_and_reported_by_deploy(tmp_path: Path) -> None:
    (tmp_path / "rubbish.onnx").write_bytes(b"rubbish, which is no model")
    with pytest.raises(edgekit.EdgekitError, match=r"rubbish\.onnx"):
        edgekit.load(tmp_path / "rubbish.onnx")
    options = Options(
        model=tmp_path / "rubbish.onnx", board="nucleo-l4r5zi", virtual=True, work=tmp_path / "w"
    )
    report = edgekit.deploy(resolve(options, start=tmp_path))
    assert report.error is not None
    assert "rubbish.onnx" in report.error.message
    assert report.exit_code == 2


def test_names_stay_functions_whatever_was_imported() -> None:
    code = (
        "import edgekit.build.run, edgekit.measure.meter, edgekit\n"
        "assert callable(edgekit.build) and callable(edgekit.measure)\n"
        "from edgekit import build, measure, load\n"
        "assert build.__name__ == 'build' and measure.__name__ == 'measure'\n"
        "from edgekit.build import plan\n"
        "assert plan.BuildPlan\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_is_light() -> None:
    code = (
        "import sys, edgekit\nprint([m for m in ('numpy', 'onnx', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
