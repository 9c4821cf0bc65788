"""What is wrong with a named bitstream or machine is said before anything is built."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from board_tree import bit_file, hwh_file
from writers.qonnx_writer import Net

from edgekit.cli import app

CASES = {
    "junk": ({"b.bit": b"junk"}, (), 2, "is no .bit file: it begins with 6a756e6b"),
    "no description": ({"b.bit": bit_file()}, (), 2, "b.hwh cannot be read"),
    "another part": ({"b.bit": bit_file("7z010clg400")}, (), 2, "7z010clg400"),
    "described for another part": (
        {"b.bit": bit_file(), "b.hwh": hwh_file(device="7z010")},
        (),
        2,
        "7z010",
    ),
    "serial port": ({}, ("--port", "/dev/ttyUSB0"), 6, "pynq-z2 is reached by ssh"),
    "no machine": ({}, ("--build-host", "a b"), 2, "'ssh://a b' names no machine"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_first(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files, options, code, words = CASES[case]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    if files:
        options = ("--bitstream", str(tmp_path / "b.bit"))
    model = Net((1, 16)).bipolar().dense(np.ones((4, 16), np.float32)).save(tmp_path / "net.onnx")
    work = tmp_path / "work"
    deploy = ("deploy", str(model), "--board", "pynq-z2", "--json", "-o", str(work), *options)
    assert app.run(deploy) == code
    assert words in json.loads(capsys.readouterr().out)["error"]["message"]
    assert not (work / "build").exists()


@pytest.mark.parametrize(
    "option", [("--bitstream", "net.onnx"), ("--build-host", "user@host")], ids=["bit", "host"]
)
@pytest.mark.parametrize(
    "board", [("icebreaker",), ("pynq-z2", "--virtual")], ids=["ice40", "twin"]
)
def test_a_bitstream_from_elsewhere_is_for_a_zynq(
    option: tuple[str, str],
    board: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").touch()
    assert app.run(("deploy", "net.onnx", "--json", *option, "--board", *board)) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert "names a bitstream made elsewhere, which is for a Zynq's logic" in error["message"]
