"""What the kernels may ask of a CPU."""

from __future__ import annotations

from typing import Literal

from edgekit.board import Cpu

Feature = Literal[
    "dsp",  # SMLAD and the like: Armv7E-M, Armv8-M with the DSP extension
    "mve",  # vectors of 16 bytes: Armv8.1-M
    "rv32",  # 31 registers and a multiplier with both halves, no vectors
]

FEATURES: dict[Cpu, frozenset[Feature]] = {
    "cortex-m0plus": frozenset(),
    "cortex-m33": frozenset({"dsp"}),
    "cortex-m4f": frozenset({"dsp"}),
    "cortex-m55": frozenset({"dsp", "mve"}),
    "cortex-m7": frozenset({"dsp"}),
    "rv32imc": frozenset({"rv32"}),
}
