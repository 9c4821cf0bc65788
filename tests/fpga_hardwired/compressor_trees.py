"""The baseline called csa: 3:2 compressors over the inputs in index order, as a recount.

`python tests/fpga_hardwired/compressor_trees.py [NETWORK ...]` prints LUT4 in our own wrapper.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from counting import ROOT
from counting_wrapper import score_width, wrapper
from writers.fixed_digits import NAMES, Ints, arrays_of

from edgekit.target.fpga.core import Core, Resources

_SUM_BITS = 7


def core_of(arrays: dict[str, Ints]) -> tuple[Core, str]:
    """Return the interface and the text of ek_core: two layers of compressor trees."""
    inputs = arrays["W1"].shape[1]
    in_width = -(-inputs // 32) * 32
    lines: list[str] = []
    for row, weights in enumerate(arrays["W1"]):
        bits = [f"in_data[{j}]" if w > 0 else f"{{~in_data[{j}]}}" for j, w in _used(weights)]
        total = _tree(lines, f"a{row}", bits)
        limit = int(arrays["t1_pop"][row])
        lines.append(f"    wire d{row} = {total} >= {limit};\n    reg h{row};\n")
        lines.append(f"    always @(posedge clk) h{row} <= d{row};\n")
    for row, weights in enumerate(arrays["W2"]):
        bits = [f"h{j}" if w > 0 else f"{{~h{j}}}" for j, w in _used(weights)]
        start = int(arrays["b2"][row]) - len(bits)  # score = 2 * matches - inputs + bias
        total = _tree(lines, f"b{row}", bits, start >> 1)
        lines.append(f"    reg [{_SUM_BITS}:0] r{row};\n")
        lines.append(
            f"    always @(posedge clk) r{row} <= {{{total}[{_SUM_BITS - 1}:0], 1'b{start % 2}}};\n"
        )
        lines.append(
            f"    wire [15:0] s{row} = {{{{{15 - _SUM_BITS}{{r{row}[{_SUM_BITS}]}}}}, r{row}}};\n"
        )
    scores = ", ".join(f"s{row}" for row in reversed(range(len(arrays["W2"]))))
    head = f"""module ek_core (
    input wire clk, input wire rst, input wire in_valid, output wire in_ready,
    input wire [{in_width - 1}:0] in_data, output wire out_valid, input wire out_ready,
    output wire [159:0] out_data, input wire load_valid, input wire [15:0] load_data);
    assign in_ready = 1'b1;
    assign out_valid = 1'b1;
    assign out_data = {{{scores}}};
"""
    kept = tuple(range(in_width // 8))
    core = Core("hardwired", {}, (), in_width, 1, 160, 1, kept, 2, 1, b"", Resources(0, 0))
    return core, head + "".join(lines) + "endmodule\n"


def _used(weights: Ints) -> Iterator[tuple[int, int]]:
    return ((j, int(w)) for j, w in enumerate(weights) if w)


def _tree(lines: list[str], stem: str, bits: list[str], constant: int = 0) -> str:
    """Append 3:2 compressors until two bits a column are left; return the last addition."""
    columns, number = [bits, *([] for _ in range(_SUM_BITS - 1))], 0
    for place, column in enumerate(columns):
        column += ["1'b1"] * (constant >> place & 1)
    while any(len(column) > 2 for column in columns):
        after: list[list[str]] = [[] for _ in range(len(columns) + 1)]
        for place, column in enumerate(columns):
            for start in range(0, len(column), 3):
                part = column[start : start + 3]
                if len(part) < 3:
                    after[place] += part
                    continue
                a, b, c = part
                name, number = f"{stem}_{number}", number + 1
                lines.append(f"    wire {name}s = {a} ^ {b} ^ {c};\n")
                lines.append(f"    wire {name}c = ({a} & {b}) | ({a} & {c}) | ({b} & {c});\n")
                after[place].append(f"{name}s")
                after[place + 1].append(f"{name}c")
        columns = after if after[-1] else after[:-1]
    first, second = (
        ", ".join(["1'b0", *(c[k] if len(c) > k else "1'b0" for c in reversed(columns))])
        for k in (0, 1)
    )
    lines.append(f"    wire [{len(columns)}:0] {stem}_sum = {{{first}}} + {{{second}}};\n")
    return f"{stem}_sum"


def main() -> None:
    for name in sys.argv[1:] or NAMES:
        arrays = arrays_of(ROOT.parent / "shared" / "data", name)
        core, text = core_of(arrays)
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            (work / "core.v").write_text(text, encoding="utf-8")
            top = wrapper(core, arrays["W1"].shape[1], 10, score_width(arrays))
            (work / "top.v").write_text(top, encoding="utf-8")
            files = f"core.v top.v {ROOT}/fpga/rtl/ek_argmax.v"
            script = f"read_verilog {files}; synth_ice40 -top top; tee -o stat stat"
            subprocess.run(["yosys", "-q", "-p", script], cwd=work, check=True, capture_output=True)
            stat = (work / "stat").read_text(encoding="utf-8")
        sys.stdout.write(f"{name} LUT4 {re.findall(r'SB_LUT4 +([0-9]+)', stat)[-1]}\n")


if __name__ == "__main__":
    main()
