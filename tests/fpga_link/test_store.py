"""The store of inputs: in block RAM, in SPRAM and in both, in the order the network reads."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_shell import CORE

from edgekit.errors import UnsupportedError
from edgekit.target.fpga import store
from edgekit.target.fpga.core import Core
from edgekit.virtual.fpga import programs

RTL = Path(__file__).resolve().parent.parent.parent / "fpga" / "rtl"
STEMS = ("ek_store", "ek_spram_lane", "ek_spram", "ek_widen")
SOURCES = [str(RTL / f"{stem}.v") for stem in STEMS]
SIDE, BLOCK = 6, 2
WIRE_BYTES = SIDE * SIDE + 1
SKIPPED = 5  # of the bytes on the wire, which the network does not read
BENCH = """
module bench;
    reg clk = 1'b0, home = 1'b0, spare = 1'b0, write = 1'b0, read = 1'b0;
    reg [7:0] sent [0:{total}-1];
    reg [15:0] at;
    wire [{width}-1:0] word;
    reg valid = 1'b0, first = 1'b0;
    integer n;
    always #1 clk = !clk;
    ek_store {parameters} u_store (
        .clk(clk), .rst(1'b0), .write_home(home), .write_spare(spare), .write(write),
        .write_data(sent[n]), .read(read), .read_addr(at), .read_first(first),
        .read_data(word));
    {shows}
    always @(posedge clk) valid <= read;
    initial begin
        $readmemh("sent.hex", sent);
        n = 0; home = 1'b1; @(negedge clk); home = 1'b0; write = 1'b1;
        for (n = 0; n < {total}; n = n + 1) begin
            if (n == {total} - {bytes}) begin
                write = 1'b0; spare = 1'b1; @(negedge clk); spare = 1'b0; write = 1'b1;
            end
            @(negedge clk);
        end
        write = 1'b0; read = 1'b1; n = 0;
        for (at = 0; at < {words} * ({slots} + 1); at = at + 1) begin
            first = (at % {words} == 0); @(negedge clk);
        end
        read = 1'b0; @(negedge clk); $finish;
    end
endmodule
"""
WORDS = 'always @(negedge clk) if (valid) $display("%h", word);'
BEATS = """wire whole;
    wire [{beat}-1:0] beat;
    ek_widen #(.IN_WIDTH({width}), .OUT_WIDTH({beat})) u_widen (
        .clk(clk), .rst(home), .in_valid(valid), .in_ready(), .in_data(word),
        .out_valid(whole), .out_ready(1'b1), .out_data(beat));
    always @(negedge clk) if (whole) $display("%h", beat);"""


def _blocks() -> np.ndarray:
    """The wire bytes of an image in the order of its blocks: rows, columns, rows and columns."""
    cells = np.arange(SIDE * SIDE).reshape(SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK)
    return cells.transpose(0, 2, 1, 3).reshape(-1)


def _core(order: np.ndarray, width: int) -> Core:
    beats = 8 * len(order) // width
    return replace(CORE, in_width=width, in_beats=beats, kept_bytes=tuple(map(int, order)))


def _parameters(kept: store.Store) -> dict[str, str]:
    return {
        "WIDTH": str(kept.width),
        "BYTES": str(WIRE_BYTES),
        "KEEP": f"{WIRE_BYTES}'h{((1 << WIRE_BYTES) - 1) ^ (1 << SKIPPED):x}",
        "WORDS": str(kept.words),
        "PIECES": str(kept.words),
        "SKIP": str(kept.skip),
        "SLOTS": str(kept.slots),
        "SPRAM_BITS": str(kept.spram_bits),
        "ADDR_BITS": "16",
        **store.loops(kept),
    }


def _simulated(
    folder: Path, order: np.ndarray, kept: store.Store, sources: list[str], parameters: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the words of all inputs, the spare one last, as read and as they should be."""
    slots = kept.slots
    sent = np.random.default_rng(3).integers(0, 256, (slots + 1, WIRE_BYTES), dtype=np.uint8)
    (folder / "sent.hex").write_text("\n".join(f"{byte:02x}" for byte in sent.reshape(-1)))
    numbers = {"total": sent.size, "bytes": WIRE_BYTES, "words": kept.words, "slots": slots}
    beat = 8 * (WIRE_BYTES - 1) if kept.skip else kept.width
    shows = BEATS.format(width=kept.width, beat=beat) if kept.skip else WORDS
    text = BENCH.format(parameters=parameters, width=kept.width, shows=shows, **numbers)
    (folder / "bench.v").write_text(text)
    argv = ["iverilog", "-g2005", "-s", "bench", "-o", "bench", "bench.v", *sources]
    subprocess.run(argv, cwd=folder, check=True)
    done = subprocess.run(["vvp", "bench"], cwd=folder, capture_output=True, text=True, check=True)
    expected = np.delete(sent, SKIPPED, axis=1)[:, order].reshape(slots + 1, -1, beat // 8)
    read = np.frombuffer(bytes.fromhex("".join(done.stdout.split())), np.uint8)
    return read.reshape(expected.shape)[:, :, ::-1], expected


@pytest.mark.iverilog
@pytest.mark.parametrize(
    ("width", "spram_bits", "slots", "turned"),
    [
        (8, 0, 3, True),
        (16, 0, 3, True),
        (16, 16, 3, True),
        (8, 8, 960, True),  # four banks, two in each SPRAM
        (48, 16, 3, False),
        (24, 24, 1400, False),  # a byte of its own, two banks
    ],
)
def test_inputs_are_read_as_they_were_sent(
    width: int, spram_bits: int, slots: int, turned: bool, tmp_path: Path
) -> None:
    order = _blocks() if turned else np.arange(SIDE * SIDE)
    core = _core(order, width)
    kept = replace(store.choose(core, bram=30, spram=4), slots=slots, spram_bits=spram_bits)
    assert kept.width == width
    given = ", ".join(f".{name}({value})" for name, value in _parameters(kept).items())
    read, expected = _simulated(tmp_path, order, kept, SOURCES, f"#({given})")
    np.testing.assert_array_equal(read, expected)


@pytest.mark.iverilog
@pytest.mark.parametrize(("width", "spram_bits"), [(104, 32), (208, 16), (272, 0)])
def test_beats_are_put_together_from_uneven_words(
    width: int, spram_bits: int, tmp_path: Path
) -> None:
    order = np.arange(SIDE * SIDE)
    words, size = -(-len(order) * 8 // width), width // 8
    kept = store.Store(width, words, 3, (), spram_bits, skip=words * size - len(order))
    given = ", ".join(f".{name}({value})" for name, value in _parameters(kept).items())
    read, expected = _simulated(tmp_path, order, kept, SOURCES, f"#({given})")
    np.testing.assert_array_equal(read, expected)


@pytest.mark.iverilog
@pytest.mark.yosys
def test_the_netlist_keeps_the_same(tmp_path: Path) -> None:
    """Block RAM and SPRAM of the part, which starts with noise, as synthesis connects them."""
    order = np.arange(SIDE * SIDE)
    kept = replace(store.choose(_core(order, 48), bram=30, spram=4), slots=3, spram_bits=16)
    given = " ".join(f"-set {name} {value}" for name, value in _parameters(kept).items())
    script = (
        f"read_verilog {' '.join(SOURCES)}; chparam {given} ek_store; synth_ice40 -top ek_store; "
        "stat; write_verilog -noattr net.v"
    )
    argv = ["yosys", "-p", script]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
    for cell, count in (("SB_SPRAM256KA", 1), ("SB_RAM40_4K", 2)):
        assert int(re.findall(rf"{cell} +(\d+)", done.stdout)[-1]) == count
    (tmp_path / "cells.v").write_bytes(programs.ice40_cells())
    sources = ["-DNO_ICE40_DEFAULT_ASSIGNMENTS", "net.v", "cells.v"]
    read, expected = _simulated(tmp_path, order, kept, sources, "")
    np.testing.assert_array_equal(read, expected)


def test_an_order_that_is_no_nest_is_refused_and_pieces_stay_whole() -> None:
    order = _blocks()
    assert store.choose(_core(order, 32), bram=16, spram=0).width == 16  # two bytes of a row
    mixed = order.copy()
    mixed[[3, 5]] = mixed[[5, 3]]
    with pytest.raises(UnsupportedError, match="another order"):
        store.choose(_core(mixed, 8), bram=16, spram=0)
