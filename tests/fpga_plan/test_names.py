"""Names from a model file stand in comments alone: they end none, and no tool obeys them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from writers.random_lowbit import ChainBuilder

from edgekit import board as boards
from edgekit.config import FpgaWish
from edgekit.ir.graph import Graph
from edgekit.ir.types import DType
from edgekit.target.fpga import hls, plan, verilog
from edgekit.target.fpga.core import Style

HOSTILE = {
    "line": 'a"b\n$finish; */ `include "x"\nendmodule /* [exec rm] {',
    "end": "a\\",
    "long": "x" * 10_000,
    "path": "../../etc/passwd",
    "unicode": "ü\u2028€\U0001f600",
    "pragma": "verilator lint_off",
    "nothing": "",
}


def network(name: str) -> Graph:
    """Return two layers with `name` wherever a model file has one."""
    builder = ChainBuilder(1)
    builder.start(24, dtype=DType.BINARY)
    builder.dense(8, DType.BINARY, DType.BINARY)
    builder.dense(4, DType.BINARY, DType.INT16)
    graph = builder.graph(builder.last)
    new = {old: f"{name}{index}" for index, old in enumerate(graph.tensors)}
    nodes = tuple(
        replace(
            node,
            label=name,
            **{
                field: new[getattr(node, field)]
                for field in ("x", "y", "weight", "bias", "thresholds")
                if getattr(node, field) is not None
            },
        )
        for node in graph.nodes
    )
    return replace(
        graph,
        name=name,
        nodes=nodes,
        inputs=tuple(replace(e, tensor=new[e.tensor], source_name=name) for e in graph.inputs),
        outputs=tuple(replace(e, tensor=new[e.tensor], source_name=name) for e in graph.outputs),
        tensors={new[key]: replace(t, name=new[key]) for key, t in graph.tensors.items()},
        constants={new[key]: value for key, value in graph.constants.items()},
    )


def code(graph: Graph, style: Style, board: str) -> dict[str, str]:
    """Return the generated text without comments, and without what digests and names change."""
    made = boards.fpga(boards.find(board))
    point = made.contract.operating_point
    design = plan.design(graph, made, FpgaWish(style=style), operating_point=point, rate_hz=10.0)
    kept = {}
    for path, data in design.plan.files.items():
        if path.suffix in {".v", ".tcl", ".ys", ".pcf", ".xdc"}:
            text = re.sub(r"(//|#).*", "", data.decode("ascii"))
            kept[str(path)] = re.sub(r"\d+'[hd]\w+|\b[0-9a-f]{32}\b", "", text)
    return kept


@pytest.mark.parametrize("case", HOSTILE)
def test_no_name_changes_the_code(case: str) -> None:
    benign, hostile = network("net"), network(HOSTILE[case])
    assert code(hostile, "hardwired", "pynq-z2") == code(benign, "hardwired", "pynq-z2")
    assert code(hostile, "folded", "icebreaker") == code(benign, "folded", "icebreaker")
    for name, data in hls.generate(hostile).items():
        same = hls.generate(benign)[name].decode("ascii")
        assert re.sub(r" *//.*", "", data.decode("ascii")) == re.sub(r" *//.*", "", same)


def test_no_tool_obeys_a_comment() -> None:
    assert verilog.comment("verilator lint_off") == "// name verilator lint_off"
    assert verilog.comment(" Synopsys translate_off").startswith("// name ")
    assert verilog.comment("digits") == "// digits"
