"""QEMU's machine for each CPU, as the CMake package's example needs it."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.board import Cpu


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine, the memories that an image uses there, and the compiler's flags for its core."""

    qemu: str
    machine: str
    compiler: str
    cpu_flags: str
    code_origin: int
    code_kib: int
    data_origin: int
    data_kib: int


def _arm(machine: str, flags: str, code: tuple[int, int], data: tuple[int, int]) -> Machine:
    flags = f"-mthumb {flags}"
    return Machine("qemu-system-arm", machine, "arm-none-eabi-gcc", flags, *code, *data)


_SSRAM = ((0x0000_0000, 4096), (0x2000_0000, 4096))

MACHINES: dict[Cpu, Machine] = {
    # QEMU has no M0+ with memory enough; an M3 runs all of its instructions.
    "cortex-m0plus": _arm("mps2-an385", "-mcpu=cortex-m0plus -mfloat-abi=soft", *_SSRAM),
    "cortex-m4f": _arm("mps2-an386", "-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16", *_SSRAM),
    "cortex-m7": _arm("mps2-an500", "-mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-d16", *_SSRAM),
    "cortex-m33": _arm(
        "mps2-an505",
        "-mcpu=cortex-m33 -mfloat-abi=hard -mfpu=fpv5-sp-d16",
        (0x1000_0000, 4096),
        (0x3800_0000, 4096),
    ),
    "cortex-m55": _arm(
        "mps3-an547",
        "-mcpu=cortex-m55 -mfloat-abi=hard",
        (0x0000_0000, 512),
        (0x2000_0000, 512),
    ),
    "rv32imc": Machine(
        "qemu-system-riscv32",
        "virt -bios none",
        "riscv64-unknown-elf-gcc",
        # Not rv32imc_zicsr: for that name GCC 12 takes the libgcc of rv64.
        "-march=rv32imc -mabi=ilp32 -mcmodel=medany -ffreestanding",
        0x8000_0000,
        4096,
        0x8040_0000,
        4096,
    ),
}
