"""A whole board in RTL: the shell around a network that counts ones."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from edgekit._data import data_dir

BUILD_ID = bytes(range(16, 32))
LATENCY = 3
_FACTS = {
    "IN_WIDTH": 64,
    "OUT_WIDTH": 16,
    "INPUT_BYTES": 8,
    "OUTPUT_BYTES": 2,
    "SLOTS": 64,
    "CLOCK_MHZ": 12,
    "DIV": 8,
    "SLEEPS": 1,
    "STORE_SPRAM_BITS": 16,
    "LINK_SPRAM": 1,
    "BAUD": "32'd1500000",
    "NODES": "32'd1",
    "BUILD_ID": "`EK_BUILD_ID",
}
_INPUTS = ("clk", "slow_clk", "rst", "twin", "skip", "rx")
_OUTPUTS = ("ahead", "tx", "mark", "awake", "running", "idle")
_PORTS = {n: "[23:0] " if n in ("skip", "ahead") else "" for n in _INPUTS + _OUTPUTS}
_CORE = """`default_nettype none
module ek_core (
    input wire clk, input wire rst, input wire in_valid, output wire in_ready,
    input wire [63:0] in_data, output wire out_valid, input wire out_ready,
    output wire [15:0] out_data, input wire load_valid, input wire [15:0] load_data
);
  reg [2:0] valid;
  reg [63:0] x;
  reg [6:0] ones, count, total;
  reg [7:0] low, first;
  integer i;
  wire step = !valid[2] || out_ready;
  wire unused = &{1'b0, load_valid, load_data};
  assign in_ready = step;
  assign out_valid = valid[2];
  assign out_data = {first, 1'b0, total};
  always @* begin
    ones = 7'd0;
    for (i = 0; i < 64; i = i + 1) ones = ones + {6'd0, x[i]};
  end
  always @(posedge clk) begin
    if (rst) valid <= 3'd0;
    else if (step) valid <= {valid[1:0], in_valid};
    if (step) begin
      x <= in_data;
      count <= ones;
      low <= x[7:0];
      total <= count;
      first <= low;
    end
  end
endmodule
`default_nettype wire
"""


def sources() -> dict[PurePosixPath, bytes]:
    """What `sources_in` returns of a build: blocks, the network, and the board around it."""
    stems = ("clock", "crc32", "frame_rx", "frame_tx", "link", "link_program", "result", "run")
    stems += ("sequencer", "shell", "spram", "spram_lane", "store", "uart_rx", "uart_tx", "widen")
    rtl = data_dir("fpga") / "rtl"
    files = {PurePosixPath(f"rtl/ek_{s}.v"): (rtl / f"ek_{s}.v").read_bytes() for s in stems}
    ports = ", ".join(
        f"{'input' if name in _INPUTS else 'output'} wire {width}{name}"
        for name, width in _PORTS.items()
    )
    facts = ", ".join(f".{name}({value})" for name, value in _FACTS.items())
    wires = ", ".join(f".{name}({name})" for name in _PORTS)
    board = f'`include "ek_build_id.vh"\nmodule ek_board ({ports});\n'
    board += f"ek_shell #({facts}) u_shell ({wires});\nendmodule\n"
    identity = f"`define EK_BUILD_ID 128'h{BUILD_ID[::-1].hex()}\n"
    return {
        **files,
        PurePosixPath("rtl/ek_core.v"): _CORE.encode(),
        PurePosixPath("rtl/ek_board.v"): board.encode(),
        PurePosixPath("rtl/ek_build_id.vh"): identity.encode(),
    }


def write(directory: Path) -> None:
    """Write the sources as a build would, with the pads that a twin leaves out."""
    for name, data in sources().items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    (directory / "rtl/ek_top.v").write_text("module ek_top; SB_HFOSC pads (); endmodule\n")


def expected(inputs: np.ndarray) -> np.ndarray:
    """Answers to int8 [n, 8]: how many ones, and the first byte."""
    ones = np.unpackbits(inputs.view(np.uint8), axis=1).sum(axis=1)
    return np.stack([ones.astype(np.int8), inputs[:, 0]], axis=1)
