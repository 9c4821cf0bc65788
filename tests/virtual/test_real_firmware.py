"""The firmware that users get, on the twin and on QEMU."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from timed_run import check_timed_run, finish, timed_run
from twin_host import expected_outputs

from edgekit.build import image
from edgekit.device import session
from edgekit.device.link import Link
from edgekit.device.serial_port import open_port
from edgekit.errors import DeviceError, ToolError
from edgekit.virtual import Faults, qemu, start_twin

pytestmark = pytest.mark.virtual
TOOLCHAINS = [
    pytest.param("gcc", marks=pytest.mark.gcc),
    pytest.param("zig", marks=pytest.mark.zig),
]


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_answers_over_the_link_equal_the_graph(
    toolchain, image_of, board, cache, tmp_path, small_graph, samples
):
    with start_twin(image_of(toolchain), board, tmp_path, cache=cache) as twin:
        port = open_port(twin.link_url)
        try:
            run = session.run_samples(port, samples)
        finally:
            port.close()
        counts, stats = twin.counts(), twin.stats()
    np.testing.assert_array_equal(run.outputs, expected_outputs(small_graph, samples))
    assert run.hello.kind == 1  # virtual
    assert set(run.cycles) == {counts.cycles_hi}
    assert counts.cycles_lo < counts.cycles_hi < 2.5 * counts.cycles_lo
    assert counts.cycles_lo > counts.instructions
    assert len(counts.per_call) == len(small_graph.nodes)
    assert run.cold_start_us is not None
    assert run.cold_start_us > counts.cycles_hi / 120
    assert stats["violations"] == []
    assert stats["unknown"] == []
    assert stats["fault"] is None


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_weights_that_are_copied_to_ram(
    toolchain, image_of, board, cache, tmp_path, small_graph, samples
):
    """The same integers and instructions; loads no longer wait for the flash."""
    quick = board.model_copy(update={"weights_in": "ram"})
    images = [image_of(toolchain, on=on) for on in (board, quick)]
    with start_twin(images[0], board, tmp_path / "flash", cache=cache) as twin:
        slow = twin.counts()
    with start_twin(images[1], quick, tmp_path / "ram", cache=cache) as twin:
        port = open_port(twin.link_url)
        try:
            run = session.run_samples(port, samples)
        finally:
            port.close()
        counts, stats = twin.counts(), twin.stats()
    np.testing.assert_array_equal(run.outputs, expected_outputs(small_graph, samples))
    assert counts.instructions == slow.instructions
    assert counts.cycles_hi < slow.cycles_hi
    assert stats["violations"] == []
    sizes = [image.sizes(path, {"arena_bytes": 0}) for path in images]
    assert [s.weights_ram_bytes for s in sizes] == [0, sizes[1].weights_bytes]
    assert 0 < sizes[1].weights_bytes <= sizes[1].ram_bytes - sizes[0].ram_bytes


@pytest.mark.qemu
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_qemu_and_unicorn_agree(toolchain, image_of, board, cache, tmp_path, small_graph, samples):
    with start_twin(image_of(toolchain), board, tmp_path, cache=cache) as twin:
        counts = twin.counts()
    # The first inference of the firmware, which the twin counts, is of zeros.
    inputs = np.concatenate([np.zeros_like(samples[:1]), samples])
    run = qemu.count(image_of(toolchain, oracle=True), inputs)
    np.testing.assert_array_equal(run.outputs, expected_outputs(small_graph, inputs))
    assert abs(run.instructions[0] - counts.instructions) <= 0.0001 * counts.instructions


@pytest.mark.gcc
def test_timed_run_repeats_exactly(image_of, board, cache, tmp_path, samples):
    logs = []
    for _ in range(2):
        with start_twin(image_of("gcc"), board, tmp_path, cache=cache) as twin:
            logs.append(timed_run(twin, samples, 25, 50_000))
    assert logs[0] == logs[1]
    check_timed_run(logs[0], 25, 50_000)


@pytest.mark.gcc
def test_run_is_answered_before_it_ends(image_of, board, cache, tmp_path, samples, caplog):
    with start_twin(image_of("gcc"), board, tmp_path, cache=cache) as twin:
        port = open_port(twin.link_url)
        try:
            link = Link(port)
            link.connect()
            run = session.energy_run(link, samples, 3000, 0)
            stats = finish(run)
            link.bye()
        finally:
            port.close()
    assert stats.n == 3000
    assert not caplog.records  # a lost answer would be retried and logged


@pytest.mark.gcc
def test_run_survives_a_reset_and_a_bad_cable(
    image_of, board, cache, tmp_path, small_graph, samples
):
    faults = Faults(seed=3, flip_rate=0.0005, reset_after_bytes=400)
    with start_twin(image_of("gcc"), board, tmp_path, cache=cache, faults=faults) as twin:
        port = open_port(twin.link_url)
        try:
            run = session.run_samples(port, samples)
        finally:
            port.close()
        assert twin.stats()["resets"] == 1
    np.testing.assert_array_equal(run.outputs, expected_outputs(small_graph, samples))


@pytest.mark.qemu
def test_qemu_that_cannot_start_is_told(tmp_path, samples):
    with pytest.raises(ToolError, match="ended while it ran"):
        qemu.count(tmp_path / "missing.elf", samples)


@pytest.mark.qemu
@pytest.mark.gcc
def test_inputs_of_another_size_are_refused(image_of, samples):
    with pytest.raises(DeviceError, match="takes 300 bytes"):
        qemu.count(image_of("gcc", oracle=True), samples[:, :10])
    running = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True)
    image = str(image_of("gcc", oracle=True))
    assert not [line for line in running.stdout.splitlines() if image in line and "qemu" in line]
