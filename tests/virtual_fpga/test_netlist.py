"""Netlists in simulation: equal to Icarus Verilog with yosys' cells, and their toggles by hand."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from small_cores import folded, folded_answers, hardwired, hardwired_answers

from edgekit.errors import ToolError, UnsupportedError
from edgekit.target.fpga.core import Core, Resources
from edgekit.virtual.fpga.bench import run_core
from edgekit.virtual.fpga.netlist import Netlist, parse
from edgekit.virtual.fpga.switching import run_netlist

pytestmark = [pytest.mark.yosys, pytest.mark.cc]
SOURCE = PurePosixPath("rtl/ek_core.v")

# Block RAMs of all four widths, written and read at addresses that depend on the data, and every
# kind of flip-flop; a byte in, a byte out, the answer depends on all bytes before it.
_MEMORIES = """`default_nettype none
module ek_core (
    input wire clk, input wire rst, input wire in_valid, output wire in_ready,
    input wire [7:0] in_data, output wire out_valid, input wire out_ready,
    output wire [7:0] out_data, input wire load_valid, input wire [15:0] load_data
);
  reg valid;
  reg [2:0] step;
  reg [7:0] x;
  reg [15:0] a[0:255];
  reg [7:0] b[0:511];
  reg [3:0] c[0:1023];
  reg [1:0] d[0:2047];
  reg [15:0] ra;
  reg [7:0] rb, mix;
  reg [3:0] rc;
  reg [1:0] rd;
  wire go = step != 3'd0;
  initial begin
    $readmemh("rtl/a.hex", a);
    $readmemh("rtl/b.hex", b);
    $readmemh("rtl/c.hex", c);
    $readmemh("rtl/d.hex", d);
  end
  assign in_ready = step == 3'd0 && (!valid || out_ready);
  assign out_valid = valid;
  assign out_data = mix;
  always @(posedge clk) begin
    if (rst) step <= 3'd0;
    else if (go) step <= step == 3'd3 ? 3'd0 : step + 3'd1;
    else if (in_valid && in_ready) step <= 3'd1;
    if (rst) valid <= 1'b0;
    else if (step == 3'd3) valid <= 1'b1;
    else if (out_ready) valid <= 1'b0;
    if (in_valid && in_ready) x <= in_data;
    if (rst) mix <= 8'h5a;
    else if (step == 3'd3) mix <= mix + ra[7:0] ^ ra[15:8] + rb ^ {rc, rd, rd ^ 2'd1};
    if (step == 3'd1) begin
      ra <= a[x];
      rb <= b[{mix[0], x}];
      rc <= c[{mix[1:0], x}];
      rd <= d[{mix[2:0], x}];
    end
    if (step == 3'd2) begin
      a[mix] <= {x, ra[7:0] ^ 8'h3c};
      b[{x[0], mix}] <= x + 8'd77;
      c[{x[1:0], mix}] <= x[5:2] ^ 4'd5;
      d[{x[2:0], mix}] <= x[1:0];
    end
  end
endmodule
`default_nettype wire
"""


def memories() -> Core:
    files = {SOURCE: _MEMORIES.encode()}
    for name, words, digits in (("a", 256, 4), ("b", 512, 2), ("c", 1024, 1), ("d", 2048, 1)):
        mask = 3 if name == "d" else 16**digits - 1
        text = "\n".join(f"{37 * i + 11 & mask:0{digits}x}" for i in range(words))
        files[PurePosixPath(f"rtl/{name}.hex")] = text.encode()
    return Core("folded", files, (), 8, 1, 8, 1, (0,), 4, 4, b"", Resources(0, 0))


# A table that nobody writes: its block RAM has no write clock.
_ROM = """`default_nettype none
module ek_core (
    input wire clk, input wire rst, input wire in_valid, output wire in_ready,
    input wire [7:0] in_data, output reg out_valid, input wire out_ready,
    output reg [7:0] out_data, input wire load_valid, input wire [15:0] load_data
);
  reg [7:0] rom[0:511];
  initial $readmemh("rtl/rom.hex", rom);
  assign in_ready = !out_valid || out_ready;
  always @(posedge clk) begin
    if (rst) out_valid <= 1'b0;
    else if (in_ready) out_valid <= in_valid;
    if (in_ready) out_data <= rom[{1'b1, in_data}];
  end
endmodule
`default_nettype wire
"""


def rom_answers(x: np.ndarray) -> np.ndarray:
    return (37 * (256 + x.astype(np.int64)) + 11 & 255).astype(np.uint8)


def rom() -> Core:
    text = "\n".join(f"{37 * i + 11 & 255:02x}" for i in range(512))
    files = {SOURCE: _ROM.encode(), PurePosixPath("rtl/rom.hex"): text.encode()}
    return Core("folded", files, (), 8, 1, 8, 1, (0,), 1, 1, b"", Resources(0, 0))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fpga")


def synthesized(core: Core, work: Path) -> tuple[Netlist, bytes]:
    directory = work / f"{core.in_beats}-{len(core.files)}"
    if (directory / "n.v").is_file():
        return read(directory)
    for name, data in core.files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    synthesis = "read_verilog rtl/ek_core.v; synth_ice40 -top ek_core"
    script = f"{synthesis} -json n.json; write_verilog -noattr n.v"
    subprocess.run(("yosys", "-q", "-p", script), cwd=directory, check=True)
    return read(directory)


def read(directory: Path) -> tuple[Netlist, bytes]:
    return parse((directory / "n.json").read_bytes(), "ek_core"), (directory / "n.v").read_bytes()


def random(n: int, size: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (n, size), dtype=np.uint8)


@pytest.mark.parametrize("delays", [False, True])
def test_answers_and_cycles(delays: bool, work: Path) -> None:
    for core, answers, size in (
        (hardwired(), hardwired_answers, 4),
        (folded(), folded_answers, 3),
    ):
        x = random(1000, size)
        net, _ = synthesized(core, work)
        run = run_netlist(core, net, x, work, delays=delays)
        np.testing.assert_array_equal(run.outputs, answers(x))
        assert (run.cycles.latency, run.cycles.interval) == (
            core.latency_cycles,
            core.interval_cycles,
        )
        assert run.activity.inferences * core.interval_cycles == run.activity.cycles
        assert run.activity.spram_accesses_per_cycle == (1.0 if core.weights else 0.0)


@pytest.mark.parametrize("n", [2, 9])
def test_few_inputs_fill_the_pipeline_all_the_same(n: int, work: Path) -> None:
    """A pipeline that was never full would have toggled nothing, and its power look small."""
    core, x = hardwired(), random(n, 4)
    net, _ = synthesized(core, work)
    run = run_netlist(core, net, x, work, delays=True)
    np.testing.assert_array_equal(run.outputs, hardwired_answers(x))
    many = run_netlist(core, net, random(64, 4), work, delays=True)
    assert run.activity.inferences > 1
    assert run.activity.toggles_per_cycle > 0.5 * many.activity.toggles_per_cycle


@pytest.mark.iverilog
@pytest.mark.yowasp
def test_memories_as_icarus_has_them(work: Path) -> None:
    """One stream, since each answer depends on those before it; also the RTL itself."""
    core, x = memories(), random(400, 1)
    net, verilog = synthesized(core, work)
    assert len(net.block_rams) == 4
    assert {tuple(row[74:76]) for row in net.block_rams.tolist()} == {
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 3),
    }
    ours = run_netlist(core, net, x, work, streams=1)
    theirs = run_core(core, Path(), x, "iverilog", work, netlist=verilog)
    rtl = run_core(core, Path(), x, "iverilog", work)
    np.testing.assert_array_equal(theirs.outputs, rtl.outputs)
    np.testing.assert_array_equal(ours.outputs, theirs.outputs)
    assert ours.cycles == theirs.cycles
    assert ours.activity.bram_reads_per_cycle == ours.activity.bram_writes_per_cycle == 1.0
    assert len(np.unique(theirs.outputs)) > 100


def test_a_table_in_block_ram_is_only_read(work: Path) -> None:
    core, x = rom(), random(300, 1)
    net, verilog = synthesized(core, work)
    assert len(net.block_rams) == 1
    assert b".WCLK(1'h0)" in verilog
    run = run_netlist(core, net, x, work)
    np.testing.assert_array_equal(run.outputs, rom_answers(x))
    assert run.cycles.latency == 1
    assert run.activity.bram_reads_per_cycle == 1.0
    assert run.activity.bram_writes_per_cycle == 0.0


def test_a_flipped_table_is_found(work: Path) -> None:
    core, x = hardwired(), random(1000, 4)
    net, _ = synthesized(core, work)
    cells = net.cells.copy()
    cells[np.flatnonzero(cells[:, 6] == 30)[-1], 5] ^= 1 << 6
    run = run_netlist(core, replace(net, cells=cells), x, work)
    assert (run.outputs != hardwired_answers(x)).any()


def chain(cells: dict[str, dict[str, object]], top: int) -> Netlist:
    """A netlist of one bit through `cells`, out of net `top`; two flip-flops make it a stream."""
    names = ("clk", "rst", "in_valid", "out_ready", "load_valid")
    ports: dict[str, object] = {
        name: {"direction": "input", "bits": [2 + i]} for i, name in enumerate(names)
    }
    ports["in_data"] = {"direction": "input", "bits": list(range(10, 18))}
    ports["load_data"] = {"direction": "input", "bits": list(range(20, 36))}
    ports["out_data"] = {"direction": "output", "bits": [top, *"0000000"]}
    ports["in_ready"] = {"direction": "output", "bits": ["1"]}
    ports["out_valid"] = {"direction": "output", "bits": [40]}
    valid = {"type": "SB_DFF", "connections": {"C": [2], "D": [4], "Q": [40]}, "parameters": {}}
    module = {"ports": ports, "cells": {"valid": valid, **cells}}
    return parse(json.dumps({"modules": {"ek_core": module}}).encode(), "ek_core")


def lut(init: int, inputs: list[int | str], out: int) -> dict[str, object]:
    pins = {f"I{i}": [net] for i, net in enumerate(inputs)}
    parameters = {"LUT_INIT": f"{init:016b}"}
    return {"type": "SB_LUT4", "connections": {**pins, "O": [out]}, "parameters": parameters}


def flip_flop(d: int, q: int) -> dict[str, object]:
    return {"type": "SB_DFF", "connections": {"C": [2], "D": [d], "Q": [q]}, "parameters": {}}


XOR, BUFFER = 0x6666, 0xAAAA


def test_toggles_counted_by_hand(work: Path) -> None:
    """x and a copy of it two LUTs later meet in an XOR: a glitch of 2,400 ps, which passes."""
    cells = {
        "first": lut(BUFFER, [10, "0", "0", "0"], 50),
        "second": lut(BUFFER, [50, "0", "0", "0"], 51),
        "xor": lut(XOR, [10, 51, "0", "0"], 52),
        "out": flip_flop(52, 53),
    }
    core = Core("hardwired", {}, (), 8, 1, 8, 1, (0,), 1, 1, b"", Resources(0, 0))
    x = (np.arange(4) % 2).astype(np.uint8)[:, None]
    for delays, expected in ((False, 3), (True, 5)):
        run = run_netlist(core, chain(cells, 53), x, work, streams=1, delays=delays)
        assert run.activity.toggles_per_cycle == expected
        assert not run.outputs.any()
        assert run.activity.ff_clocked == 2
    # One LUT between them: 1,200 ps, just as long as the XOR takes, so it passes; a carry: 280 ps.
    carry = {"I0": [10], "I1": [10], "CI": ["0"], "CO": [51]}
    cells["second"] = {"type": "SB_CARRY", "connections": carry, "parameters": {}}
    run = run_netlist(core, chain(cells, 53), x, work, streams=1, delays=True)
    assert run.activity.toggles_per_cycle == 3  # first, carry, input: the glitch is swallowed


def test_what_it_cannot_simulate_is_said() -> None:
    with pytest.raises(ToolError, match="cannot be read"):
        parse(b"{}", "ek_core")
    with pytest.raises(UnsupportedError, match="SB_MAC16"):
        chain({"dsp": {"type": "SB_MAC16", "connections": {}, "parameters": {}}}, 10)
    with pytest.raises(UnsupportedError, match="drive themselves"):
        chain(
            {"a": lut(BUFFER, [51, "0", "0", "0"], 50), "b": lut(BUFFER, [50, "0", "0", "0"], 51)},
            50,
        )
    other = flip_flop(10, 50)
    other["connections"] = {"C": [3], "D": [10], "Q": [50]}
    with pytest.raises(UnsupportedError, match="2 clocks"):
        chain({"other": other}, 50)
    other["type"] = "SB_DFFR"
    with pytest.raises(UnsupportedError, match="asynchronous"):
        chain({"other": other}, 50)
