"""What the kernels may ask of a CPU."""

from __future__ import annotations

from typing import Literal

from edgekit.board import Cpu

Feature = Literal["dsp"]  # SMLAD and the like: Armv7E-M, Armv8-M with the DSP extension

FEATURES: dict[Cpu, frozenset[Feature]] = {
    "cortex-m4f": frozenset({"dsp"}),
}
