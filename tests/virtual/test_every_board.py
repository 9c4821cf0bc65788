"""The firmware of every emulated board, on its twin: exact answers, a timed run, a reset."""

from __future__ import annotations

import numpy as np
import pytest
from twin_host import expected_outputs

from edgekit import board as boards
from edgekit.build import run as executor
from edgekit.device import session
from edgekit.device.link import Link
from edgekit.device.serial_port import open_port
from edgekit.passes import memory, optimize
from edgekit.target import mcu
from edgekit.virtual import start_twin

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]
BOARDS = [b for b in map(boards.find, boards.names()) if b.emulated and b.target == "mcu"]
# What a twin runs block by block itself; the others are QEMU's.
UNICORN = [b for b in BOARDS if b.firmware_port not in ("mps3_an547", "virt_rv32")]
NAMES = [b.name for b in UNICORN]


@pytest.fixture(scope="module", params=UNICORN, ids=NAMES)
def board(request):
    return request.param


@pytest.fixture(scope="module")
def image(board, small_graph, tmp_path_factory):
    graph = optimize(small_graph)
    scratch, overlaps = mcu.scratch_bytes(graph, board), mcu.overlaps(graph, board)
    plan = mcu.emit(graph, memory.plan(graph, scratch, overlaps), board, "gcc")
    return executor.execute(plan, tmp_path_factory.mktemp(board.name)).products["elf"]


@pytest.fixture
def twin(image, board, cache, tmp_path):
    with start_twin(image, board, tmp_path, cache=cache) as started:
        yield started


def test_answers_equal_the_graph_before_and_after_a_reset(twin, board, small_graph, samples):
    wanted = expected_outputs(small_graph, samples)
    port = open_port(twin.link_url)
    try:
        first = session.run_samples(port, samples)
        twin.control("reset")
        second = session.run_samples(port, samples)
    finally:
        port.close()
    np.testing.assert_array_equal(first.outputs, wanted)
    np.testing.assert_array_equal(second.outputs, wanted)
    assert first.hello.kind == 1  # virtual
    assert first.hello.board.rstrip(b"\0").decode() == board.name
    assert (first.hello.boot_count, second.hello.boot_count) == (1, 2)
    counts, stats = twin.counts(), twin.stats()
    assert len(counts.per_call) == len(small_graph.nodes)
    assert counts.instructions > 10_000
    assert (stats["violations"], stats["unknown"], stats["fault"]) == ([], [], None)


def test_a_timed_run_keeps_its_period_and_sleeps_between(twin, board, samples):
    port = open_port(twin.link_url)
    try:
        link = Link(port)
        link.connect()
        run = session.energy_run(link, samples, 5, 20_000)
        run.start()
        stats = None
        while stats is None:
            stats = run.poll(0.05)
        link.bye()
    finally:
        port.close()
    assert stats.missed == 0
    assert stats.n == 5
    # Four periods and one inference at least; a tick of the time base more at most, each period.
    assert 80_000 <= stats.t_us <= 102_000
    found = twin.stats()
    assert (found["violations"], found["unknown"], found["fault"]) == ([], [], None)
