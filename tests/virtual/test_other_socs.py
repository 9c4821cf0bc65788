"""Boards whose cores have no timing table: what users get of them, on their twins."""

from __future__ import annotations

import numpy as np
import pytest
from timed_run import check_timed_run, timed_run
from twin_host import expected_outputs

from edgekit import board as boards
from edgekit.device import session
from edgekit.device.serial_port import open_port
from edgekit.errors import ToolError
from edgekit.virtual import qemu, start_twin

pytestmark = [pytest.mark.virtual]
BOARDS = ["nucleo-u575zi-q", "nucleo-h7a3zi-q"]
IMAGES = [
    pytest.param("nucleo-u575zi-q", "gcc", "run_160mhz", marks=pytest.mark.gcc),
    pytest.param("nucleo-u575zi-q", "zig", "run_160mhz", marks=pytest.mark.zig),
    pytest.param("nucleo-u575zi-q", "gcc", "run_48mhz", marks=pytest.mark.gcc),
    pytest.param("nucleo-u575zi-q", "gcc", "run_24mhz", marks=pytest.mark.gcc),
    pytest.param("nucleo-h7a3zi-q", "gcc", "run_280mhz", marks=pytest.mark.gcc),
    pytest.param("nucleo-h7a3zi-q", "zig", "run_280mhz", marks=pytest.mark.zig),
    pytest.param("nucleo-h7a3zi-q", "gcc", "run_64mhz", marks=pytest.mark.gcc),
]


@pytest.mark.parametrize(("name", "toolchain", "point"), IMAGES)
def test_runs_and_sleeps_as_its_silicon_would(
    name, toolchain, point, image_of, cache, tmp_path, small_graph, samples
):
    """Bit-exact over the link, then timed with deep sleep, and nothing amiss on the way."""
    board = boards.find(name)
    elf = image_of(toolchain, on=board, operating_point=point)
    with start_twin(elf, board, tmp_path, cache=cache, operating_point=point) as twin:
        port = open_port(twin.link_url)
        try:
            run = session.run_samples(port, samples)
        finally:
            port.close()
        wakeup_us = board.operating_points[point].wakeup_us.value
        log = timed_run(twin, samples, 5, 100_000, wakeup_us=wakeup_us)
        check_timed_run(log, 5, 100_000)
        counts, stats = twin.counts(), twin.stats()
    np.testing.assert_array_equal(run.outputs, expected_outputs(small_graph, samples))
    assert run.hello.kind == 1  # virtual
    assert run.hello.board.rstrip(b"\0") == name.encode()
    assert stats["core_hz"] == board.operating_points[point].clock_hz
    assert stats["violations"] == []
    assert stats["unknown"] == []
    assert stats["fault"] is None
    assert (counts.cycles_lo, counts.cycles_hi) == (None, None)
    assert len(counts.per_call) == len(small_graph.nodes)
    for call in counts.per_call:
        assert (call.cycles_lo, call.cycles_hi, call.flash_misses) == (None, None, None)
        assert call.instructions > 0
        assert call.bytes_moved > 0
    assert counts.instructions > sum(call.instructions for call in counts.per_call)


@pytest.mark.gcc
@pytest.mark.parametrize("name", BOARDS)
def test_counts_are_those_of_the_m4(name, image_of, board, cache, tmp_path):
    """The same code counts the same on each core; code compiled for it differs a little."""
    other = boards.find(name)
    found = []
    for on in (board, other.model_copy(update={"cpu": board.cpu}), other):
        with start_twin(image_of("gcc", on=on), on, tmp_path, cache=cache) as twin:
            found.append(twin.counts())
    m4, same_code, own_code = found
    assert same_code.instructions == m4.instructions
    assert same_code.stack_bytes == m4.stack_bytes
    assert abs(own_code.instructions / m4.instructions - 1) < 0.02


@pytest.mark.qemu
@pytest.mark.gcc
@pytest.mark.parametrize("name", BOARDS)
def test_qemu_and_unicorn_agree(name, image_of, cache, tmp_path, samples):
    board = boards.find(name)
    with start_twin(image_of("gcc", on=board), board, tmp_path, cache=cache) as twin:
        counts = twin.counts()
    # The first inference of the firmware, which the twin counts, is of zeros.
    zeros = np.zeros_like(samples[:1])
    run = qemu.count(image_of("gcc", on=board, oracle=True), zeros, board.cpu)
    assert abs(run.instructions[0] - counts.instructions) <= 0.0001 * counts.instructions


@pytest.mark.gcc
@pytest.mark.parametrize("name", BOARDS)
def test_a_reset_keeps_inputs_and_the_count_of_boots(
    name, image_of, cache, tmp_path, small_graph, samples
):
    board = boards.find(name)
    with start_twin(image_of("gcc", on=board), board, tmp_path, cache=cache) as twin:
        boots = []
        for _ in range(2):
            port = open_port(twin.link_url)
            try:
                run = session.run_samples(port, samples)
            finally:
                port.close()
            boots.append(run.hello.boot_count)
            np.testing.assert_array_equal(run.outputs, expected_outputs(small_graph, samples))
            assert twin.control("reset")["done"]
        assert boots == [1, 2]
        assert twin.stats()["violations"] == []


@pytest.mark.gcc
def test_a_chip_that_has_no_model_is_named(image_of, board, cache, tmp_path):
    other = board.model_copy(update={"firmware_port": "stm32f4"})
    with pytest.raises(ToolError, match=r"soc: 'stm32f4' has no model; known: .*stm32l4r5"):
        start_twin(image_of("gcc"), other, tmp_path, cache=cache)
