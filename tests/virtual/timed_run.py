"""Timed inferences with deep sleep between them, by the state log of a twin."""

from __future__ import annotations

import itertools
import json
import socket

import numpy as np
from twin_host import connect_state

from edgekit.device import session
from edgekit.device.link import Link
from edgekit.device.serial_port import open_port
from edgekit.virtual import Twin

Log = list[tuple[int, str, int]]  # nanoseconds since the first mark, state, mark


def timed_run(
    twin: Twin, samples: np.ndarray, inferences: int, period_us: int, *, wakeup_us: float = 0.0
) -> Log:
    """Return the log of a run that misses no period, up to its last sleep's end."""
    with connect_state(twin) as state:
        port = open_port(twin.link_url)
        try:
            link = Link(port)
            link.connect()
            run = session.energy_run(link, samples, inferences, period_us)
            before_ns = twin.stats()["t_ns"]
            stats = finish(run)
            link.bye()
        finally:
            port.close()
        assert stats.missed == 0
        assert stats.n == inferences
        # Whole periods, to ticks of 30.5 us and the way out of the last sleep.
        assert -100 < stats.t_us - inferences * period_us < 100 + wakeup_us, stats
        return _log(state, before_ns, inferences)


def finish(run: session.EnergyRun) -> session.RunStats:
    """Start a run and return what the board says at its end."""
    run.start()
    stats = None
    while stats is None:
        stats = run.poll(0.5)
    return stats


def check_timed_run(log: Log, inferences: int, period_us: int) -> None:
    """Assert that inferences begin a period apart and that the core sleeps between them."""
    starts = [t for t, _, mark in log if mark]
    assert len(starts) == inferences
    assert np.all(np.abs(np.diff(starts) - 1000 * period_us) < 400_000)
    asleep = sum(b[0] - a[0] for a, b in itertools.pairwise(log) if a[1] == "sleep")
    assert asleep > 0.9 * (log[-1][0] - log[0][0])


def _log(state: socket.socket, after_ns: int, inferences: int) -> Log:
    log: Log = []
    marks = 0
    with state.makefile("rb") as stream:
        for line in stream:
            entry = json.loads(line)
            if entry["t_ns"] <= after_ns or (not log and not entry["mark"]):
                continue
            if entry["state"] == "idle":
                break
            marks += entry["mark"]
            log.append((entry["t_ns"], entry["state"], entry["mark"]))
    assert marks == inferences, log
    return [(t - log[0][0], s, m) for t, s, m in log]
