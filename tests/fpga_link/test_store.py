"""The store of inputs where the network reads bytes in another order than they come."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_shell import CORE, FACTS

from edgekit.target.fpga import shell
from edgekit.target.fpga.core import Core

RTL = Path(__file__).resolve().parent.parent.parent / "fpga" / "rtl"
SIDE, BLOCK, SLOTS = 6, 2, 3
BENCH = """
module bench;
    reg clk = 1'b0, home = 1'b0, spare = 1'b0, write = 1'b0, read = 1'b0;
    reg [7:0] sent [0:{total}-1];
    reg [15:0] at;
    wire [{width}-1:0] word;
    integer n;
    always #1 clk = !clk;
    ek_store #(.WIDTH({width}), .BYTES({bytes}), .WORDS({words}), .SLOTS({slots}),
               .LOOPS({LOOPS}), .COUNTS({COUNTS}), .JUMPS({JUMPS}), .ADDR_BITS(16)) u_store (
        .clk(clk), .rst(1'b0), .write_home(home), .write_spare(spare), .write(write),
        .write_data(sent[n]), .read(read), .read_addr(at), .read_data(word));
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
            @(negedge clk); $display("%h", word);
        end
        $finish;
    end
endmodule
"""


def _blocks() -> np.ndarray:
    """The wire bytes of an image in the order of its blocks: rows, columns, rows and columns."""
    cells = np.arange(SIDE * SIDE).reshape(SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK)
    return cells.transpose(0, 2, 1, 3).reshape(-1)


def _core(order: np.ndarray, width: int) -> Core:
    beats = 8 * len(order) // width
    return replace(CORE, in_width=width, in_beats=beats, kept_bytes=tuple(map(int, order)))


@pytest.mark.iverilog
@pytest.mark.parametrize("width", [8, 16])
def test_blocks_of_an_image_are_put_together(width: int, tmp_path: Path) -> None:
    order = _blocks()
    core, facts = _core(order, width), replace(FACTS, input_bytes=len(order))
    kept = shell.store(core, facts)
    assert kept.width == width
    sent = np.random.default_rng(3).integers(0, 256, (SLOTS + 1, len(order)), dtype=np.uint8)
    (tmp_path / "sent.hex").write_text("\n".join(f"{byte:02x}" for byte in sent.reshape(-1)))
    numbers = {"total": sent.size, "bytes": len(order), "words": kept.words, "slots": SLOTS}
    text = BENCH.format(width=width, **numbers, **shell._loops(kept))
    (tmp_path / "bench.v").write_text(text)
    argv = ["iverilog", "-g2005", "-o", "bench", "bench.v", str(RTL / "ek_store.v")]
    subprocess.run(argv, cwd=tmp_path, check=True)
    done = subprocess.run(
        ["vvp", "bench"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    read = bytes.fromhex("".join(done.stdout.split()))
    words = np.frombuffer(read, np.uint8).reshape(SLOTS + 1, -1, width // 8)[:, :, ::-1]
    np.testing.assert_array_equal(words.reshape(SLOTS + 1, -1), sent[:, order])


def test_an_order_that_is_no_nest_is_refused_and_pieces_stay_whole() -> None:
    order = _blocks()
    facts = replace(FACTS, input_bytes=len(order))
    assert shell.store(_core(order, 32), facts).width == 16  # two bytes of a block's row
    mixed = order.copy()
    mixed[[3, 5]] = mixed[[5, 3]]
    with pytest.raises(shell.UnsupportedError, match="another order"):
        shell.store(_core(mixed, 8), facts)
