"""Generated C99 for microcontrollers: tables, one call per node, the kernels that they need."""

from edgekit.target.mcu.compilers import compiler, toolchain
from edgekit.target.mcu.fit import arena_room_bytes
from edgekit.target.mcu.plan import emit, kernels, needs, overlaps, scratch_bytes, weights_bytes

__all__ = [
    "arena_room_bytes",
    "compiler",
    "emit",
    "kernels",
    "needs",
    "overlaps",
    "scratch_bytes",
    "toolchain",
    "weights_bytes",
]
