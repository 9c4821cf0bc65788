"""Small networks in RTL, written by hand, and what they should answer."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgekit.target.fpga.core import Core, Resources

Bytes = NDArray[np.uint8]

# Two register stages, stalled as a whole: popcount of x xnor w against a threshold, four neurons.
_HARDWIRED = """`default_nettype none
module ek_core (
    input  wire        clk,
    input  wire        rst,
    input  wire        in_valid,
    output wire        in_ready,
    input  wire [15:0] in_data,
    output wire        out_valid,
    input  wire        out_ready,
    output wire [ 7:0] out_data,
    input  wire        load_valid,
    input  wire [15:0] load_data
);
  reg [15:0] x;
  reg [3:0] y;
  reg x_valid, y_valid;
  wire go = out_ready || !y_valid;
  wire [3:0] sum0 = NEURON0;
  wire [3:0] sum1 = NEURON1;
  wire [3:0] sum2 = NEURON2;
  wire [3:0] sum3 = NEURON3;
  wire unused = &{1'b0, load_valid, load_data, x[15:12]};
  assign in_ready = go;
  assign out_valid = y_valid;
  assign out_data = {4'd0, y};
  always @(posedge clk) begin
    if (rst) begin
      x_valid <= 1'b0;
      y_valid <= 1'b0;
    end else if (go) begin
      x_valid <= in_valid;
      y_valid <= x_valid;
    end
    if (go) begin
      x <= in_data;
      y <= {sum3 >= 4'd7, sum2 >= 4'd6, sum1 >= 4'd5, sum0 >= 4'd6};
    end
  end
endmodule
`default_nettype wire
"""
MASKS = (0xA5C, 0x3F1, 0x777, 0x0B6)
LIMITS = (6, 5, 6, 7)

# Three beats in, two out; multiplies each by a weight from single-port RAM, one a clock.
_FOLDED = """`default_nettype none
module ek_core (
    input  wire        clk,
    input  wire        rst,
    input  wire        in_valid,
    output wire        in_ready,
    input  wire [ 7:0] in_data,
    output wire        out_valid,
    input  wire        out_ready,
    output wire [15:0] out_data,
    input  wire        load_valid,
    input  wire [15:0] load_data
);
  reg [2:0] loaded;
  reg [2:0] step;
  reg [23:0] x;
  reg [15:0] a;
  reg [15:0] b;
  wire [15:0] w;
  assign in_ready = step < 3'd3;
  assign out_valid = step >= 3'd6;
  assign out_data = step == 3'd6 ? a : b;
  SB_SPRAM256KA ram (
      .ADDRESS({11'd0, load_valid ? loaded : step}),
      .DATAIN(load_data),
      .MASKWREN(4'b1111),
      .WREN(load_valid),
      .CHIPSELECT(1'b1),
      .CLOCK(clk),
      .STANDBY(1'b0),
      .SLEEP(1'b0),
      .POWEROFF(1'b1),
      .DATAOUT(w)
  );
  always @(posedge clk) begin
    if (rst) begin
      loaded <= 3'd0;
      step <= 3'd0;
    end else begin
      if (load_valid) loaded <= loaded + 3'd1;
      if (in_ready && in_valid) begin
        x <= {in_data, x[23:8]};
        step <= step + 3'd1;
      end
      if (step >= 3'd3 && step < 3'd6) step <= step + 3'd1;
      if (step == 3'd4) a <= w * {8'd0, x[7:0]};
      if (step == 3'd5) b <= w + {x[23:16], x[15:8]};
      if (out_valid && out_ready) step <= step == 3'd7 ? 3'd0 : 3'd7;
    end
  end
endmodule
`default_nettype wire
"""
WEIGHTS = (11, 12, 13, 257, 4660, 15)


def _neuron(mask: int) -> str:
    terms = [f"{{3'd0, {'' if mask >> i & 1 else '~'}x[{i}]}}" for i in range(12)]
    return " + ".join(terms)


def hardwired(*, planted: bool = False) -> Core:
    """Four neurons on 12 of 16 bits; `planted`: one weight of the third is wrong."""
    text = _HARDWIRED
    for i, mask in enumerate(MASKS):
        text = text.replace(f"NEURON{i}", _neuron(mask ^ (planted and i == 2)))
    files = {PurePosixPath("rtl/ek_core.v"): text.encode()}
    return Core("hardwired", files, (), 16, 1, 8, 1, (1, 2), 2, 1, b"", Resources(0, 0))


def hardwired_answers(inputs: Bytes) -> Bytes:
    """Answers of `hardwired` to wire bytes (n, 4), of which it reads the middle two."""
    x = inputs[:, 1].astype(int) | inputs[:, 2].astype(int) << 8
    bits = np.arange(12)
    y = np.zeros(len(x), np.uint8)
    for i, (mask, limit) in enumerate(zip(MASKS, LIMITS, strict=True)):
        equal = (~(x[:, None] ^ mask) >> bits & 1).sum(axis=1)
        y |= ((equal >= limit) << i).astype(np.uint8)
    return y[:, None]


def folded() -> Core:
    """Weights in single-port RAM, loaded first; three beats in, two out."""
    files = {PurePosixPath("rtl/ek_core.v"): _FOLDED.encode()}
    weights = np.array(WEIGHTS, "<u2").tobytes()
    return Core("folded", files, (), 8, 3, 16, 2, (0, 1, 2), 7, 8, weights, Resources(0, 0))


def folded_answers(inputs: Bytes) -> Bytes:
    """Answers of `folded` to wire bytes (n, 3)."""
    x = inputs.astype(np.uint16)
    a = WEIGHTS[3] * x[:, 0]
    b = WEIGHTS[4] + (x[:, 1] | x[:, 2] << np.uint16(8))
    return np.stack([a, b], axis=1).astype("<u2").view(np.uint8)
