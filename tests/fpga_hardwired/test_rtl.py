"""The generated Verilog: simulated against the reference, clean for the linter, the same always."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from circuits import CASES, case_graph

from edgekit.errors import ConfigError, UnsupportedError
from edgekit.ir.edges import from_bytes, to_bytes
from edgekit.target.fpga.hardwired import generate

CORE = PurePosixPath("rtl/ek_core.v")


@pytest.mark.iverilog
@pytest.mark.parametrize(("case", "seed", "stages"), [(0, 1, None), (2, 1, 5), (5, 3, None)])
def test_rtl_equals_interp(case: int, seed: int, stages, root: Path, tmp_path: Path) -> None:
    from edgekit.virtual.fpga.bench import run_core

    graph, x, y = case_graph(CASES[case], seed)
    core = generate(graph, stages=stages)
    wire = to_bytes(graph.tensors[graph.inputs[0].tensor], x).view(np.uint8)
    plain = run_core(core, root / "fpga" / "rtl", wire, "iverilog", tmp_path)
    stressed = run_core(core, root / "fpga" / "rtl", wire, "iverilog", tmp_path, stress=7)
    np.testing.assert_array_equal(stressed.outputs, plain.outputs)
    result = graph.tensors[graph.outputs[0].tensor]
    out = from_bytes(result, plain.outputs.view(np.int8)).reshape(y.shape)
    np.testing.assert_array_equal(out, y)
    assert plain.cycles.latency == core.latency_cycles == (stages or core.latency_cycles)
    assert plain.cycles.interval == core.interval_cycles == 1


@pytest.mark.verilator
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_linter_finds_nothing(case, tmp_path: Path) -> None:
    graph, _, _ = case_graph(case, 2)
    path = tmp_path / "ek_core.v"
    path.write_bytes(generate(graph, stages=3).files[CORE])
    done = subprocess.run(
        ["verilator", "--lint-only", "-Wall", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_verilog_is_the_same_in_another_process() -> None:
    graph, _, _ = case_graph(CASES[2], 4)
    text = generate(graph).files[CORE]
    script = (
        "import sys; from circuits import CASES, case_graph\n"
        "from edgekit.target.fpga.hardwired import generate\n"
        "core = generate(case_graph(CASES[2], 4)[0])\n"
        "sys.stdout.buffer.write(next(iter(core.files.values())))"
    )
    other = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "123"},
    )
    assert other.stdout == text


def test_what_has_no_hard_wired_form_is_named() -> None:
    from writers.random_graphs import GraphBuilder

    builder = GraphBuilder(3)
    graph = builder.graph(builder.dense(builder.input(4), 2))
    with pytest.raises(UnsupportedError, match=r"node DENSE .* \(Dense\) has no hard-wired form"):
        generate(graph)
    with pytest.raises(ConfigError, match="0 register stages; at least 1 is needed"):
        generate(case_graph(CASES[0], 1)[0], stages=0)
