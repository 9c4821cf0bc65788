"""The hand-written blocks of bits against numpy, in one simulation."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

BLOCKS = ("ek_argmax", "ek_compressor", "ek_lut_layer", "ek_popcount", "ek_threshold")
SAMPLES, INPUTS, CLASSES, WIDTH, NODES, FAN_IN = 200, 13, 7, 5, 6, 5
STEPS = 3

BENCH = """
module bench;
    reg clk = 1'b0, rst = 1'b1;
    reg [{w_in}-1:0] stored [0:{samples}-1];
    reg [{w_in}-1:0] now;
    integer k;
    wire [{inputs}-1:0] x = now[0 +: {inputs}];
    wire [{inputs}-1:0] sign = now[{inputs} +: {inputs}];
    wire [{inputs}-1:0] used = now[2*{inputs} +: {inputs}];
    wire [{classes}*{width}-1:0] scores = now[3*{inputs} +: {classes}*{width}];
    wire [3:0] count;
    wire [{classes}-1:0] passed;
    wire [{nodes}-1:0] y;
    wire [2:0] label;
    wire valid, ready;
    ek_popcount #(.INPUTS({inputs})) popcount (.x(x), .sign(sign), .used(used), .count(count));
    ek_threshold #(.CHANNELS({classes}), .WIDTH({width}), .THRESHOLDS({thresholds})) threshold (
        .sums(scores), .passed(passed));
    ek_lut_layer #(.INPUTS({inputs}), .NODES({nodes}), .FAN_IN({fan_in}), .PLACE_WIDTH(4),
        .CONNECTIONS({connections}), .TABLES({tables})) tables (.x(x), .y(y));
    ek_argmax #(.COUNT({classes}), .WIDTH({width})) argmax (.clk(clk), .rst(rst), .in_valid(1'b1),
        .in_ready(ready), .in_data(scores), .out_valid(valid), .out_ready(1'b1), .out_data(label));
    initial begin
        $readmemb("samples.txt", stored);
        now = stored[0];
        #1 clk = 1'b1; #1 clk = 1'b0; rst = 1'b0;
        for (k = 0; k < {samples} + {steps}; k = k + 1) begin
            now = stored[k < {samples} ? k : 0];
            #1 $display("%0d %b %b %0d %b", count, passed, y, label, valid);
            clk = 1'b1; #1 clk = 1'b0;
        end
    end
endmodule
"""


@pytest.fixture(scope="module")
def draw() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.iverilog
def test_blocks_equal_numpy(draw, root: Path, tmp_path: Path) -> None:
    bits = draw.integers(0, 2, (SAMPLES, 3, INPUTS))
    scores = draw.integers(-16, 16, (SAMPLES, CLASSES))
    scores[::3] //= 6  # many equal ones
    limits = draw.integers(-16, 16, CLASSES)
    places = draw.integers(0, INPUTS, (NODES, FAN_IN))
    tables = draw.integers(0, 2, (NODES, 1 << FAN_IN))
    score_bits = (scores[..., np.newaxis] >> np.arange(WIDTH)) & 1
    rows = np.concatenate([bits.reshape(SAMPLES, -1), score_bits.reshape(SAMPLES, -1)], axis=1)
    lines = ["".join(map(str, row[::-1])) for row in rows]
    (tmp_path / "samples.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
    text = BENCH.format(
        samples=SAMPLES,
        inputs=INPUTS,
        classes=CLASSES,
        width=WIDTH,
        nodes=NODES,
        fan_in=FAN_IN,
        steps=STEPS,
        w_in=rows.shape[1],
        thresholds=_vector((limits[:, np.newaxis] >> np.arange(WIDTH)) & 1),
        connections=_vector((places[..., np.newaxis] >> np.arange(4)) & 1),
        tables=_vector(tables),
    )
    (tmp_path / "bench.v").write_text(text, encoding="ascii")
    blocks = [str(root / "fpga" / "rtl" / f"{name}.v") for name in BLOCKS]
    argv = ["iverilog", "-g2005", "-o", "bench", "-s", "bench", "bench.v", *blocks]
    subprocess.run(argv, cwd=tmp_path, check=True)
    done = subprocess.run(
        ["vvp", "bench"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = [line.split() for line in done.stdout.splitlines()]

    x = bits[:, 0]
    index = (x[:, places] << np.arange(FAN_IN)).sum(axis=2)
    wanted = tables[np.arange(NODES), index]
    for k in range(SAMPLES):
        count, passed, y, _, _ = found[k]
        assert int(count) == (bits[k, 2] & (1 - (x[k] ^ bits[k, 1]))).sum()
        assert passed == "".join(map(str, (scores[k] >= limits).astype(int)[::-1]))
        assert y == "".join(map(str, wanted[k][::-1]))
        assert found[k + STEPS][3:] == [str(scores[k].argmax()), "1"]
    assert found[STEPS - 1][4] == "0"


@pytest.mark.verilator
@pytest.mark.parametrize("name", BLOCKS)
def test_linter_finds_nothing(name: str, root: Path) -> None:
    folder = root / "fpga" / "rtl"
    done = subprocess.run(
        ["verilator", "--lint-only", "-Wall", "-y", str(folder), str(folder / f"{name}.v")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def _vector(bits: np.ndarray) -> str:
    flat = bits.ravel()[::-1]
    return f"{flat.size}'b" + "".join(map(str, flat))
