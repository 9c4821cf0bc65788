"""The machines of QEMU that edgekit has firmware ports for."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.board import Cpu, Memory

_MIB = 1024 * 1024
_KIB = 1024
# An instruction takes 2**ICOUNT_SHIFT ns of QEMU's virtual time: several ticks of every machine's
# timer, so that a window between two reads of it is known to the instruction.
ICOUNT_SHIFT = 8


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine: how it is started and what firmware for it must know."""

    tool: str
    arguments: tuple[str, ...]
    firmware_port: str
    flash: Memory
    ram: Memory

    @property
    def request(self) -> int:
        """Address of the word that asks the firmware to be an oracle: linker.ld's MAIL."""
        return self.ram.base + self.ram.size_bytes - _KIB


_AN386 = Machine(
    tool="qemu-system-arm",
    arguments=("-M", "mps2-an386"),
    firmware_port="mps2_an386",
    flash=Memory(base=0, size_bytes=4 * _MIB),
    ram=Memory(base=0x2000_0000, size_bytes=4 * _MIB),
)
_AN547 = Machine(
    tool="qemu-system-arm",
    arguments=("-M", "mps3-an547"),
    firmware_port="mps3_an547",
    flash=Memory(base=0x0100_0000, size_bytes=2 * _MIB),
    ram=Memory(base=0x2100_0000, size_bytes=4 * _MIB),
)

# Which machine runs code for a CPU.
MACHINES: dict[Cpu, Machine] = {
    "cortex-m4f": _AN386,
    "cortex-m55": _AN547,
}
