"""Networks of both styles behind the AXI shell, as Vivado gets them, equal the interpreter."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from axi_shell_sim import INPUTS, OUTPUTS, Shell
from pins import compile_bench
from writers.random_binary import BinaryBuilder

from edgekit.device.agent.accelerator import Accelerator
from edgekit.device.agent.facts import Facts
from edgekit.device.vivado_build import write_project
from edgekit.ir.edges import to_bytes
from edgekit.ir.graph import Graph
from edgekit.target.fpga import folded, hardwired
from edgekit.target.fpga.core import Core, Resources
from edgekit.target.fpga.vivado import project

pytestmark = pytest.mark.iverilog

CLOCK_HZ = 50_000_000
ZYNQ = Resources(lut=53200, ff=106400, carry=13300, bram=140, dsp=220)


class BusWindow:
    """The simulated shell's registers, over its AXI4-Lite port."""

    simulated = True

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def read(self, offset: int) -> int:
        return self._shell.read(offset)

    def write(self, offset: int, value: int) -> None:
        self._shell.write(offset, value)


def core_of(style: str, graph: Graph) -> Core:
    if style == "hardwired":
        return hardwired.generate(graph)
    return folded.generate(graph, ZYNQ, rate_hz=100_000, clock_hz=CLOCK_HZ)


@pytest.mark.parametrize("style", ["hardwired", "folded"])
def test_a_network_behind_the_shell_equals_the_interpreter(style: str, tmp_path: Path) -> None:
    builder = BinaryBuilder(3, samples=6)
    y = builder.binary_dense(builder.binary_dense(builder.bits(40), 9), 5)
    graph = builder.graph(y)
    source = graph.inputs[0].tensor
    inputs = to_bytes(graph.tensors[source], builder.values[source]).view(np.uint8)
    outputs = to_bytes(graph.tensors[y], builder.values[y]).view(np.uint8)
    core = core_of(style, graph)
    made = project(
        core,
        board="pynq-z2",
        part="xc7z020clg400-1",
        model=style,
        model_hash="17" * 16,
        clock_hz=CLOCK_HZ,
        input_bytes=inputs.shape[1],
        output_bytes=outputs.shape[1],
    )
    identity = made.identity
    directory = write_project(made, tmp_path)
    parameters = {
        "IN_WIDTH": core.in_width,
        "IN_BEATS": core.in_beats,
        "OUT_WIDTH": core.out_width,
        "OUT_BEATS": core.out_beats,
        "SLOTS": identity.slots,
        "CLOCK_HZ": CLOCK_HZ,
        "BUILD_ID": f"128'h{bytes.fromhex(identity.build_id)[::-1].hex()}",
        "MODEL_HASH": f"128'h{identity.model_hash}",
    }
    sources = sorted(directory.glob("rtl/*.v"))
    compiled = compile_bench("ek_axi_shell", parameters, INPUTS, OUTPUTS, directory, sources)
    told = {**vars_of(identity), **vars_of(core)}
    facts = Facts(**{f.name: told[f.name] for f in fields(Facts)})
    with Shell(compiled, rate=1.0) as shell:
        accelerator = Accelerator(BusWindow(shell), facts, core.weights)
        accelerator.self_test()
        for wire, wanted in zip(inputs, outputs, strict=True):
            accelerator.store(1, wire.tobytes())
            cycles, answer = accelerator.infer(1)
            assert answer == wanted.tobytes()
            assert cycles >= core.latency_cycles
            assert cycles == core.latency_cycles or style == "folded"  # beats come word by word


def vars_of(value: object) -> dict[str, object]:
    return {f.name: getattr(value, f.name) for f in fields(value)}  # type: ignore[arg-type]
