"""The AXI shell's registers as a dictionary, with the test network in Python behind START."""

from __future__ import annotations

from axi_shell_sim import CLOCK_HZ, IN_BEATS, IN_BYTES, OUT_WORDS, SLOTS, infer
from board_tree import core, identity

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


def facts(**changes: object) -> Facts:
    told = {n: getattr(identity(), n) for n in identity().__dataclass_fields__}
    shape = {
        n: getattr(core(), n)
        for n in ("kept_bytes", "in_width", "in_beats", "out_width", "out_beats")
    }
    return Facts(**{**told, **shape, **changes})  # type: ignore[arg-type]


class FakeWindow:
    """The registers as a dictionary, with the network in Python behind START."""

    simulated = True

    def __init__(self) -> None:
        self.words = {int(Reg.ID): ID, int(Reg.VERSION): VERSION, int(Reg.SLOTS): SLOTS}
        self.words |= {int(Reg.CLOCK_HZ): CLOCK_HZ, int(Reg.IN_WORDS): 6, int(Reg.OUT_WORDS): 2}
        for i, byte in enumerate(range(0, 32, 4)):
            value = int.from_bytes(bytes(range(byte, byte + 4)), "little")
            self.words[Reg.BUILD_ID + 4 * i] = value
        self.hung = False

    def read(self, offset: int) -> int:
        return self.words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        self.words[offset] = value
        if offset == Reg.CONTROL and value & Control.RESET:
            self.words[Reg.STATUS] = 0
        if offset == Reg.CONTROL and value & Control.START:
            self._run(bool(value & Control.LOOPBACK))

    def _run(self, loopback: bool) -> None:
        if self.hung:
            self.words[Reg.STATUS] = Status.BUSY
            return
        n, count = self.read(Reg.N), self.read(Reg.COUNT)
        slot = self.read(Reg.FIRST) + (n - 1) % count
        words = [self.read(STORE_OFFSET + 4 * (6 * slot + i)) for i in range(6)]
        if not loopback:
            data = b"".join(w.to_bytes(4, "little") for w in words)
            kept = b"".join(data[8 * b : 8 * b + IN_BYTES] for b in range(IN_BEATS))
            out = infer(kept)
            words = [int.from_bytes(out[3 * i : 3 * i + 3], "little") for i in range(OUT_WORDS)]
        for i, word in enumerate(words):
            self.words[RESULT_OFFSET + 4 * i] = word
        self.words |= {int(Reg.DONE): n, int(Reg.CYCLES): 10, int(Reg.CYCLES_MIN): 10}
        self.words |= {int(Reg.CYCLES_MAX): 10, int(Reg.CYCLES_SUM): 10 * n}
        self.words[Reg.RUN_CLOCKS] = -(-n // self.read(Reg.BATCH)) * self.read(Reg.PERIOD)
        self.words[Reg.STATUS] = Status.RESULT
