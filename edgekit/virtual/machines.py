"""The machines of QEMU that edgekit has firmware ports for."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.board import Cpu, Memory
from edgekit.errors import DeviceError

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
    cpu: Cpu
    flash: Memory
    ram: Memory
    # Numbers of registers in the order of QEMU's debug stub.
    stack_register: int = 13
    return_register: int = 14
    pc_register: int = 15

    @property
    def request(self) -> int:
        """Address of the word that asks the firmware to be an oracle: linker.ld's MAIL."""
        return self.ram.base + self.ram.size_bytes - _KIB


# By firmware port.
MACHINES: dict[str, Machine] = {
    "mps2_an386": Machine(
        tool="qemu-system-arm",
        arguments=("-M", "mps2-an386"),
        cpu="cortex-m4f",
        flash=Memory(base=0, size_bytes=4 * _MIB),
        ram=Memory(base=0x2000_0000, size_bytes=4 * _MIB),
    ),
    "mps2_an500": Machine(
        tool="qemu-system-arm",
        arguments=("-M", "mps2-an500"),
        cpu="cortex-m7",
        flash=Memory(base=0, size_bytes=4 * _MIB),
        ram=Memory(base=0x2000_0000, size_bytes=4 * _MIB),
    ),
    "mps2_an505": Machine(
        tool="qemu-system-arm",
        arguments=("-M", "mps2-an505"),
        cpu="cortex-m33",
        flash=Memory(base=0x1000_0000, size_bytes=4 * _MIB),
        ram=Memory(base=0x3800_0000, size_bytes=4 * _MIB),
    ),
    "mps3_an547": Machine(
        tool="qemu-system-arm",
        arguments=("-M", "mps3-an547"),
        cpu="cortex-m55",
        flash=Memory(base=0x0100_0000, size_bytes=2 * _MIB),
        ram=Memory(base=0x2100_0000, size_bytes=4 * _MIB),
    ),
    "virt_rv32": Machine(
        tool="qemu-system-riscv32",
        arguments=("-M", "virt", "-bios", "none", "-cpu", "rv32,a=false,f=false,d=false"),
        cpu="rv32imc",
        flash=Memory(base=0x8000_0000, size_bytes=4 * _MIB),
        ram=Memory(base=0x8040_0000, size_bytes=4 * _MIB),
        stack_register=2,
        return_register=1,
        pc_register=32,
    ),
}


def port_for(cpu: Cpu) -> str:
    """Return the firmware port of the machine that has this CPU.

    Raises DeviceError where QEMU has none.
    """
    for port, machine in MACHINES.items():
        if machine.cpu == cpu:
            return port
    cpus = ", ".join(machine.cpu for machine in MACHINES.values())
    raise DeviceError(f"no machine of QEMU runs code for {cpu}", hint=f"there are: {cpus}")
