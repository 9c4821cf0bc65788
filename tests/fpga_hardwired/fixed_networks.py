"""The fixed trained networks of the data folder as graphs, and the wrapper they are counted in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.graph import Graph, Source
from edgekit.ir.lowbit import LowBitDense
from edgekit.ir.types import DType, Edge, Tensor
from edgekit.target.fpga.core import Core

Array = NDArray[np.int64]
NETWORKS = (
    "digits_bin_64-64-10_dense",
    "digits_bin_64-64-10_p80",
    "digits_bin_64-64-10_p90",
    "digits_therm3_192-64-10_p80",
    "digits_therm3_192-64-10_p90",
)


def load(folder: Path, name: str) -> dict[str, Array]:
    """Return the arrays of a network."""
    with np.load(folder / "fpga" / f"{name}.npz") as arrays:
        return {key: arrays[key].astype(np.int64) for key in arrays.files}


def graph_of(name: str, arrays: dict[str, Array]) -> Graph:
    """Return the network: bits in, class scores out."""
    hidden, inputs = arrays["W1"].shape
    classes = arrays["W2"].shape[0]
    constants = {
        "w1": arrays["W1"],
        "b1": np.zeros(hidden, np.int64),
        "t1": arrays["t1"].reshape(hidden, 1),
        "w2": arrays["W2"],
        "b2": arrays["b2"],
    }
    tensors = {
        "x": Tensor("x", (inputs,), DType.BINARY),
        "h": Tensor("h", (hidden,), DType.BINARY),
        "score": Tensor("score", (classes,), DType.INT16),
    }
    for key, value in constants.items():
        value.setflags(write=False)
        dtype = DType.TERNARY if key.startswith("w") else DType.INT32
        tensors[key] = Tensor(key, value.shape, dtype)
    nodes = (
        LowBitDense("hidden", "x", "h", "w1", "b1", 0, "t1", -1),
        LowBitDense("classes", "h", "score", "w2", "b2", 0, None, 0),
    )
    edges = [
        Edge(name, name, (1, size), kind, 1.0, 0, dtype=dtype)
        for name, size, kind, dtype in (
            ("x", inputs, "int8", DType.BINARY),
            ("score", classes, "int16", DType.INT16),
        )
    ]
    source = Source("edgekit", "none", "")
    stem = name.replace("-", "_")
    return Graph(stem, source, (edges[0],), (edges[1],), nodes, tensors, constants)


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


def score_width(arrays: dict[str, Array]) -> int:
    """Return the bits of the scores' reachable range."""
    reach = np.abs(arrays["W2"]).sum(axis=1) + np.abs(arrays["b2"])
    return 1 + int(reach.max()).bit_length()
