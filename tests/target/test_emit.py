"""The emitter: golden text, determinism, refusals before any tool runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from native_model import arena_of, board, plan_of
from small_graph import small_graph
from writers.random_graphs import GraphBuilder

from edgekit.board import Memory
from edgekit.errors import ConfigError, DoesNotFitError, UnsupportedError
from edgekit.ir.nodes import Reshape
from edgekit.ir.text import digest
from edgekit.ir.types import Padding, Rounding
from edgekit.target.mcu import ctext, emit

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "mcu_small"
FILES = ("model.c", "model.h", "model_data.c", "model_data.h", "model.cmake")


@pytest.fixture(scope="module")
def plan():
    return plan_of(small_graph(), trace=False)


def text(plan, name):
    return plan.files[PurePosixPath("model", name)].decode()


@pytest.mark.parametrize("name", FILES)
def test_golden(plan, name):
    """`make golden` writes the files anew: read their diff."""
    path = GOLDEN / name
    if os.environ.get("EDGEKIT_GOLDEN") == "refresh":
        path.write_text(text(plan, name))
    assert text(plan, name) == path.read_text()


def test_same_bytes_whatever_the_hash_seed():
    digests = set()
    for seed in ("0", "1", "12345"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        script = Path(__file__).with_name("small_graph.py")
        done = subprocess.run(
            [sys.executable, str(script)], env=environment, capture_output=True, check=True
        )
        digests.add(done.stdout)
    assert len(digests) == 1
    assert digests == {plan_of(small_graph(), trace=False).digest().encode()}


def test_text_is_plain(plan):
    for name in FILES:
        lines = text(plan, name).splitlines()
        assert max(map(len, lines)) <= 100
        assert all(line == line.rstrip() and line.isascii() for line in lines)


def test_one_call_per_node_in_order(plan):
    body = text(plan, "model.c").split("void model_run(void)")[1]
    called = [int(k) for k in re.findall(r"&model_p_(\d+)", body)]
    nodes = small_graph().nodes
    assert called == [i for i, node in enumerate(nodes) if not isinstance(node, Reshape)]


def test_only_used_kernels_are_in_the_plan(plan):
    graph = GraphBuilder(1)
    graph.dense(graph.input(4), 3)
    found = [p.stem for p in plan_of(graph.graph(graph.nodes[-1].y)).files if "kernels" in p.parts]
    assert found == ["ek_dense_dsp"]


def test_build_id_names_files_and_model(plan):
    header = text(plan, "build_id.h")
    model_hash = digest(small_graph())[:32]
    assert ", ".join(f"0x{b:02x}" for b in bytes.fromhex(model_hash)) in header
    traced = plan_of(small_graph(), trace=True)
    assert text(traced, "build_id.h") != header
    assert text(traced, "model.c") == text(plan, "model.c")


def test_facts(plan):
    graph = small_graph()
    layout = arena_of(graph, board())
    assert plan.facts["arena_bytes"] == layout.arena_bytes
    assert plan.facts["arena_lower_bound_bytes"] == layout.lower_bound_bytes
    assert plan.facts["macs"] > 0


def test_weights_stay_small():
    """Packed weights are hardly larger than int8: odd channels and kernel rows gain a zero."""
    builder = GraphBuilder(1)
    x = builder.conv(builder.input(9, 9, 3), 16, (3, 3))
    x = builder.conv(builder.conv(x, 1, (3, 3), depthwise=True), 31, (1, 1))
    graph = builder.graph(builder.dense(x, 10))
    data = plan_of(graph).files[PurePosixPath("model/model_data.c")].decode()
    arrays = re.findall(r"int(\d+)_t model_w_\d+\[(\d+)\]", data)
    packed = sum(int(bits) // 8 * int(n) for bits, n in arrays)
    plain = sum(graph.tensors[node.weight].size for node in graph.nodes if hasattr(node, "weight"))
    assert plain <= packed <= 1.05 * plain


def _big(height: int) -> GraphBuilder:
    builder = GraphBuilder(1, samples=1)
    builder.conv(builder.input(height, 64, 4), 8, (3, 3), padding=Padding(1, 1, 1, 1))
    return builder


def test_too_large_for_ram():
    builder = _big(2000)
    graph = builder.graph(builder.nodes[-1].y)
    with pytest.raises(DoesNotFitError) as caught:
        plan_of(graph)
    message = caught.value.message
    assert "655,360 are available" in message
    needed = int(re.search(r"([\d,]+) bytes are needed", message)[1].replace(",", ""))
    assert needed > 1000 * 64 * 12
    assert message.index(builder.nodes[-1].y) < message.index(builder.inputs[0].tensor)
    assert caught.value.exit_code == 4


def test_too_large_for_flash():
    builder = GraphBuilder(1, samples=1)
    builder.dense(builder.input(300), 200)
    graph = builder.graph(builder.nodes[-1].y)
    small = board().model_copy(update={"flash_memory": Memory(base=0, size_bytes=64 * 1024)})
    layout = arena_of(graph, small)
    with pytest.raises(DoesNotFitError, match=r"65,536 are available; largest: model_w_0"):
        emit(graph, layout, small, "gcc")


def test_two_outputs_are_refused():
    builder = GraphBuilder(1, samples=1)
    x = builder.dense(builder.input(8), 4)
    graph = builder.graph(x, builder.clamp(x))
    with pytest.raises(UnsupportedError, match="2 outputs"):
        plan_of(graph)


def test_a_model_that_computes_nothing_is_refused():
    builder = GraphBuilder(1, samples=1)
    graph = builder.graph(builder.reshape(builder.input(2, 2, 2), 8))
    with pytest.raises(UnsupportedError, match="computes nothing"):
        plan_of(graph)


def test_unknown_port_and_operating_point():
    graph = small_graph()
    layout = arena_of(graph, board())
    with pytest.raises(ConfigError, match="'nowhere' does not exist"):
        emit(graph, layout, board().model_copy(update={"firmware_port": "nowhere"}), "gcc")
    with pytest.raises(ConfigError, match="no firmware for nucleo-l4r5zi") as caught:
        emit(graph, layout, board().model_copy(update={"firmware_port": None}), "gcc")
    assert "edgekit package" in caught.value.hint
    with pytest.raises(ConfigError, match="no operating point 'warp'"):
        emit(graph, layout, board(), "gcc", operating_point="warp")


def test_operating_point_reaches_the_port(plan):
    point = board().operating_points[board().contract.operating_point]
    for command in plan.commands[:-1]:
        is_firmware = any(
            part.startswith(("firmware/link", "firmware/port")) for part in command.argv
        )
        assert (f"-DEK_CLOCK_HZ={point.clock_hz}U" in command.argv) == is_firmware


def test_a_label_cannot_leave_its_comment():
    graph = small_graph()
    evil = '*/ #error \n\\ /* \u202e " %s'
    nodes = tuple(replace(node, label=evil) for node in graph.nodes)
    for data in plan_of(replace(graph, nodes=nodes)).files.values():
        assert b"*/ #error" not in data
    assert ctext.string('a"b\\') == '"a\'b/"'


@pytest.mark.parametrize("evil", ["*\\", "*\\/", "*/", "/*/", "*??//", "???/", "/\\*", "**//**//"])
def test_a_comment_holds_neither_its_end_nor_a_second_beginning(evil):
    text = ctext.comment(f"n {evil} int evil;")
    assert not any(mark in text for mark in ("*/", "/*", "\\", "??/"))


def test_lowest_int32_is_a_legal_literal():
    assert ctext.integer(-(2**31)) == "(-2147483647 - 1)"
    assert "-2147483648" not in ctext.array([-(2**31), 5])


@pytest.mark.parametrize("rounding", list(Rounding))
def test_roundings_are_chosen_by_the_plan(rounding):
    plan = plan_of(small_graph(rounding))
    for command in plan.commands:
        masks = [a for a in command.argv if a.startswith("-DEK_ROUNDINGS=")]
        is_kernel = any(a.startswith("firmware/kernels/") for a in command.argv)
        assert len(masks) == int(is_kernel)
    dense = next(c for c in plan.commands if "firmware/kernels/ek_requantize_s8.c" in c.argv)
    mask = int(next(a for a in dense.argv if "ROUNDINGS" in a).split("=")[1].rstrip("U"))
    assert bin(mask).count("1") == 1
    assert np.log2(mask) // 2 == list(Rounding).index(rounding)
