"""The wrapper that the fixed networks are counted in."""

from __future__ import annotations

import numpy as np
from writers.fixed_digits import Ints

from edgekit.target.fpga.core import Core


def wrapper(core: Core, inputs: int, classes: int, width: int) -> str:
    """Return `top`: shift, holding and input register, the core, and the argmax.

    One bit of the image a clock on `serial`; `load` takes the whole image over; with the hidden
    layer and the scores it is eight registers from input to class.
    """
    bits = [8 * byte + i for byte in core.kept_bytes for i in range(8)]
    data = ", ".join(f"taken[{b}]" if b < inputs else "1'b0" for b in reversed(bits))
    scores = ", ".join(f"scores[{16 * k + width - 1}:{16 * k}]" for k in reversed(range(classes)))
    return f"""`default_nettype none
module top (
    input  wire clk,
    input  wire serial,
    input  wire load,
    output wire [3:0] label
);
    reg [{inputs - 1}:0] shifted, held, taken;
    always @(posedge clk) begin
        shifted <= {{serial, shifted[{inputs - 1}:1]}};
        if (load)
            held <= shifted;
        taken <= held;
    end
    wire [{core.out_width - 1}:0] scores;
    ek_core core (
        .clk(clk), .rst(1'b0), .in_valid(1'b1), .in_ready(), .in_data({{{data}}}),
        .out_valid(), .out_ready(1'b1), .out_data(scores), .load_valid(1'b0), .load_data(16'd0)
    );
    ek_argmax #(.COUNT({classes}), .WIDTH({width})) argmax (
        .clk(clk), .rst(1'b0), .in_valid(1'b1), .in_ready(), .in_data({{{scores}}}),
        .out_valid(), .out_ready(1'b1), .out_data(label)
    );
endmodule
`default_nettype wire
"""


def score_width(arrays: dict[str, Ints]) -> int:
    """Return the bits of the scores' reachable range."""
    reach = np.abs(arrays["W2"]).sum(axis=1) + np.abs(arrays["b2"])
    return 1 + int(reach.max()).bit_length()
