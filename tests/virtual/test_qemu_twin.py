"""Boards that QEMU runs, behind the same link as every other twin."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from edgekit import board as boards
from edgekit.build import run as executor
from edgekit.build import tools
from edgekit.device import session
from edgekit.device.serial_port import open_port
from edgekit.errors import DeviceError, ToolError
from edgekit.ir import interp
from edgekit.passes import memory, optimize
from edgekit.target import mcu
from edgekit.virtual import Faults, qemu, start_twin

pytestmark = [pytest.mark.virtual, pytest.mark.qemu]
_M = pytest.mark
BOARDS = [
    pytest.param("mps3-an547", marks=[_M.gcc]),
    pytest.param("qemu-virt-rv32", marks=[_M.qemu_riscv, _M.riscv]),
]


@pytest.fixture(scope="session")
def qemu_image(tmp_path_factory, small_graph):
    work = tmp_path_factory.mktemp("qemu-images")

    def build(name: str) -> Path:
        board = boards.find(name)
        graph = optimize(small_graph)
        arena = memory.plan(graph, mcu.scratch_bytes(graph, board), mcu.overlaps(graph, board))
        return executor.execute(mcu.emit(graph, arena, board, "gcc"), work).products["elf"]

    return build


def _run(twin, samples):
    port = open_port(twin.link_url)
    try:
        return session.run_samples(port, samples)
    finally:
        port.close()


def _expected(graph, samples):
    source, result = graph.inputs[0].tensor, graph.outputs[0].tensor
    x = samples.reshape(len(samples), *graph.tensors[source].shape).astype(np.int64)
    return interp.run(graph, {source: x})[result].reshape(len(samples), -1)


def _emulators(image: Path) -> list[int]:
    """Return the processes of QEMU that run `image`."""
    shown = subprocess.run(["ps", "-ewwo", "pid,args"], capture_output=True, text=True, check=True)
    rows = [line.split(None, 1) for line in shown.stdout.splitlines() if str(image) in line]
    return [int(pid) for pid, args in rows if args.startswith(("qemu-system", "/usr/bin/qemu"))]


def _wait_for(condition, what, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.parametrize("name", BOARDS)
def test_board_is_bit_exact_and_counted(name, qemu_image, small_graph, samples, cache, tmp_path):
    board, image = boards.find(name), qemu_image(name)
    with start_twin(image, board, tmp_path, cache=cache) as twin:
        run = _run(twin, samples)
        counts, stats = twin.counts(), twin.stats()
    np.testing.assert_array_equal(run.outputs, _expected(small_graph, samples))
    assert run.hello.kind == 1  # virtual
    assert run.hello.board.rstrip(b"\0").decode() == name
    assert stats["fault"] is None
    assert stats["resets"] == 0
    # The same image, asked to be an oracle, counts itself by the machine's timer.
    inputs = np.concatenate([np.zeros_like(samples[:1]), samples])
    oracle = qemu.count(image, inputs, board.cpu)
    assert counts.instructions == oracle.instructions[0]
    # What the link tells of an inference has a few instructions around model_run.
    around = run.cycles - oracle.instructions[1:]
    assert np.ptp(around) == 0
    assert 0 < around[0] < 40
    calls = [call.instructions for call in counts.per_call]
    assert len(calls) == len(small_graph.nodes)
    assert 0 < counts.instructions - sum(calls) < 20 * len(calls)
    assert 100 < counts.stack_bytes < 2000
    assert counts.cycles_lo is None
    assert _emulators(image) == []


@pytest.mark.gcc
def test_counts_are_kept(qemu_image, tmp_path, monkeypatch):
    board, image = boards.find("mps3-an547"), qemu_image("mps3-an547")
    found = []
    for _ in range(2):
        with start_twin(image, board, tmp_path, cache=tmp_path / "cache") as twin:
            found.append(twin.counts())
    assert found[0] == found[1]
    (kept,) = (tmp_path / "cache").glob("*.json")
    kept.write_text(kept.read_text().replace(str(found[0].instructions), "7"))
    with start_twin(image, board, tmp_path, cache=tmp_path / "cache") as twin:
        assert twin.counts().instructions == 7


@pytest.mark.gcc
@pytest.mark.parametrize(
    "faults",
    [
        Faults(seed=3, flip_rate=0.0005, drop_rate=0.0005, split_bytes=3),
        Faults(reset_after_bytes=400),
        Faults(brown_out_after_bytes=400),
        Faults(late_banner_s=0.5),
    ],
    ids=["cable", "reset", "brown-out", "late"],
)
def test_a_bad_day_is_survived(faults, qemu_image, small_graph, samples, cache, tmp_path):
    board = boards.find("mps3-an547")
    with start_twin(qemu_image("mps3-an547"), board, tmp_path, cache=cache, faults=faults) as twin:
        run = _run(twin, samples)
        assert twin.stats()["resets"] == (faults.reset_after_bytes > 0)
    np.testing.assert_array_equal(run.outputs, _expected(small_graph, samples))


@pytest.mark.gcc
@pytest.mark.parametrize("op", ["unplug", pytest.param("stuck", marks=_M.nightly)])
def test_a_board_that_goes_is_told_and_comes_back(
    op, qemu_image, small_graph, samples, cache, tmp_path, monkeypatch
):
    board = boards.find("mps3-an547")
    with start_twin(qemu_image("mps3-an547"), board, tmp_path, cache=cache) as twin:
        twin.control(op)
        with pytest.raises(DeviceError):
            _run(twin, samples)
        twin.control("plug")
        run = _run(twin, samples)
    np.testing.assert_array_equal(run.outputs, _expected(small_graph, samples))


@pytest.mark.gcc
def test_killed_emulator_is_a_device_error(qemu_image, samples, tmp_path):
    board, image = boards.find("mps3-an547"), qemu_image("mps3-an547")
    with start_twin(image, board, tmp_path, cache=tmp_path / "cache") as twin:
        _run(twin, samples)
        (emulator,) = _emulators(image)
        os.kill(emulator, signal.SIGKILL)
        _wait_for(lambda: twin.stats()["fault"], "the twin has not noticed")
        assert "QEMU ended with exit status 137" in twin.stats()["fault"]
        with pytest.raises(DeviceError):
            _run(twin, samples)


@pytest.mark.gcc
def test_nothing_survives_a_killed_twin(qemu_image, tmp_path):
    board, image = boards.find("mps3-an547"), qemu_image("mps3-an547")
    with start_twin(image, board, tmp_path, cache=tmp_path / "cache") as twin:
        _wait_for(lambda: _emulators(image), "QEMU does not run")
        os.kill(twin.pid, signal.SIGKILL)
        _wait_for(lambda: not _emulators(image), "QEMU has survived")


@pytest.mark.gcc
def test_unknown_op_is_refused(qemu_image, cache, tmp_path):
    board = boards.find("mps3-an547")
    with (
        start_twin(qemu_image("mps3-an547"), board, tmp_path, cache=cache) as twin,
        pytest.raises(DeviceError, match="unknown op 'fly'"),
    ):
        twin.control("fly")


def test_image_that_is_none_is_told(tmp_path):
    image = tmp_path / "firmware.elf"
    image.write_bytes(b"\x7fELF")
    with pytest.raises(ToolError, match=r"the twin did not start.*is not an ELF file"):
        start_twin(image, boards.find("mps3-an547"), tmp_path, cache=tmp_path / "cache")


def test_missing_emulator_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(tools.shutil, "which", lambda _name: None)
    with pytest.raises(ToolError, match="qemu-system-arm is not installed") as caught:
        start_twin(tmp_path, boards.find("mps3-an547"), tmp_path, cache=tmp_path)
    assert caught.value.hint == "apt-get install qemu-system-arm"
