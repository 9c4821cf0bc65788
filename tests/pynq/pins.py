"""Drives the pins of one Verilog module from Python, a clock at a time, in simulation."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

RTL = Path(__file__).resolve().parents[2] / "fpga" / "rtl"

_BENCH = """`timescale 1ns/1ps
module bench;
    reg clk = 1'b0;
    reg [{in_bits}-1:0] pins_in = 0;
    reg [{in_bits}-1:0] line = 0;
    wire [{out_bits}-1:0] pins_out;
    integer got;
    {module} #({parameters}) dut (.clk(clk), {ports});
    initial begin
        forever begin
            got = $fscanf(32'h8000_0000, " %h", line);
            if (got != 1) $finish;
            pins_in = line;
            #1 $display("%b", pins_out);
            $fflush;
            #1 clk = 1'b1;
            #1 clk = 1'b0;
        end
    end
endmodule
"""

Ports = Sequence[tuple[str, int]]  # name, width


def compile_bench(
    module: str,
    parameters: Mapping[str, int],
    inputs: Ports,
    outputs: Ports,
    work: Path,
    extra: Sequence[Path] = (),
    simulator: Literal["iverilog", "verilator"] = "iverilog",
) -> Path:
    """Compile `module` of fpga/rtl with a bench around it; returns what `Pins` runs."""
    where = {}
    for ports in (inputs, outputs):
        low = 0
        for name, width in ports:
            where[name] = (low, width)
            low += width
    connect = [f".{n}(pins_in[{where[n][0]}+:{where[n][1]}])" for n, _ in inputs]
    connect += [f".{n}(pins_out[{where[n][0]}+:{where[n][1]}])" for n, _ in outputs]
    bench = work / "bench.v"
    bench.write_text(
        _BENCH.format(
            module=module,
            parameters=", ".join(f".{k}({v})" for k, v in parameters.items()),
            ports=", ".join(connect),
            in_bits=sum(w for _, w in inputs),
            out_bits=sum(w for _, w in outputs),
        )
    )
    if simulator == "verilator":
        command = ["verilator", "--binary", "--timing", "-Wno-fatal", "-Mdir", work, "-y", RTL]
        out = work / "Vbench"
        command += ["--top-module", "bench", bench, *extra]
    else:
        out = work / "bench.vvp"
        command = ["iverilog", "-g2005", "-Wall", "-y", RTL, "-s", "bench", "-o", out, bench]
        command += extra
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return out


class Pins:
    """A running simulation; outputs are those before the clock edge, of this clock's inputs."""

    def __init__(self, compiled: Path, inputs: Ports, outputs: Ports) -> None:
        self._inputs = inputs
        self._outputs = outputs
        self._digits = -(-sum(w for _, w in inputs) // 4)
        self.now: dict[str, int] = {name: 0 for name, _ in inputs}
        self.clocks = 0
        self._process = subprocess.Popen(
            ["vvp", "-n", str(compiled)] if compiled.suffix == ".vvp" else [str(compiled)],
            cwd=compiled.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Pins:
        return self

    def __exit__(self, *_: Any) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def clock(self, **changes: int) -> dict[str, int]:
        """Change some inputs, return all outputs, and give one clock."""
        assert self._process.stdin
        assert self._process.stdout
        self.now.update(changes)
        value = low = 0
        for name, width in self._inputs:
            assert 0 <= self.now[name] < 1 << width, name
            value |= self.now[name] << low
            low += width
        self._process.stdin.write(b"%0*x\n" % (self._digits, value))
        self._process.stdin.flush()
        self.clocks += 1
        line = self._process.stdout.readline().strip()
        bits = int(line.replace(b"x", b"0"), 2)  # what was never written is nobody's business
        found, low = {}, 0
        for name, width in self._outputs:
            found[name] = bits >> low & ((1 << width) - 1)
            low += width
        return found
