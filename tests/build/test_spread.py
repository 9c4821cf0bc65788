"""Logic cells of a network are moved apart on the UP5K, and pinned for routing."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from edgekit.board import FpgaBoard, FpgaPart
from edgekit.build import fpga
from edgekit.build.plan import FpgaSizes
from edgekit.build.spread import spread, tabled
from edgekit.errors import ToolError
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
    """A chain of tables in full tiles, an adder's two carries and a flip-flop with an enable."""
    placed = {
        f"t{i}_LC": _cell(
            f"t{i}",
            f"X{1 + i // 240}/Y{1 + i // 8 % 30}/lc{i % 8}",
            {"I0": 10 + i, "I1": 9000 + 3 * i, "I2": 9001 + 3 * i, "O": 11 + i},
        )
        for i in range(count)
    }
    placed["low_LC"] = _cell("low", "X14/Y9/lc0", {"COUT": 8000}, CARRY_ENABLE="1")
    placed["high_LC"] = _cell("high", "X14/Y9/lc1", {"CIN": 8000, "O": 8001}, CARRY_ENABLE="1")
    placed["held_LC"] = _cell("held", "X14/Y10/lc0", {"CEN": ENABLE, "O": 8002})
    originals = {
        name.removesuffix("_LC"): {
            "type": "SB_DFF",
            "connections": {"Q": cell["connections"].get("O", [])},
        }
        for name, cell in placed.items()
    }
    top = {"cells": originals, "netnames": {}}
    return {"modules": {"top": top}}, {"modules": {"top": {"cells": placed}}}


def _spread(tmp_path: Path, count: int, seed: int = 1) -> tuple[int, dict[str, str]]:
    netlist, placed = _design(count)
    (tmp_path / "net.json").write_text(json.dumps(netlist))
    (tmp_path / "loose.json").write_text(json.dumps(placed))
    files = (tmp_path / name for name in ("net.json", "loose.json", "spread.json"))
    most = spread(*files, seed)
    top = json.loads((tmp_path / "spread.json").read_text())["modules"]["top"]
    driven = {c["attributes"]["ROUTING"] for c in top["netnames"].values()}
    bels = {n: c["attributes"]["BEL"] for n, c in top["cells"].items()}
    assert driven == {
        f"{bel.replace('lc', 'lutff_')}:out;;3" for n, bel in bels.items() if n != "low"
    }
    return most, bels


def test_tiles_read_few_nets(tmp_path: Path) -> None:
    most, bels = _spread(tmp_path, 600)
    assert most <= 20  # where full tiles read 24
    assert bels.keys() == {f"t{i}" for i in range(600)} | {"low", "high", "held"}
    assert len(set(bels.values())) == len(bels)
    columns = {int(bel.split("/")[0][1:]) for bel in bels.values()}
    assert not columns & {0, 6, 19, 25}


def test_a_chain_stays_in_order_and_controls_apart(tmp_path: Path) -> None:
    _, bels = _spread(tmp_path, 60)
    tile, low = bels["low"].rsplit("/", 1)
    assert (low, bels["high"]) == ("lc0", f"{tile}/lc1")
    held = bels["held"].rsplit("/", 1)[0]
    assert [name for name, bel in bels.items() if bel.startswith(f"{held}/")] == ["held"]


def test_neighbours_stay_near(tmp_path: Path) -> None:
    """A chain of 60 tables is wired over a few tiles a link, not across the part."""
    _, bels = _spread(tmp_path, 60)
    places = [np.array([int(part[1:]) for part in bels[f"t{i}"].split("/")[:2]]) for i in range(60)]
    steps = [int(np.abs(a - b).sum()) for a, b in pairwise(places)]
    assert np.mean(steps) < 2


def test_a_seed_gives_the_same_arrangement_again_and_another_one_another(tmp_path: Path) -> None:
    found = _spread(tmp_path, 40)
    assert _spread(tmp_path, 40) == found
    assert _spread(tmp_path, 40, seed=2) != found


def test_files_of_another_kind(tmp_path: Path) -> None:
    _spread(tmp_path, 8)
    (tmp_path / "loose.json").write_text("{}")
    with pytest.raises(ToolError, match=r"loose\.json is no placement of .*net\.json"):
        spread(tmp_path / "net.json", tmp_path / "loose.json", tmp_path / "s.json")
    with pytest.raises(ToolError, match=r"loose\.json is no netlist"):
        tabled(tmp_path / "loose.json", tmp_path / "s.json")


def _packed(tmp_path: Path, body: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the cells of a module with carries in tables, and those that nextpnr packs."""
    (tmp_path / "top.v").write_text(body)
    script = "read_verilog top.v; synth_ice40 -top top -json net.json"
    subprocess.run(["yosys", "-q", "-p", script], cwd=tmp_path, check=True)
    tabled(tmp_path / "net.json", tmp_path / "tabled.json")
    part = ["nextpnr-ice40", "--up5k", "--package", "sg48", "-q", "--pcf-allow-unconstrained"]
    files = ["--json", "tabled.json", "--pack-only", "--write", "packed.json"]
    subprocess.run([*part, *files], cwd=tmp_path, check=True)
    found = []
    for name in ("tabled.json", "packed.json"):
        modules = json.loads((tmp_path / name).read_text())["modules"].values()
        (top,) = [m for m in modules if "top" in m.get("attributes", {})]
        found.append(top["cells"])
    return found[0], found[1]


@pytest.mark.nextpnr
def test_every_cell_of_a_chain_is_in_the_netlist(tmp_path: Path) -> None:
    """Carries from the wires, out to them in the middle and at the end, constant ones."""
    cells, packed = _packed(
        tmp_path,
        """module top (input clk, input [7:0] a, b, input c, output reg [8:0] s,
            output reg over, low, output reg [7:0] n);
        always @(posedge clk) begin
            s <= a + b + c; over <= a < b; low <= a[3:0] > b[7:4]; n <= n + 1;
        end endmodule""",
    )
    logic = {n for n, cell in packed.items() if cell["type"] == "ICESTORM_LC"}
    missing = {n for n in logic if n.removesuffix("_LC").removesuffix("_DFFLC") not in cells}
    assert {n for n in missing if not n.startswith("$PACKER")} == set()
    assert sum(int(packed[n]["parameters"]["CARRY_ENABLE"], 2) for n in logic) > 20


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
    assert max(tiles.values()) <= 8
    assert isinstance(artifact.sizes, FpgaSizes)
    assert artifact.sizes.fmax_mhz is not None
    assert artifact.sizes.fmax_mhz > 12
