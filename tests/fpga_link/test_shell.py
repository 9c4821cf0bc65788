"""The generated modules around a network: what they say, and that tools take them."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from edgekit.errors import ConfigError, UnsupportedError
from edgekit.target.fpga import shell
from edgekit.target.fpga.core import Core, Resources
from edgekit.target.fpga.store import Store, choose

HERE = Path(__file__).resolve().parent
CORE = Core(
    style="hardwired",
    files={PurePosixPath("rtl/ek_core.v"): (HERE / "popcount/ek_core.v").read_bytes()},
    blocks=(),
    in_width=64,
    in_beats=1,
    out_width=16,
    out_beats=1,
    kept_bytes=tuple(range(8)),
    latency_cycles=3,
    interval_cycles=1,
    weights=b"",
    estimate=Resources(0, 0),
)
FACTS = shell.ShellFacts(
    family="ice40",
    clock="pin",
    clock_hz=12_000_000,
    baud=1_500_000,
    pins={"clk": "35", "rx": "6", "tx": "9", "mark": "4", "led": "37"},
    board="icebreaker",
    model_hash=bytes(range(16)),
    input_bytes=8,
    name="ones",
)


def _write(files: dict[PurePosixPath, bytes], to: Path) -> list[str]:
    files = {**files, **CORE.files, shell.BUILD_ID: shell.build_id("0" * 30 + "1f")}
    for path, data in files.items():
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        (to / path).write_bytes(data)
    return sorted(str(path) for path in files if path.suffix == ".v")


def test_the_wrapper_is_deterministic_and_says_who_it_is() -> None:
    files = shell.wrap(CORE, FACTS)
    assert files == shell.wrap(CORE, FACTS)
    board = files[PurePosixPath("rtl/ek_board.v")].decode()
    assert ".MODEL_HASH(128'h0F0E0D0C0B0A09080706050403020100)" in board
    assert f".NAME(512'h{b'ones'[::-1].hex().upper().zfill(128)})" in board
    assert ".KEEP(8'hFF)" in board
    assert ".SLOTS(32'd255)" in board
    assert shell.build_id("01" + "0" * 30).endswith(b"128'h" + b"0" * 30 + b"01\n")
    assert shell.pins_of(FACTS) == {"clk": "35", "rx": "6", "tx": "9", "mark": "4"}


@pytest.mark.parametrize(
    ("width", "beats", "bram", "spram", "kept"),
    [
        (64, 1, 16, 0, Store(64, 1, 255)),
        (8, 98, 28, 0, Store(8, 98, 66)),  # 28 x 28 bits, one byte a beat
        (784, 1, 28, 0, Store(128, 7, 72, skip=14)),  # the same at once: put together from 7 words
        (8, 490, 16, 0, Store(8, 490, 3)),  # fewer than wanted
        (64, 1, 30, 4, Store(64, 1, 255)),  # SPRAM only where it is needed
        (384, 1, 30, 4, Store(384, 1, 255, spram_bits=48, link_spram=True)),
        (448, 1, 30, 4, Store(384, 2, 127, spram_bits=48, link_spram=True, skip=40)),
        (8, 784, 12, 2, Store(8, 784, 82, spram_bits=8)),  # 28 x 28 bytes
        (8, 784, 9, 3, Store(8, 784, 82, spram_bits=8, link_spram=True)),
        (32, 196, 12, 2, Store(32, 196, 82, spram_bits=32)),
        (8, 784, 12, 1, Store(8, 784, 40, spram_bits=8)),
    ],
)
def test_the_store_takes_what_it_is_given(
    width: int, beats: int, bram: int, spram: int, kept: Store
) -> None:
    core = replace(CORE, in_width=width, in_beats=beats)
    assert choose(core, bram=bram, spram=spram) == kept
    assert kept.memory.bram <= bram
    assert kept.memory.spram <= spram


@pytest.mark.parametrize(
    ("core", "facts", "error", "message"),
    [
        (CORE, replace(FACTS, baud=2_000_000), ConfigError, "6 clocks a bit"),
        (CORE, replace(FACTS, baud=1_400_000), ConfigError, "4.8 % off"),
        (CORE, replace(FACTS, clock_hz=12_500_000, baud=115_200), ConfigError, "whole MHz"),
        (CORE, replace(FACTS, clock="internal", clock_hz=15_000_000), ConfigError, "48, 24, 12, 6"),
        (CORE, replace(FACTS, family="ecp5", clock="internal"), ConfigError, "from a pin"),
        (replace(CORE, kept_bytes=(1, 0)), FACTS, UnsupportedError, "another order"),
        (replace(CORE, weights=bytes(1 << 17)), FACTS, UnsupportedError, "131072 bytes"),
        (replace(CORE, in_width=8, in_beats=1200), FACTS, UnsupportedError, "two inputs of 1200"),
    ],
)
def test_what_cannot_be_made_is_refused(
    core: Core, facts: shell.ShellFacts, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        shell.wrap(core, facts)


def test_a_missing_pin_is_named() -> None:
    with pytest.raises(ConfigError, match="icebreaker names no pin for tx, mark"):
        shell.pins_of(replace(FACTS, pins={"clk": "35", "rx": "6"}))


@pytest.mark.verilator
@pytest.mark.parametrize("module", ["ek_board", "ek_top"])
def test_generated_modules_are_lint_clean(module: str, tmp_path: Path) -> None:
    facts = FACTS if module == "ek_board" else replace(FACTS, family="ecp5")
    sources = _write(shell.wrap(CORE, facts), tmp_path)
    argv = ["verilator", "--lint-only", "-Wall", "-Irtl", "--top-module", module, *sources]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.nightly
@pytest.mark.nextpnr
@pytest.mark.parametrize("clock", ["pin", "internal"])
def test_the_whole_fits_the_smallest_board(clock: shell.Clock, tmp_path: Path) -> None:
    """Synthesized, placed and routed with the pins of a board, at its clock."""
    facts = replace(FACTS, clock=clock)
    sources = _write(shell.wrap(CORE, facts), tmp_path)
    script = f"read_verilog {' '.join(sources)}; synth_ice40 -top ek_top -json net.json"
    pins = "".join(f"set_io {port} {pin}\n" for port, pin in shell.pins_of(facts).items())
    (tmp_path / "pins.pcf").write_text(pins)
    part = ("--up5k", "--package", "sg48", "--json", "net.json", "--pcf", "pins.pcf")
    for argv in (
        ("yosys", "-q", "-p", script),
        ("nextpnr-ice40", *part, "--asc", "net.asc", "--seed", "1", "--freq", "12"),
    ):
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
