"""The AXI shell in simulation: bus, store, runs, streams, and what must not wedge it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from axi_shell_sim import (
    BUILD_ID,
    CLOCK_HZ,
    IN_BEATS,
    IN_BYTES,
    IN_WORDS,
    MODEL_HASH,
    OUT_BEATS,
    OUT_BYTES,
    OUT_WORDS,
    SLOTS,
    Shell,
    compile_shell,
    infer,
    packet,
)

from edgekit.device.agent.registers import RESULT_OFFSET, STORE_OFFSET, Control, Reg, Status

pytestmark = pytest.mark.iverilog

CYCLES = 4 * (IN_BEATS - 1) + 1 + OUT_BEATS - 1  # a beat every fourth clock, then the results


@pytest.fixture(
    scope="module",
    params=[
        "iverilog",
        pytest.param("verilator", marks=[pytest.mark.nightly, pytest.mark.verilator]),
    ],
)
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_shell(tmp_path_factory.mktemp("axi_shell"), request.param)


@pytest.fixture
def shell(compiled: Path) -> Iterator[Shell]:
    with Shell(compiled) as running:
        yield running


def kept_bytes(rng: random.Random) -> bytes:
    return rng.randbytes(IN_BEATS * IN_BYTES)


def store(shell: Shell, slot: int, kept: bytes) -> None:
    for i, word in enumerate(packet(kept)):
        shell.write(STORE_OFFSET + 4 * (slot * IN_WORDS + i), word)


def result(shell: Shell) -> bytes:
    words = [shell.read(RESULT_OFFSET + 4 * i) for i in range(OUT_WORDS)]
    return b"".join(w.to_bytes(4, "little")[:OUT_BYTES] for w in words)


def run(shell: Shell, first: int, count: int, n: int, batch: int = 1, period: int = 0) -> None:
    for reg, value in zip(
        (Reg.FIRST, Reg.COUNT, Reg.N, Reg.BATCH, Reg.PERIOD),
        (first, count, n, batch, period),
        strict=True,
    ):
        shell.write(reg, value)
    shell.write(Reg.CONTROL, Control.START)
    for _ in range(2000):
        if not shell.read(Reg.STATUS) & Status.BUSY:
            return
    raise AssertionError("the run does not end")


def test_the_registers_say_who_it_is(shell: Shell) -> None:
    assert shell.read(Reg.ID).to_bytes(4, "little") == b"EKAX"
    assert shell.read(Reg.VERSION) == 1
    identity = [shell.read(Reg.BUILD_ID + 4 * i) for i in range(4)]
    model = [shell.read(Reg.MODEL_HASH + 4 * i) for i in range(4)]
    assert b"".join(w.to_bytes(4, "little") for w in identity) == BUILD_ID
    assert b"".join(w.to_bytes(4, "little") for w in model) == MODEL_HASH
    facts = [shell.read(r) for r in (Reg.IN_WORDS, Reg.OUT_WORDS, Reg.SLOTS, Reg.CLOCK_HZ)]
    assert facts == [IN_WORDS, OUT_WORDS, SLOTS, CLOCK_HZ]
    assert shell.read(0xFFC) == 0


def test_registers_keep_what_is_written_and_ignore_parts_of_words(shell: Shell) -> None:
    shell.write(Reg.N, 0x12345678)
    shell.write(Reg.N, 0xFFFFFFFF, strobe=3)
    assert shell.read(Reg.N) == 0x12345678


def test_bytes_of_the_store_can_be_written_alone(shell: Shell) -> None:
    kept = bytes(range(IN_BEATS * IN_BYTES))
    store(shell, 0, bytes(len(kept)))
    for i, word in enumerate(packet(kept)):
        for byte in range(4):
            shell.write(STORE_OFFSET + 4 * i, word & 0xFF << 8 * byte, strobe=1 << byte)
    run(shell, 0, 1, 1)
    assert result(shell) == infer(kept)


def test_every_slot_gives_its_own_result(shell: Shell) -> None:
    rng = random.Random(3)
    inputs = [kept_bytes(rng) for _ in range(SLOTS + 1)]  # the last one is for an input on its own
    for slot, kept in enumerate(inputs):
        store(shell, slot, kept)
    for slot, kept in enumerate(inputs):
        run(shell, slot, 1, 1)
        assert result(shell) == infer(kept)
        assert shell.read(Reg.CYCLES) == CYCLES


def test_a_write_beyond_the_store_changes_nothing(shell: Shell) -> None:
    kept = bytes(range(IN_BEATS * IN_BYTES))
    store(shell, 0, kept)
    for offset in range(0, 8 * IN_WORDS, 4):
        shell.write(STORE_OFFSET + 4 * (SLOTS + 1) * IN_WORDS + offset, 0xFFFFFFFF)
    run(shell, 0, 1, 1)
    assert result(shell) == infer(kept)


def test_weights_reach_the_network(shell: Shell) -> None:
    kept = bytes(range(IN_BEATS * IN_BYTES))
    store(shell, 0, kept)
    shell.write(Reg.LOAD, 0xBEEF)
    run(shell, 0, 1, 1)
    assert result(shell) == infer(kept, 0xBEEF)


@pytest.mark.parametrize(
    ("n", "batch", "period", "missed"),
    [(7, 1, 0, 0), (6, 2, 100, 0), (5, 2, 100, 0), (6, 1, 4, 6), (4, 4, 300, 0)],
)
def test_a_run_keeps_its_periods(
    shell: Shell, n: int, batch: int, period: int, missed: int
) -> None:
    rng = random.Random(n)
    inputs = [kept_bytes(rng) for _ in range(3)]
    for slot, kept in enumerate(inputs):
        store(shell, slot + 1, kept)
    run(shell, 1, 3, n, batch, period)
    assert shell.read(Reg.DONE) == n
    assert shell.read(Reg.MISSED) == missed
    assert result(shell) == infer(inputs[(n - 1) % 3])
    seen = [shell.read(r) for r in (Reg.CYCLES_MIN, Reg.CYCLES_MAX, Reg.CYCLES_SUM)]
    assert seen == [CYCLES, CYCLES, n * CYCLES]
    clocks = shell.read(Reg.RUN_CLOCKS) + (shell.read(Reg.RUN_CLOCKS + 4) << 32)
    if period and not missed:
        assert clocks == -(-n // batch) * period


def test_stop_ends_a_run_after_the_inference_under_way(shell: Shell) -> None:
    store(shell, 0, bytes(IN_BEATS * IN_BYTES))
    for reg, value in ((Reg.FIRST, 0), (Reg.COUNT, 1), (Reg.N, 1_000_000), (Reg.PERIOD, 0)):
        shell.write(reg, value)
    shell.write(Reg.CONTROL, Control.START)
    assert shell.read(Reg.STATUS) & Status.BUSY
    shell.write(Reg.CONTROL, Control.STOP)
    for _ in range(20):
        shell.step()
    assert not shell.read(Reg.STATUS) & Status.BUSY
    assert 0 < shell.read(Reg.DONE) < 100


def test_stop_ends_a_run_within_a_group(shell: Shell) -> None:
    store(shell, 0, bytes(IN_BEATS * IN_BYTES))
    for reg, value in ((Reg.N, 100_000), (Reg.BATCH, 4096), (Reg.PERIOD, 0)):
        shell.write(reg, value)
    shell.write(Reg.CONTROL, Control.START)
    shell.write(Reg.CONTROL, Control.STOP)
    for _ in range(40):
        shell.step()
    assert not shell.read(Reg.STATUS) & Status.BUSY
    assert shell.read(Reg.DONE) < 10


def test_writes_that_do_not_wait_for_each_other_all_happen_once(shell: Shell) -> None:
    rng = random.Random(4)
    values = [rng.getrandbits(32) for _ in range(IN_WORDS)]
    shell.b.taken.clear()
    shell.b.rate = 0.1
    shell.aw.queue.extend((STORE_OFFSET + 4 * i,) for i in range(IN_WORDS))
    shell.w.queue.extend((v, 15) for v in values)
    for _ in range(200):
        shell.step()
    assert shell.b.taken == [(0,)] * IN_WORDS
    shell.write(Reg.CONTROL, Control.RESET | Control.LOOPBACK)
    while shell.read(Reg.STATUS) & Status.RESET:
        pass
    shell.write(Reg.CONTROL, Control.LOOPBACK | Control.START)
    while not shell.read(Reg.STATUS) & Status.RESULT:
        pass
    assert [shell.read(RESULT_OFFSET + 4 * i) for i in range(IN_WORDS)] == values


def test_loopback_gives_the_words_back_without_the_network(shell: Shell) -> None:
    shell.write(Reg.CONTROL, Control.RESET | Control.LOOPBACK)
    words = [0, 0xFFFFFFFF, 0xAAAAAAAA, 0x55555555, 1, 0x80000000]
    for i, word in enumerate(words):
        shell.write(STORE_OFFSET + 4 * i, word)
    shell.write(Reg.CONTROL, Control.LOOPBACK | Control.START)
    assert [shell.read(RESULT_OFFSET + 4 * i) for i in range(IN_WORDS)] == words
    shell.write(Reg.CONTROL, Control.RESET)
    kept = bytes(range(IN_BEATS * IN_BYTES))
    store(shell, 0, kept)
    run(shell, 0, 1, 1)
    assert result(shell) == infer(kept)


def test_a_reset_in_the_middle_leaves_nothing_behind(shell: Shell) -> None:
    rng = random.Random(9)
    inputs = [kept_bytes(rng) for _ in range(SLOTS)]
    for slot, kept in enumerate(inputs):
        store(shell, slot, kept)
    for delay in range(0, 24, 3):
        for reg, value in ((Reg.FIRST, 0), (Reg.COUNT, SLOTS), (Reg.N, 1000), (Reg.PERIOD, 0)):
            shell.write(reg, value)
        shell.write(Reg.CONTROL, Control.START)
        for _ in range(delay):
            shell.step()
        shell.write(Reg.CONTROL, Control.RESET)
        while shell.read(Reg.STATUS) & Status.RESET:
            pass
        assert not shell.read(Reg.STATUS) & Status.BUSY
        run(shell, 2, 1, 1)
        assert result(shell) == infer(inputs[2]), delay


@pytest.mark.parametrize("rate", [0.15, 0.6, 1.0])
def test_streams_lose_nothing_under_back_pressure(compiled: Path, rate: float) -> None:
    rng = random.Random(5)
    inputs = [kept_bytes(rng) for _ in range(60)]
    with Shell(compiled, seed=7, rate=rate) as shell:
        shell.write(Reg.CONTROL, Control.RESET | Control.STREAM)
        for kept in inputs:
            words = packet(kept)
            shell.into.queue.extend((w, int(i == IN_WORDS - 1)) for i, w in enumerate(words))
        for _ in range(20_000):
            shell.step()
            if len(shell.out.taken) == len(inputs) * OUT_WORDS:
                break
        lasts = [last for _, last in shell.out.taken]
        assert lasts == ([0] * (OUT_WORDS - 1) + [1]) * len(inputs)
        data = b"".join(w.to_bytes(4, "little")[:OUT_BYTES] for w, _ in shell.out.taken)
        assert data == b"".join(infer(kept) for kept in inputs)
        assert shell.read(Reg.LENGTH_ERRORS) == 0


def test_a_stream_that_is_not_asked_for_is_left_alone(shell: Shell) -> None:
    kept = bytes(range(IN_BEATS * IN_BYTES))
    store(shell, 0, kept)
    shell.into.queue.extend((0xFFFFFFFF, 0) for _ in range(IN_WORDS))
    run(shell, 0, 1, 3)
    assert result(shell) == infer(kept)
    assert len(shell.into.queue) == IN_WORDS
    assert shell.out.taken == []


def test_packets_of_a_wrong_length_are_counted_and_do_not_shift_the_next(shell: Shell) -> None:
    rng = random.Random(6)
    shell.write(Reg.CONTROL, Control.RESET | Control.STREAM)
    expected = b""
    for change in (0, -1, 0, 3, -5, -4, 7, 0):
        kept = kept_bytes(rng)
        words = packet(kept)
        sent = words[: IN_WORDS + change] if change < 0 else words + [0xFFFFFFFF] * change
        shell.into.queue.extend((w, int(i == len(sent) - 1)) for i, w in enumerate(sent))
        full = b"".join(w.to_bytes(4, "little") for w in (sent + [0] * IN_WORDS)[:IN_WORDS])
        beats = [full[8 * b : 8 * b + IN_BYTES] for b in range(IN_BEATS)]
        expected += infer(b"".join(beats))
    for _ in range(3000):
        shell.step()
    data = b"".join(w.to_bytes(4, "little")[:OUT_BYTES] for w, _ in shell.out.taken)
    assert data == expected
    assert shell.read(Reg.LENGTH_ERRORS) == 5


def test_a_reset_in_the_middle_of_a_packet_costs_that_packet_alone(shell: Shell) -> None:
    rng = random.Random(8)
    shell.write(Reg.CONTROL, Control.RESET | Control.STREAM)
    first, second = kept_bytes(rng), kept_bytes(rng)
    shell.into.queue.extend((w, 0) for w in packet(first)[:3])
    while shell.into.queue:
        shell.step()
    shell.write(Reg.CONTROL, Control.RESET | Control.STREAM)
    rest = packet(first)[3:]
    shell.into.queue.extend((w, int(i == len(rest) - 1)) for i, w in enumerate(rest))
    shell.into.queue.extend((w, int(i == IN_WORDS - 1)) for i, w in enumerate(packet(second)))
    for _ in range(400):
        shell.step()
    data = b"".join(w.to_bytes(4, "little")[:OUT_BYTES] for w, _ in shell.out.taken)
    assert data[-OUT_BEATS * OUT_BYTES :] == infer(second)
    assert shell.read(Reg.LENGTH_ERRORS) == 1
