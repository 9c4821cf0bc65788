"""Every verb once, in a process of its own; the report on failure; what --dry-run leaves alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from deploying import DIGITS, edgekit

from edgekit.cli import app

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]

BOARD = ("--board", "nucleo-l4r5zi")


def test_check(project: Path) -> None:
    found = edgekit(project, "check", "--json").json
    assert found["error"] is None
    assert [row["op"] for row in found["layers"]]
    assert found["macs"] == sum(row["macs"] for row in found["layers"])
    assert found["arena_bytes"] >= found["arena_lower_bound_bytes"]
    done = edgekit(project, "check", "--dump-passes")
    assert done.code == 0
    assert "# after " in done.out
    assert "every layer runs in integers, exactly as onnxruntime does" in done.out


def test_dry_run_runs_no_tool_and_writes_nothing(tmp_path: Path) -> None:
    """On a PATH where every tool would leave a trace."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("arm-none-eabi-gcc", "cc", "gcc", "openocd"):
        (folder / tool).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran-{tool}\n", encoding="utf-8")
        (folder / tool).chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    plans = set()
    for verb in ("compile", "build", "deploy", "flash"):
        arguments = (verb, DIGITS, *BOARD, "--dry-run", "--json", "-o", "work")
        done = edgekit(tmp_path, *arguments, PATH=path)
        assert done.code == 0, done.err
        assert any(name.endswith("model.c") for name in done.json["files"])
        assert done.json["commands"][-1][0] == "arm-none-eabi-gcc"
        plans.add(done.json["plan"])
    assert len(plans) == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["bin"]


def test_compile_and_build(project: Path) -> None:
    compiled = edgekit(project, "compile", "--json").json
    directory = Path(compiled["directory"])
    assert (directory / "model" / "model.c").is_file()
    built = edgekit(project, "build", "--json").json
    assert built["plan"] == compiled["plan"] == directory.name
    for kind in ("elf", "hex", "bin"):
        assert Path(built["products"][kind]).stat().st_size > 0
    assert built["sizes"]["flash_bytes"] == Path(built["products"]["bin"]).stat().st_size


def test_run(project: Path) -> None:
    done = edgekit(project, "run", "--json")
    assert done.code == 0, done.err
    assert done.json["inferences"] == 24
    assert done.json["virtual"] is True
    with np.load(done.json["outputs"]) as kept:
        assert kept["outputs"].shape == (24, 10)


def test_verify_then_measure_then_report(project: Path) -> None:
    work = project / "build" / "edgekit"
    verified = edgekit(project, "verify", "--json")
    assert verified.code == 0, verified.err
    assert verified.json["equality"]["mismatches"] == 0
    assert verified.json["power"] is None
    assert verified.json["verdict"] is None
    measured = edgekit(project, "measure", "--json")
    assert measured.code == 0, measured.err
    assert measured.json["equality"] is None
    assert measured.json["verdict"] == "pass"
    (work / "report.html").unlink()
    (work / "junit.xml").unlink()
    shown = edgekit(project, "report", "--json")
    assert shown.code == 0
    assert shown.json == measured.json  # of the last one
    assert (work / "report.html").is_file()
    assert (work / "junit.xml").is_file()
    gated = edgekit(project, "gate", work / "report.json", "--max-mean-mw", "15")
    assert gated.code == 9  # metered, but its outputs were compared with nothing
    assert "bit-equal outputs" in gated.out


def test_bench(project: Path) -> None:
    done = edgekit(project, "bench", DIGITS, "--json", "-o", "bench.json")
    assert done.code == 0, done.err
    assert json.loads((project / "bench.json").read_text(encoding="utf-8")) == done.json
    (row,) = done.json["models"]
    assert row["oracle"] == "unicorn"
    assert row["instructions"] >= sum(layer["instructions"] or 0 for layer in row["layers"]) > 0
    assert row["cycles"]["lo"] <= row["cycles"]["hi"]
    assert row["arena_bytes"] >= row["arena_lower_bound_bytes"] > 0
    assert row["code_bytes"] > 0


def test_flash_without_a_board(project: Path) -> None:
    done = edgekit(project, "flash", "--json", PATH=f"/nowhere:{os.environ['PATH']}")
    assert done.code in (5, 6)  # no openocd, or no probe
    assert done.json["error"]["hint"]
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("deploy", "none.onnx", *BOARD), 2, "config"),
        (("deploy", "--no-such-option"), 2, "config"),
        (("verify", DIGITS, *BOARD, "--no-virtual"), 6, "device"),
        (("run", DIGITS, *BOARD, "--no-virtual"), 6, "device"),
        (("measure", DIGITS, *BOARD, "--virtual", "--budget-mw", "0.001"), 9, "unsure"),
        (("report", "none.json"), 2, "config"),
        (("gate", "none.json", "--max-ram-bytes", "1"), 2, "config"),
        (("bench", "none.onnx", *BOARD, "--virtual"), 2, "config"),
        (("build", DIGITS, "--board", "none"), 2, "config"),
    ],
)
def test_a_failure_is_one_object(
    arguments: tuple[str, ...],
    code: int,
    kind: str,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(project)
    assert app.run([*(str(a) for a in arguments), "--json"]) == code
    out, err = capsys.readouterr()
    found = json.loads(out)  # the whole of standard output
    assert found["schema"] == 1
    assert set(found["error"]) == {"kind", "message", "hint"}
    assert found["error"]["kind"] == kind
    assert found["error"]["message"]
    assert err.startswith("error: ")
    assert "Traceback" not in err
