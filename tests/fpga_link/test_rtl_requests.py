"""The RTL of the link against the real Python client: sessions, requests, errors, runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from link_host import HostBoard
from rtl_board import BUILD_ID, CLOCK_MHZ, DIV, INPUT_BYTES, LATENCY, OUTPUT_BYTES, SLOTS, expected

from edgekit.device import session
from edgekit.device.layout import Cap, Command, Info, Kind
from edgekit.device.link import Link
from edgekit.device.wire import unpack

Boards = Callable[..., HostBoard]
pytestmark = pytest.mark.verilator


def test_hello_says_who_it_is(boards: Boards) -> None:
    link = Link(boards())
    hello = link.connect()
    assert (hello.kind, hello.mtu, hello.rx_window, hello.nodes) == (Kind.VIRTUAL, 256, 1, 3)
    assert (hello.clock_hz, hello.baud) == (CLOCK_MHZ * 1_000_000, CLOCK_MHZ * 1_000_000 // DIV)
    assert (hello.input_bytes, hello.output_bytes) == (INPUT_BYTES, OUTPUT_BYTES)
    assert hello.store_bytes == SLOTS * INPUT_BYTES
    assert hello.build_id == BUILD_ID
    assert hello.board.rstrip(b"\0") == b"bench"
    assert hello.caps == Cap.STORE | Cap.RUN | Cap.CYCLES
    info, name = unpack(Info, link.request(Command.INFO))
    assert (info.nodes, info.store_bytes, name) == (3, hello.store_bytes, b"ones")


def test_all_samples_through_the_link(boards: Boards, inputs: np.ndarray) -> None:
    run = session.run_samples(boards(), inputs, expected=BUILD_ID.hex())
    np.testing.assert_array_equal(run.outputs, expected(inputs))
    assert (run.cycles == LATENCY).all()
    assert run.link_stats["device_inferences"] == len(inputs)


@pytest.mark.parametrize(
    ("n", "period_us", "batch", "cycles_sum", "t_us"),
    [
        (100, 0, 1, 100 * LATENCY, None),
        (100, 0, 10, 10 * LATENCY + 90, None),  # a full pipeline: one a clock
        (70_000, 0, 65_536, None, None),  # more than 16 bits, in groups as large as they come
        (200, 1, 1, 200 * LATENCY, 200),  # a million a second
        (10, 500, 3, None, 2000),
        (5, 20_000, 1, 5 * LATENCY, 100_000),  # asleep between them
    ],
)
def test_a_run(
    boards: Boards,
    inputs: np.ndarray,
    n: int,
    period_us: int,
    batch: int,
    cycles_sum: int | None,
    t_us: int | None,
) -> None:
    link = Link(boards())
    link.connect()
    run = session.energy_run(link, inputs[:SLOTS], n, period_us, batch=batch)
    run.start()
    stats = None
    while stats is None:
        stats = run.poll(1.0)
    assert (stats.n, stats.missed, stats.cycles_max) == (n, 0, LATENCY)
    assert stats.cycles_min == (LATENCY if batch == 1 else 1)
    groups = -(-n // batch)
    assert stats.cycles_sum == (cycles_sum or groups * LATENCY + n - groups)
    if t_us is not None:
        assert t_us <= stats.t_us <= t_us + 30
    output = link.request(Command.OUTPUT, bytes(4))
    assert output == expected(inputs[:SLOTS])[(n - 1) % SLOTS].tobytes()
