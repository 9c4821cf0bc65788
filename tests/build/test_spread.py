"""Tables of a network are moved apart on the UP5K, and pinned for place and route."""

from __future__ import annotations

import json
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from edgekit.board import FpgaBoard, FpgaPart
from edgekit.build import fpga
from edgekit.build.plan import FpgaSizes
from edgekit.build.spread import spread
from edgekit.errors import DoesNotFitError, ToolError
from edgekit.target.fpga import toolchain

UP5K = FpgaPart(
    family="ice40",
    device="up5k",
    package="sg48",
    lut=5280,
    ff=5280,
    bram=30,
    bram_bits=4096,
    dsp=8,
    source="iCE40 UltraPlus family data sheet",
)
CLOCK, ENABLE = 2, 3


def _cell(name: str, bel: str, wires: dict[str, int], **parameters: str) -> dict[str, Any]:
    return {
        "type": "ICESTORM_LC",
        "parameters": {"CARRY_ENABLE": "0", "DFF_ENABLE": "1", **parameters},
        "attributes": {"NEXTPNR_BEL": bel},
        "connections": {"CLK": [CLOCK], **{port: [bit] for port, bit in wires.items()}},
    }


def _design(count: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A chain of tables in full tiles, an adder's carry and a flip-flop with an enable."""
    placed = {
        f"t{i}_LC": _cell(
            f"t{i}", f"X{1 + i // 240}/Y{1 + i // 8 % 30}/lc{i % 8}", {"I0": 10 + i, "O": 11 + i}
        )
        for i in range(count)
    }
    placed["sum_LC"] = _cell("sum", "X8/Y9/lc0", {"COUT": 5000}, CARRY_ENABLE="1")
    placed["held_LC"] = _cell("held", "X8/Y10/lc0", {"CEN": ENABLE, "O": 5001})
    originals = {name.removesuffix("_LC"): {"type": "SB_LUT4"} for name in placed}
    return {"modules": {"top": {"cells": originals}}}, {"modules": {"top": {"cells": placed}}}


def _spread(tmp_path: Path, count: int) -> tuple[int, dict[str, str]]:
    netlist, placed = _design(count)
    (tmp_path / "net.json").write_text(json.dumps(netlist))
    (tmp_path / "loose.json").write_text(json.dumps(placed))
    share = spread(tmp_path / "net.json", tmp_path / "loose.json", tmp_path / "spread.json")
    cells = json.loads((tmp_path / "spread.json").read_text())["modules"]["top"]["cells"]
    return share, {name: c["attributes"]["BEL"] for name, c in cells.items() if "attributes" in c}


@pytest.mark.parametrize(("count", "share"), [(60, 4), (2700, 5)])
def test_few_tables_share_a_tile(
    tmp_path: Path, count: int, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[spread.__module__], "_MOVES_PER_CELL", 5)
    found, bels = _spread(tmp_path, count)
    assert found == share
    assert bels.keys() == {f"t{i}" for i in range(count)}
    assert len(set(bels.values())) == count
    tiles = Counter(bel.rsplit("/", 1)[0] for bel in bels.values())
    assert max(tiles.values()) <= share
    assert not {"X8/Y9", "X8/Y10"} & tiles.keys()
    columns = {int(tile.split("/")[0][1:]) for tile in tiles}
    assert not columns & {0, 6, 19, 25}


def test_neighbours_stay_near(tmp_path: Path) -> None:
    """A chain of 60 tables is wired over a few tiles a link, not across the part."""
    _, bels = _spread(tmp_path, 60)
    places = [np.array([int(part[1:]) for part in bels[f"t{i}"].split("/")[:2]]) for i in range(60)]
    steps = [int(np.abs(a - b).sum()) for a, b in pairwise(places)]
    assert np.mean(steps) < 2


def test_the_same_placement_is_spread_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert _spread(tmp_path, 40) == _spread(tmp_path / "b", 40)


def test_too_many_tables_and_files_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(DoesNotFitError, match="4,700 tables do not fit 658 tiles, 7 to each"):
        _spread(tmp_path, 4700)
    (tmp_path / "loose.json").write_text("{}")
    with pytest.raises(ToolError, match=r"loose\.json is no placement of .*net\.json"):
        spread(tmp_path / "net.json", tmp_path / "loose.json", tmp_path / "s.json")


@pytest.mark.nextpnr
def test_a_roomy_plan_pins_tables_and_routes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = [f"r[{j}]" for j in range(8)]
    nodes = [
        "q[{}] <= ({} ^ {}) | ({} & {});".format(i, *generator.choice(rows, 4, replace=False))
        for i in range(40)
    ]
    source = (
        "`default_nettype none\nmodule top (input wire clk, input wire d, output reg y);\n"
        "reg [7:0] r; reg [39:0] q;\nalways @(posedge clk) begin\nr <= {r[6:0], d};\n"
        + "\n".join(nodes)
        + "\ny <= ^q;\nend\nendmodule\n`default_nettype wire\n"
    )
    path = PurePosixPath("rtl/top.v")
    plan = toolchain.plan(
        "tables",
        FpgaBoard.model_construct(name="up5k", target="fpga", part=UP5K),
        {path: source.encode()},
        [path],
        top="top",
        clock_hz=12e6,
        pins=None,
        flow="native",
        roomy=True,
    )
    artifact = fpga.execute(plan, tmp_path)
    pinned = json.loads((artifact.directory / "spread.json").read_text())["modules"]["top"]
    bels = [c["attributes"]["BEL"] for c in pinned["cells"].values() if "BEL" in c["attributes"]]
    tiles = Counter(bel.rsplit("/", 1)[0] for bel in bels)
    assert len(bels) >= 40
    assert max(tiles.values()) <= 4
    assert isinstance(artifact.sizes, FpgaSizes)
    assert artifact.sizes.fmax_mhz is not None
    assert artifact.sizes.fmax_mhz > 12
