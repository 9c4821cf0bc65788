"""Pauses of a RUN that the twin skips: nothing else may change by that, to the nanosecond."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_board import sources

from edgekit.device.link import Link
from edgekit.device.session import EnergyRun, RunStats, energy_run
from edgekit.virtual.fpga.compiled import Design, Simulator, build
from edgekit.virtual.fpga.library import Levels, SimulatedBoard

pytestmark = [pytest.mark.virtual, pytest.mark.yowasp, pytest.mark.cc]
_HZ, _CLOCKS_US, _BIT = 12_000_000, 12, 8.0
_LOOK_NS = 1_234_567  # between two looks of the host
# (inferences, period in microseconds, inferences of a group): without pause, awake, asleep.
RUNS = ((700, 0, 7), (90, 1_999, 3), (300, 90, 100), (3, 30_000, 1), (2, 470_001, 1))


class Cable:
    """A host's port on a board in this process, which notes what it wrote, and when."""

    name = "cable"

    def __init__(self, board: SimulatedBoard) -> None:
        self.board = board
        self.written: list[tuple[int, bytes]] = []
        self.sent: list[tuple[int, bytes]] = []
        self.levels: list[Levels] = []

    def write(self, data: bytes) -> None:
        self.written.append((self.board.t_ns, data))
        self.board.feed(data)

    def read(self, timeout_s: float) -> bytes:
        for _ in range(max(1, round(timeout_s * 1e9 / _LOOK_NS))):
            if sent := self.look(self.board.t_ns + _LOOK_NS):
                return sent
        return b""

    def look(self, until_ns: int) -> bytes:
        stretch = self.board.run(until_ns)
        self.levels += stretch.levels
        if stretch.ended == "quiet":
            self.board.let_pass(max(0, until_ns - self.board.t_ns))
        self.sent.append((self.board.t_ns, stretch.sent))
        return stretch.sent

    def close(self) -> None:
        pass


def board_of(cache: Path, simulator: Simulator, *, skips: bool) -> SimulatedBoard:
    library = build(Design("ek_board", sources(), "ek_board"), simulator, cache, shared=True)
    board = SimulatedBoard(library, _HZ, _CLOCKS_US, _BIT, skips=skips)
    board.power()
    return board


def conversation(cable: Cable) -> list[RunStats]:
    link = Link(cable)
    link.connect()
    x = np.random.default_rng(4).integers(-128, 128, (64, 8)).astype(np.int8)
    found = []
    for n, period_us, batch in RUNS:
        work = energy_run(link, x, n, period_us, batch=batch)
        work.start()
        found.append(end_of(work))
    link.bye()
    return found


def end_of(work: EnergyRun) -> RunStats:
    for _ in range(100):
        if (stats := work.poll(0.1)) is not None:
            return stats
    raise AssertionError("the run does not end")


def replayed(spoken: Cable, board: SimulatedBoard) -> Cable:
    """Say the same at the same times, and look at the same times."""
    again = Cable(board)
    says = list(spoken.written)
    for t_ns, _ in spoken.sent:
        while says and says[0][0] <= again.board.t_ns:
            again.write(says.pop(0)[1])
        again.look(t_ns)
    return again


def first_difference(a: list[Any], b: list[Any]) -> tuple[Any, Any] | None:
    """Lists are long: pytest would take minutes to compare them in words."""
    return next((pair for pair in itertools.zip_longest(a, b) if pair[0] != pair[1]), None)


@pytest.mark.parametrize(
    "simulator",
    ["cxxrtl", pytest.param("verilator", marks=[pytest.mark.nightly, pytest.mark.verilator])],
)
def test_nothing_changes_but_the_work(simulator: Simulator, cache: Path) -> None:
    skipping = Cable(board_of(cache / "simulators", "cxxrtl", skips=True))
    found = conversation(skipping)
    every = replayed(skipping, board_of(cache / "simulators", simulator, skips=False))
    assert every.written == skipping.written
    assert first_difference(every.sent, skipping.sent) is None
    assert first_difference(every.levels, skipping.levels) is None
    assert every.board.t_ns == skipping.board.t_ns
    assert every.board.clocks == skipping.board.clocks
    assert [stats.n for stats in found] == [n for n, _, _ in RUNS]
    assert all(stats.missed == 0 for stats in found)
    assert skipping.board.evaluated < every.board.evaluated / 2
