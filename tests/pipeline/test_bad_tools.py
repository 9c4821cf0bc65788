"""Compilers and runtimes that are missing or fail: exit 5, with their own words."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deploying import DIGITS, HELD_OUT, edgekit, few

from edgekit.build import tools
from edgekit.cli import app
from edgekit.pipeline import deploy, native
from edgekit.pipeline.settings import Settings

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]

ON_TWIN = ("deploy", DIGITS, "--board", "nucleo-l4r5zi", "--virtual", "--json", "-o", "work")


@pytest.fixture
def mock(tmp_path: Path) -> Callable[[str, str], str]:
    """Put a shell script in front of everything else on PATH; return that PATH."""

    def put(name: str, script: str) -> str:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return f"{path.parent}:{os.environ['PATH']}"

    return put


def test_no_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tools, "find", lambda name: None)
    monkeypatch.chdir(tmp_path)
    assert app.run([str(a) for a in ON_TWIN]) == 5
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert error["kind"] == "tool"
    assert "neither arm-none-eabi-gcc nor the ziglang wheel" in error["message"]
    assert "apt-get install gcc-arm-none-eabi" in error["hint"]
    assert "pip install 'edgekit[virtual]'" in error["hint"]
    assert "Traceback" not in err


def test_failing_compiler(tmp_path: Path, mock: Callable[[str, str], str]) -> None:
    path = mock(
        "arm-none-eabi-gcc",
        "i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo words of line $i >&2; done; exit 3",
    )
    done = edgekit(tmp_path, *ON_TWIN, PATH=path)
    assert done.code == 5
    assert "Traceback" not in done.err
    error = done.json["error"]
    assert error["kind"] == "tool"
    first, *lines = error["message"].splitlines()
    assert first.startswith("arm-none-eabi-gcc ended with status 3: ")
    assert f"{tmp_path / 'bin' / 'arm-none-eabi-gcc'} " in first  # the whole command line
    assert " -c " in first
    assert ".c" in first
    assert lines == [f"words of line {i}" for i in range(31, 51)]
    log = Path(error["hint"].partition("the whole log: ")[2])
    assert (tmp_path / log).read_text(encoding="utf-8").startswith("words of line 1\n")
    assert "error: arm-none-eabi-gcc ended with status 3" in done.err
    assert list((tmp_path / "work").glob("build/*/artifact.json")) == []
    # The report says the same; the next build starts over and succeeds.
    report = json.loads((tmp_path / "work" / "report.json").read_text(encoding="utf-8"))
    assert report["error"] == error
    assert edgekit(tmp_path, "build", DIGITS, *ON_TWIN[2:4], "-o", "work").code == 0


def test_compiler_that_makes_nothing(tmp_path: Path, mock: Callable[[str, str], str]) -> None:
    done = edgekit(tmp_path, *ON_TWIN, PATH=mock("arm-none-eabi-gcc", "exit 0"))
    assert done.code == 5
    assert "ended without" in done.json["error"]["message"]
    assert "logs" in done.json["error"]["hint"]


def test_compiler_that_makes_rubbish(tmp_path: Path, mock: Callable[[str, str], str]) -> None:
    path = mock("arm-none-eabi-gcc", "echo rubbish > firmware.elf")
    done = edgekit(tmp_path, *ON_TWIN, PATH=path)
    assert done.code == 5, done.err
    assert "firmware.elf" in done.json["error"]["message"]


def test_compiler_that_cannot_be_started(tmp_path: Path, mock: Callable[[str, str], str]) -> None:
    """It is there and executable, but what it is cannot run here."""
    path = mock("arm-none-eabi-gcc", "")
    (tmp_path / "bin" / "arm-none-eabi-gcc").write_bytes(b"\x7fELF, of another machine")
    done = edgekit(tmp_path, *ON_TWIN, PATH=path)
    assert done.code == 5, done.err
    assert "arm-none-eabi-gcc" in done.json["error"]["message"]


def test_failing_host_compiler(tmp_path: Path, work: Path, mock: Callable[[str, str], str]) -> None:
    """The board has run by then: its outputs are kept, and the report has what was found."""
    data = few(tmp_path / "few.npz", 12)
    shutil.copytree(work / "build", tmp_path / "other" / "build", ignore=_no_host)
    path = mock("cc", "echo cc has a bad day >&2; exit 7")
    done = edgekit(tmp_path, *ON_TWIN[:-1], "other", "--data", data, PATH=path)
    assert done.code == 5
    found = done.json
    assert "cc ended with status 7 on the generated C" in found["error"]["message"]
    assert "cc has a bad day" in found["error"]["message"]
    assert found["sizes"]["code_bytes"] > 0
    assert found["latency"]["inferences"] == 12
    assert found["verdict"] is None
    with np.load(tmp_path / "other" / "outputs.npz") as outputs:
        assert len(outputs["outputs"]) == 12


def _no_host(_directory: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "host"]


def test_without_a_host_compiler_the_chain_is_shorter(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "compiler", lambda: None)
    report = deploy.verify(settings())
    assert report.exit_code == 0
    assert report.equality is not None
    assert report.equality.chain == ("onnxruntime", "graph", "board")


def test_missing_reference(tmp_path: Path, work: Path) -> None:
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "onnxruntime.py").write_text(
        "raise ModuleNotFoundError('No module named onnxruntime')\n", encoding="utf-8"
    )
    path = os.pathsep.join([str(tmp_path / "shadow"), os.environ.get("PYTHONPATH", "")])
    arguments = (*ON_TWIN[:-1], work, "--data", few(tmp_path / "few.npz", 4))
    done = edgekit(tmp_path, *arguments, PYTHONPATH=path)
    assert done.code == 5
    assert "onnx" in done.json["error"]["message"]
    assert "pip install 'edgekit[onnx]'" in done.json["error"]["hint"]


def test_work_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("a file", encoding="utf-8")
    done = edgekit(tmp_path, *ON_TWIN, "--data", HELD_OUT)
    assert done.code == 2, done.err
    assert "work" in done.json["error"]["message"]
    assert (tmp_path / "work").read_text(encoding="utf-8") == "a file"
