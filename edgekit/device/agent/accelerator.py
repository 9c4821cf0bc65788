"""The AXI shell as functions: who it is, whether it echoes, inputs in, results out, runs."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from edgekit.device.agent.facts import Facts
from edgekit.device.agent.registers import (
    ID,
    RESULT_OFFSET,
    STORE_OFFSET,
    VERSION,
    Control,
    Reg,
    Status,
)
from edgekit.device.agent.window import Window
from edgekit.errors import DeviceError

_TIMEOUT_S = 2.0  # of one inference, or of a reset
_CLOCK_WINDOW_S = 0.05
_CLOCK_TOLERANCE = 0.01  # the window is timed by a busy Arm core
_ECHOES = 4


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run went; `clocks` are of its whole time, from the start to the last period's end."""

    n: int
    missed: int
    cycles_min: int
    cycles_max: int
    cycles_sum: int
    clocks: int


class Accelerator:
    """The shell behind `window`; every wait ends, in a reset and a DeviceError if need be."""

    def __init__(self, window: Window, facts: Facts, weights: bytes = b"") -> None:
        self.facts = facts
        self._weights = weights  # 16-bit words, little-endian, for a network that keeps them in RAM
        self.simulated = window.simulated
        self._window = window
        self._check_identity()

    def _check_identity(self) -> None:
        read = self._window.read
        found = read(Reg.ID)
        if found != ID:
            raise DeviceError(
                f"the registers begin with {found:#010x}, not with edgekit's {ID:#010x}",
                hint="another bitstream is loaded, or none: deploy again",
            )
        if read(Reg.VERSION) != VERSION:
            raise DeviceError(
                f"the accelerator's registers are version {read(Reg.VERSION)}, wanted {VERSION}",
                hint="build the bitstream with this release of edgekit",
            )
        for reg, wanted, what in (
            (Reg.BUILD_ID, self.facts.build_id, "build"),
            (Reg.MODEL_HASH, self.facts.model_hash, "model"),
        ):
            identity = b"".join(read(reg + 4 * i).to_bytes(4, "little") for i in range(4)).hex()
            if identity != wanted:
                raise DeviceError(
                    f"the bitstream's {what} is {identity[:8]}…, the manifest's {wanted[:8]}…",
                    hint="the bundle's bitstream and manifest do not belong together: build both",
                )
        shape = (read(Reg.IN_WORDS), read(Reg.OUT_WORDS), read(Reg.SLOTS), read(Reg.CLOCK_HZ))
        facts = self.facts
        if shape != (facts.in_words, facts.out_words, facts.slots, facts.clock_hz):
            raise DeviceError(f"the accelerator's shape {shape} is not the manifest's")

    def check_clock(self) -> float:
        """Return the clock in Hz, timed; DeviceError where it is not what the design was timed for.

        A simulation has no clock to time: its nominal one is returned.
        """
        if self.simulated:
            return float(self.facts.clock_hz)
        begin, first = time.monotonic(), self._window.read(Reg.CLOCKS)
        time.sleep(_CLOCK_WINDOW_S)
        end, last = time.monotonic(), self._window.read(Reg.CLOCKS)
        clock_hz = ((last - first) & 0xFFFFFFFF) / (end - begin)
        if abs(clock_hz - self.facts.clock_hz) > _CLOCK_TOLERANCE * self.facts.clock_hz:
            raise DeviceError(
                f"the accelerator runs at {clock_hz / 1e6:.1f} MHz, its bitstream was built and "
                f"timed for {self.facts.clock_hz / 1e6:.1f} MHz",
                hint="another program set FCLK0: deploy again, which sets it",
            )
        return clock_hz

    def reset(self) -> None:
        """Reset what is behind the bus and load the network's weights again."""
        self._window.write(Reg.CONTROL, Control.RESET)
        self._wait(Status.RESET, "leave its reset")
        for at in range(0, len(self._weights), 2):
            self._window.write(Reg.LOAD, int.from_bytes(self._weights[at : at + 2], "little"))

    def self_test(self) -> None:
        """Send patterns through the store, the streams and the result window and compare.

        Raises DeviceError where a word comes back changed or not at all.
        """
        rng = random.Random(1)
        words = self.facts.in_words
        patterns = [[0] * words, [0xFFFFFFFF] * words, [0xA5A5A5A5, 0x5A5A5A5A] * words]
        patterns += [[rng.getrandbits(32) for _ in range(words)] for _ in range(_ECHOES)]
        self._window.write(Reg.CONTROL, Control.RESET | Control.LOOPBACK)
        self._wait(Status.RESET, "leave its reset")
        for number, pattern in enumerate(patterns):
            slot = (0, self.facts.slots)[number % 2]
            self._fill(slot, pattern[:words])
            self._run_one(slot, Control.LOOPBACK)
            got = [self._window.read(RESULT_OFFSET + 4 * i) for i in range(words)]
            for index, (sent, echoed) in enumerate(zip(pattern[:words], got, strict=True)):
                if sent != echoed:
                    raise DeviceError(
                        f"the loopback self-test failed: word {index} of pattern {number} was "
                        f"{sent:#010x} and came back as {echoed:#010x}",
                        hint="deploy again; if it stays so, the bitstream or the clock is wrong",
                    )
        self.reset()

    def store(self, slot: int, wire: bytes) -> None:
        """Store one input of the wire in `slot`; slot `slots` is the spare one."""
        facts = self.facts
        kept = bytes(wire[i] for i in facts.kept_bytes)
        beat_bytes = facts.in_width // 8
        spare = bytes(-beat_bytes % 4)
        words: list[int] = []
        for beat in range(facts.in_beats):
            data = kept[beat * beat_bytes : (beat + 1) * beat_bytes] + spare
            words += [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
        self._fill(slot, words)

    def infer(self, slot: int) -> tuple[int, bytes]:
        """Run one inference; return the network's cycles and the output's wire bytes."""
        self._run_one(slot, Control(0))
        facts = self.facts
        words = [self._window.read(RESULT_OFFSET + 4 * i) for i in range(facts.out_words)]
        per_beat = facts.out_words // facts.out_beats
        out = b""
        for beat in range(facts.out_beats):
            mine = words[beat * per_beat : (beat + 1) * per_beat]
            out += b"".join(w.to_bytes(4, "little") for w in mine)[: facts.out_width // 8]
        return self._window.read(Reg.CYCLES), out[: facts.output_bytes]

    def start_run(self, first: int, count: int, n: int, batch: int, period_clocks: int) -> None:
        """Begin a run; it needs no processor until `busy` says that it is over."""
        for reg, value in (
            (Reg.FIRST, first),
            (Reg.COUNT, count),
            (Reg.N, n),
            (Reg.BATCH, batch),
            (Reg.PERIOD, period_clocks),
        ):
            self._window.write(reg, value)
        self._window.write(Reg.CONTROL, Control.START)

    def busy(self) -> bool:
        """Return whether a run goes on."""
        return bool(self._window.read(Reg.STATUS) & Status.BUSY)

    def done(self) -> int:
        """Return the inferences that are over of the current or latest run."""
        return self._window.read(Reg.DONE)

    def stop_run(self) -> None:
        """End a run after the inference under way."""
        self._window.write(Reg.CONTROL, Control.STOP)
        self._wait(Status.BUSY, "stop")

    def run_result(self) -> RunResult:
        """Return how the run that is over went."""
        read = self._window.read

        def wide(reg: Reg) -> int:
            return read(reg) | read(reg + 4) << 32

        n = read(Reg.DONE)
        return RunResult(
            n,
            read(Reg.MISSED),
            read(Reg.CYCLES_MIN) if n else 0,
            read(Reg.CYCLES_MAX),
            wide(Reg.CYCLES_SUM),
            wide(Reg.RUN_CLOCKS),
        )

    def _fill(self, slot: int, words: list[int]) -> None:
        at = STORE_OFFSET + 4 * slot * self.facts.in_words
        for word in words:
            self._window.write(at, word)
            at += 4

    def _run_one(self, slot: int, mode: Control) -> None:
        for reg, value in (
            (Reg.FIRST, slot),
            (Reg.COUNT, 1),
            (Reg.N, 1),
            (Reg.BATCH, 1),
            (Reg.PERIOD, 0),
        ):
            self._window.write(reg, value)
        self._window.write(Reg.CONTROL, Control.START | mode)
        self._wait(Status.BUSY, "answer")

    def _wait(self, bit: Status, what: str) -> None:
        """Wait until `bit` of STATUS is gone; a reset and DeviceError where it stays."""
        deadline = time.monotonic() + _TIMEOUT_S
        while (status := self._window.read(Reg.STATUS)) & bit:
            if time.monotonic() > deadline:
                done = self._window.read(Reg.DONE)
                self._window.write(Reg.CONTROL, Control.RESET)
                raise DeviceError(
                    f"the accelerator did not {what} within {_TIMEOUT_S:g} s "
                    f"(status {status:#x}, {done} done); it was reset",
                    hint="the network's RTL hangs: compare it in simulation",
                )
