"""Generated C99 for microcontrollers: tables, one call per node, the kernels that they need."""

from edgekit.target.mcu.compilers import compiler, toolchain
from edgekit.target.mcu.plan import emit, kernels, overlaps, scratch_bytes

__all__ = ["compiler", "emit", "kernels", "overlaps", "scratch_bytes", "toolchain"]
