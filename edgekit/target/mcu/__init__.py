"""Generated C99 for microcontrollers: tables, one call per node, the kernels that they need."""

from edgekit.target.mcu.plan import emit, kernels, overlaps, scratch_bytes

__all__ = ["emit", "kernels", "overlaps", "scratch_bytes"]
