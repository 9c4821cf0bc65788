"""The MLPerf Tiny text commands, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from link_host import INPUT_BYTES, HostBoard, expected

from edgekit.device.link import Link
from edgekit.errors import DeviceError

Boards = Callable[..., HostBoard]
READY = "m-ready\r\n"


@pytest.fixture
def board(boards: Boards) -> HostBoard:
    started = boards()
    assert re.fullmatch(
        r"m-timestamp-mode-performance\r\nm-lap-us-\d+\r\nm-init-done\r\nm-ready\r\n",
        started.banner(),
    )
    return started


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("name%", "m-name-dut-[edgekit]\r\n"),
        ("profile%", "m-profile-[ULPMark for tinyML Firmware V0.0.1]\r\nm-model-[kws01]\r\n"),
        ("%", "e-[Unknown command: ]\r\n"),
        ("nonsense 1 2%", "e-[Unknown command: nonsense]\r\n"),
        ("names%", "e-[Unknown command: names]\r\n"),
        ("x" * 200 + "%", "e-[Unknown command: " + "x" * 80 + "]\r\n"),
        ("db%", "e-[Command 'db' requires a subcommand]\r\n"),
        ("db load%", "e-[Command 'db load' requires the # of bytes]\r\n"),
        ("db load 0%", "e-[Command 'db load' must be >0 bytes]\r\n"),
        ("db load -5%", "e-[Command 'db load' must be >0 bytes]\r\n"),
        ("db load 4%", "m-[Expecting 4 bytes]\r\n"),
        ("db load 27648%", "m-[Expecting 27648 bytes]\r\n"),
        ("db load 27649%", "Supplied buffer size 27649 exceeds maximum of 27648\r\n"),
        ("db load 99999999999%", "e-[Command 'db load' must be >0 bytes]\r\n"),
        ("db 0011%", "e-[Command 'db' requires 'db load' first]\r\n"),
        ("db 001%", "e-[Insufficent number of hex digits]\r\n"),
        ("db 0g%", "e-[Invalid hex digit 'g']\r\n"),
        ("db print%", ""),
        ("infer 0%", "e-[Inference iterations must be >0]\r\n"),
        ("infer x%", "e-[Inference iterations must be >0]\r\n"),
        ("infer 1 -1%", "e-[Inference warmup must be >=0]\r\n"),
        ("infer 1 1%", "e-[The buffer does not hold one input]\r\n"),
    ],
)
def test_one_command(board: HostBoard, command: str, answer: str) -> None:
    assert board.text(command) == answer + READY


def test_every_command_ends_with_one_ready(board: HostBoard) -> None:
    answer = board.text("name%help%%junk%results%timestamp%db%profile%")
    assert answer.count("m-ready\r\n") == 8
    assert all(line == "" or line.isprintable() for line in answer.split("\r\n"))


def test_timestamp_counts_microseconds_in_64_bits(board: HostBoard) -> None:
    first, second = (
        int(re.fullmatch(r"m-lap-us-(\d+)\r\nm-ready\r\n", board.text("timestamp%")).group(1))  # type: ignore[union-attr]
        for _ in range(2)
    )
    assert 0 < second - first < 5_000_000


def test_the_buffer_is_filled_and_printed(board: HostBoard) -> None:
    assert board.text("db load 11%") == f"m-[Expecting 11 bytes]\r\n{READY}"
    assert board.text("db 000102030405060708%") == READY
    assert board.text("db print%") == (
        f"m-buffer-00-01-02-03-04-05-06-07\r\nm-buffer-08\r\n{READY}"
    )
    assert board.text("db 09fFAABBCC%") == f"m-load-done\r\n{READY}"
    assert board.text("db DDEE%") == READY  # full: extra digits are ignored
    assert board.text("db print%") == (
        f"m-buffer-00-01-02-03-04-05-06-07\r\nm-buffer-08-09-ff\r\n{READY}"
    )


def test_nothing_is_written_after_an_oversize_load(board: HostBoard) -> None:
    board.text("db load 8%db 0102%db load 999999%")
    assert board.text("db 0304%") == f"e-[Command 'db' requires 'db load' first]\r\n{READY}"
    assert board.text("db print%") == READY


def test_the_limit_is_the_memory_that_is_there(boards: Boards) -> None:
    board = boards(store_bytes=1000)
    board.banner()
    assert board.text("db load 1001%") == (
        f"Supplied buffer size 1001 exceeds maximum of 1000\r\n{READY}"
    )


def _load(board: HostBoard, sample: np.ndarray) -> None:
    data = sample.tobytes()
    assert board.text(f"db load {INPUT_BYTES}%") == f"m-[Expecting 490 bytes]\r\n{READY}"
    for i in range(0, len(data), 31):  # as the runner cuts it
        answer = board.text(f"db {data[i : i + 31].hex()}%", quiet_s=0.01)
        assert answer == ("m-load-done\r\n" if i + 31 >= len(data) else "") + READY


def test_inference_as_the_runner_asks_for_it(board: HostBoard, inputs: np.ndarray) -> None:
    _load(board, inputs[0])
    answer = board.text("infer 3 2%")
    found = re.fullmatch(
        r"m-warmup-start-2\r\nm-warmup-done\r\nm-infer-start-3\r\nm-lap-us-\d+\r\n"
        r"m-lap-us-\d+\r\nm-infer-done\r\nm-results-\[([0-9.,-]+)\]\r\nm-ready\r\n",
        answer,
    )
    assert found is not None, answer
    want = (expected(inputs[:1])[0].astype(np.int64) + 128) * 3906250e-9
    assert found.group(1).split(",") == [f"{x + 1e-9:.3f}" for x in want]
    assert board.text("infer%").startswith("m-warmup-start-10\r\nm-warmup-done\r\nm-infer-start-1")


def test_results_survive_what_does_not_touch_the_model(
    board: HostBoard, inputs: np.ndarray
) -> None:
    _load(board, inputs[1])
    first = board.text("infer 1 0%")
    again = board.text("results%")
    assert again in first


def test_text_does_not_disturb_frames_nor_frames_text(boards: Boards, inputs: np.ndarray) -> None:
    board = boards()
    board.banner()
    board.write(b"nam")  # an unfinished command in front of a session
    link = Link(board)
    link.connect()
    link.bye()
    assert board.text("name%") == f"m-name-dut-[edgekit]\r\n{READY}"


def test_a_command_sent_before_the_banner_is_answered_by_it(boards: Boards) -> None:
    board = boards(late_us=400_000)  # the cold start takes that long
    board.write(b"profile%name%")
    assert board.banner().count(READY) == 1
    assert board.text("name%") == f"m-name-dut-[edgekit]\r\n{READY}"


def test_an_energy_build_stamps_by_pin(boards: Boards, inputs: np.ndarray) -> None:
    board = boards("-DEK_EE_ENERGY=1", "-DEK_EE_INPUT_U8=1")
    assert board.banner() == "m-timestamp-mode-energy\r\nm-init-done\r\nm-ready\r\n"
    assert board.text("timestamp%") == READY
    _load(board, inputs[0])
    assert "m-lap-us" not in board.text("infer 1 0%")
    shifted = (inputs[:1].view(np.uint8).astype(np.int64) - 128).astype(np.int8)
    want = (expected(shifted)[0].astype(np.int64) + 128) * 3906250e-9
    assert board.text("results%").startswith(f"m-results-[{want[0] + 1e-9:.3f},")


def test_a_closed_port_is_an_error(board: HostBoard) -> None:
    board.power_cut()
    with pytest.raises(DeviceError, match="went away"):
        Link(board).connect()
