"""What a bad wire does to the real link: bytes lost, turned, repeated, split, merged; resets."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from link_host import BUILD_ID, INPUT_BYTES, Faults, HostBoard, expected

from edgekit.device import link as link_module
from edgekit.device import session, transfer
from edgekit.device.frames import Frame, encode
from edgekit.device.layout import Command, Stats, Type
from edgekit.device.link import Link
from edgekit.device.wire import unpack
from edgekit.errors import DeviceError

Boards = Callable[..., HostBoard]
RATES = st.sampled_from([0.0, 0.05, 0.15])


@pytest.mark.usefixtures("fast_retries")
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    faults=st.builds(Faults, drop=RATES, flip=RATES, repeat=RATES, split=RATES, merge=RATES),
    seed=st.integers(0, 2**32),
)
def test_outputs_are_right_and_every_sample_ran_once(
    boards: Boards, inputs: np.ndarray, faults: Faults, seed: int
) -> None:
    board = boards(faults=faults, seed=seed)
    run = session.run_samples(board, inputs)
    np.testing.assert_array_equal(run.outputs, expected(inputs))
    assert run.link_stats["device_inferences"] == len(inputs) + 1  # and the cold start's


@pytest.mark.usefixtures("fast_retries")
def test_an_upload_through_faults_is_the_same_bytes(boards: Boards, inputs: np.ndarray) -> None:
    board = boards(faults=Faults(0.05, 0.05, 0.05, 0.1, 0.05), seed=4)
    link = Link(board)
    link.connect()
    assert transfer.upload_inputs(link, np.tile(inputs, (6, 1)).tobytes()) == 72
    stats, _ = unpack(Stats, link.request(Command.STATS))
    assert stats.crc_errors + stats.cobs_errors > 0  # the wire was as bad as asked


@pytest.mark.nightly
@pytest.mark.usefixtures("fast_retries")
@pytest.mark.parametrize("seed", range(200))
def test_many_seeds_of_faults(
    boards: Boards, inputs: np.ndarray, seed: int, tmp_path: Path
) -> None:
    """On a wire this bad some request is lost nine times: running again resumes."""
    board = boards(faults=Faults(0.1, 0.1, 0.1, 0.2, 0.1), seed=seed)
    journal = tmp_path / "journal"
    try:
        outputs = session.run_samples(board, inputs, journal=journal).outputs
    except DeviceError:
        outputs = session.run_samples(board, inputs, journal=journal).outputs
    np.testing.assert_array_equal(outputs, expected(inputs))


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    noise=st.binary(max_size=300),
    requests=st.lists(
        st.tuples(
            st.sampled_from([*Command, 0, 0x7F, 0xFF]),
            st.binary(max_size=80) | st.binary(min_size=1000, max_size=1030),
        ),
        max_size=10,
    ),
)
def test_nothing_that_is_sent_breaks_the_firmware(
    boards: Boards, noise: bytes, requests: list[tuple[int, bytes]]
) -> None:
    """Well-formed frames with any content, and bytes that are none, under sanitizers."""
    board = boards("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    board.write(noise)
    link = Link(board)
    board_session = link.connect().session
    for sequence, (command, payload) in enumerate(requests):
        board.write(encode(Frame(Type.REQ, command, sequence, board_session, payload)))
    assert link.connect().input_bytes == INPUT_BYTES
    board.close()  # and sees what the sanitizers wrote


def test_a_reset_in_mid_run_is_survived(
    boards: Boards, inputs: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    board = boards(late_us=20_000)

    class Resets:
        def stage(self, name: str, total: int | None = None) -> None: ...

        def advance(self, done: int) -> None:
            if done in (4, 9):
                board.reset()

    with caplog.at_level(logging.WARNING):
        run = session.run_samples(board, inputs, progress=Resets())
    np.testing.assert_array_equal(run.outputs, expected(inputs))
    assert run.hello.boot_count == 3
    assert run.link_stats["host_sessions"] == 3
    assert "resuming at sample 4" in caplog.text


def test_a_board_that_only_restarts_is_given_up(boards: Boards, inputs: np.ndarray) -> None:
    board = boards(late_us=50_000)
    write = board.write

    def bad_supply(data: bytes) -> None:
        write(data)
        if len(data) > INPUT_BYTES:
            time.sleep(0.01)
            board.reset()

    board.write = bad_supply  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="restarted 4 times at sample 0"):
        session.run_samples(board, inputs)


def test_firmware_that_answers_late_is_waited_for(
    boards: Boards, inputs: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_FIRST_BUDGET_S", 0.05)
    monkeypatch.setattr(link_module, "SHORTEST_TIMEOUT_S", 0.05)
    board = boards(late_us=300_000)
    run = session.run_samples(board, inputs[:3])
    np.testing.assert_array_equal(run.outputs, expected(inputs[:3]))
    assert run.link_stats["host_retries"] > 0
    assert run.link_stats["device_inferences"] == 4  # late, but each of them once


def test_a_silent_board_is_an_error_that_says_so(
    boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = boards(faults=Faults(drop=1.0))
    with pytest.raises(DeviceError, match=r"did not answer HELLO in \d+ tries over 0.1 s"):
        Link(board).connect(patience_s=0.1)


def test_the_wrong_firmware_is_named(boards: Boards, inputs: np.ndarray) -> None:
    other = "9c11" + "0" * 28
    with pytest.raises(DeviceError, match="board runs build 3f2a0102…, expected 9c110000…"):
        session.run_samples(boards(), inputs, expected=other)
    with pytest.raises(DeviceError, match="board runs build 3f2a0102…"):
        session.expect_build(boards(), other)
    assert session.expect_build(boards(), BUILD_ID).build_id.hex() == BUILD_ID
    with pytest.raises(DeviceError, match=r"int8 \[12, 489\], the board's model takes int8 \[n, 4"):
        session.run_samples(boards(), inputs[:, 1:])


def test_outputs_stay_on_disk_and_a_later_run_resumes(
    boards: Boards, inputs: np.ndarray, tmp_path: Path
) -> None:
    journal = tmp_path / "outputs.bin"
    board = boards()

    class Cut:
        def stage(self, name: str, total: int | None = None) -> None: ...

        def advance(self, done: int) -> None:
            if done == 7:
                board.power_cut()

    with pytest.raises(DeviceError, match=r"7 of 12 outputs are kept in .*outputs\.bin") as caught:
        session.run_samples(board, inputs, journal=journal, progress=Cut())
    assert "run again to go on" in caught.value.hint
    run = session.run_samples(boards(), inputs, journal=journal)
    np.testing.assert_array_equal(run.outputs, expected(inputs))
    assert run.link_stats["device_inferences"] == 1 + 5
    assert (run.cycles > 0).all()


def test_an_interrupt_leaves_a_good_journal(
    boards: Boards, inputs: np.ndarray, tmp_path: Path
) -> None:
    journal = tmp_path / "outputs.bin"

    class Interrupt:
        def stage(self, name: str, total: int | None = None) -> None: ...

        def advance(self, done: int) -> None:
            if done == 5:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.run_samples(boards(), inputs, journal=journal, progress=Interrupt())
    journal.write_bytes(journal.read_bytes()[:-3])  # and the last record was torn
    run = session.run_samples(boards(), inputs, journal=journal)
    np.testing.assert_array_equal(run.outputs, expected(inputs))
    assert run.link_stats["device_inferences"] == 1 + 8
