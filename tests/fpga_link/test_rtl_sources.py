"""The Verilog of the link: lint clean, and its program as the assembler writes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgekit.device import sequencer
from edgekit.errors import ConfigError

HERE = Path(__file__).resolve().parent
RTL = HERE.parent.parent / "fpga" / "rtl"


def test_the_program_is_the_assembled_one() -> None:
    text = sequencer.render(sequencer.sources(RTL))
    assert (RTL / "ek_link_program.v").read_text() == text, (
        "run: python -m edgekit.device.sequencer fpga/rtl"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ld 1024", "p.asm, line 1: 1024 is 1024, which has to be below 1024"),
        ("\nld nowhere", "p.asm, line 2: nowhere is not known"),
        ("a: ret\na: ret", "p.asm, line 2: a is there twice"),
        ("nop", "p.asm, line 1: 'nop' is no instruction"),
        ("ld #(1)", "p.asm, line 1: .* is no value"),
        ("ret\n" * 2049, "has 2049 words, 2048 fit"),
    ],
)
def test_what_is_no_program_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sequencer.assemble({"p.asm": text})


def test_instructions_have_these_codes() -> None:
    text = "A = 0x20\nx: ld A+1\n add #3\n st q+\n jnz x\n setq 0x400\n in 4\n wait\n inc A 2"
    words = [f"{code:04X}" for code, _ in sequencer.assemble({"p.asm": text})]
    assert " ".join(words) == ("0021 1403 7C00 A000 EC00 F404 F100 0020 1401 7020 0021 2400 7021")


@pytest.mark.verilator
@pytest.mark.parametrize(
    "parameters",
    [
        {"SLEEPS": 1},
        {"LINK_SPRAM": 1, "STORE_WIDTH": 48, "STORE_SPRAM_BITS": 32},
        {"STORE_WIDTH": 8, "STORE_SPRAM_BITS": 8, "SLOTS": 4000},
        {"STORE_WIDTH": 16, "WEIGHT_BYTES": "32'd64", "OUT_BEATS": 2},
        {"INPUT_BYTES": 9, "KEEP": "9'h17F", "CYCLE_BITS": 8, "STORE_WIDTH": 8},
        {"STORE_WIDTH": 16, "LOOPS": 2, "COUNTS": "48'h20002", "JUMPS": "48'h1FFFF0002"},
    ],
)
def test_lint(parameters: dict[str, object]) -> None:
    shape = {"IN_WIDTH": 64, "OUT_WIDTH": 16, "INPUT_BYTES": 8, "OUTPUT_BYTES": 2, **parameters}
    argv = ["verilator", "--lint-only", "-Wall", f"-I{RTL}", "--top-module", "ek_shell"]
    argv += [f"-G{name}={value}" for name, value in shape.items()]
    argv += [str(HERE / "popcount" / "ek_core.v"), str(RTL / "ek_shell.v")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
