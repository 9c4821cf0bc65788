"""A network of several beats that wants its weights: loading, also through resets, and running."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from link_host import HostBoard
from rtl_board import CLOCK_MHZ, DIV, SHAPE, build

from edgekit.device import session
from edgekit.device.layout import (
    INLINE_SLOT,
    Cap,
    Command,
    InferRequest,
    OpenReply,
    OpenRequest,
    TransferKind,
    WriteRequest,
)
from edgekit.device.link import Link, RemoteError, SessionLost
from edgekit.device.transfer import upload_weights
from edgekit.device.wire import pack, unpack
from edgekit.errors import DeviceError

pytestmark = [pytest.mark.verilator, pytest.mark.nightly]  # a second simulator to build
WEIGHTS = struct.pack("<4H", 3, 5, 7, 11)
INPUT_BYTES, OUTPUT_BYTES = 5, 2
KEPT = (0, 2, 3)  # of the five wire bytes
SHAPES = {
    **SHAPE,
    **{"IN_WIDTH": 8, "IN_BEATS": 3, "OUT_WIDTH": 8, "OUT_BEATS": 2, "SLOTS": 64},
    **{"INPUT_BYTES": INPUT_BYTES, "OUTPUT_BYTES": OUTPUT_BYTES, "KEEP": "5'h0D"},
    "WEIGHT_BYTES": f"32'd{len(WEIGHTS)}",
}


def _expected(inputs: np.ndarray) -> np.ndarray:
    total = inputs[:, list(KEPT)].astype(np.int64).sum(axis=1)
    return np.stack([total * 3, total * 5], axis=1).astype(np.uint8).view(np.int8)


@pytest.fixture(scope="module")
def weighted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("weighted"), "weighted", SHAPES)


@pytest.fixture
def board(weighted: Path) -> Iterator[HostBoard]:
    made = HostBoard(weighted, arguments=(str(DIV), str(CLOCK_MHZ), "0"))
    yield made
    made.close()


@pytest.fixture
def samples() -> np.ndarray:
    return np.random.default_rng(3).integers(-128, 128, (66, INPUT_BYTES)).astype(np.int8)


def test_nothing_runs_before_the_weights_are_there(board: HostBoard, samples: np.ndarray) -> None:
    link = Link(board)
    assert link.connect().caps & Cap.WEIGHTS
    request = pack(InferRequest(INLINE_SLOT)) + samples[0].tobytes()
    with pytest.raises(RemoteError, match="INFER with NOT_READY"):
        link.request(Command.INFER, request)
    with pytest.raises(DeviceError, match="waits for its network's weights"):
        session.run_samples(board, samples)


def test_samples_and_runs(board: HostBoard, samples: np.ndarray) -> None:
    run = session.run_samples(board, samples, weights=WEIGHTS)
    np.testing.assert_array_equal(run.outputs, _expected(samples))
    link = Link(board)
    link.connect()
    energy = session.energy_run(link, samples[:64], 100, 0, batch=8)
    energy.start()
    stats = None
    while stats is None:
        stats = energy.poll(1.0)
    assert stats.n == 100
    assert link.request(Command.OUTPUT, bytes(4)) == _expected(samples)[99 % 64].tobytes()
    assert link.request(Command.OUTPUT, b"\1\0\0\0") == _expected(samples)[99 % 64, 1:].tobytes()
    assert link.request(Command.OUTPUT, b"\2\0\0\0") == b""


def test_a_load_that_a_reset_cut_short_goes_on(board: HostBoard, samples: np.ndarray) -> None:
    link = Link(board)
    link.connect()
    digest = hashlib.sha256(WEIGHTS).digest()
    request = pack(OpenRequest(TransferKind.WEIGHTS, 0, 0, len(WEIGHTS), digest))
    opened, _ = unpack(OpenReply, link.request(Command.OPEN, request))
    assert opened.offset == 0
    link.request(Command.WRITE, pack(WriteRequest(opened.handle, 0, 0)) + WEIGHTS[:3])
    board.reset()
    with pytest.raises(SessionLost):
        link.request(Command.STATUS)
    link.connect()
    opened, _ = unpack(OpenReply, link.request(Command.OPEN, request))
    assert opened.offset == 2  # a whole word has arrived
    upload_weights(link, WEIGHTS)
    board.reset()  # and keeps them
    with pytest.raises(SessionLost):
        link.request(Command.STATUS)
    run = session.run_samples(board, samples[:20], weights=WEIGHTS)
    np.testing.assert_array_equal(run.outputs, _expected(samples[:20]))
