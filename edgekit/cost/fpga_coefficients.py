"""What switching costs on an iCE40 UP5K: every figure with unit, source and uncertainty.

docs/fpga/power.md says how each was found and what the model was checked on.
"""

from __future__ import annotations

from dataclasses import dataclass

MEASURED_CORE_V = 1.219  # what the published core currents were measured at
MEASURED_IO_V = 3.283

_JOULESCOPE = "tinyvision-ai-inc/ice40_power README, Joulescope JS110, core at 1.219 V"


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One figure of the model; the half width is of 95 %, or an argued bound at 100 %."""

    name: str
    value: float
    unit: str
    plus_minus_percent: float
    source: str

    @property
    def plus_minus(self) -> float:
        """Half width in the figure's own unit."""
        return self.value * self.plus_minus_percent / 100.0


STATIC = Coefficient(
    "static",
    85.6,
    "µA",
    50.0,
    f"{_JOULESCOPE}: blank design; one part at room temperature, spread and heat unknown",
)
LEAKAGE = Coefficient(
    "used logic cell",
    3.0 / 1536,
    "µA per cell",
    100.0,
    f"{_JOULESCOPE}: 3 µA more for 1,536 cells of counters at 10 kHz",
)
OSCILLATOR = Coefficient(
    "HFOSC running",
    46.3,
    "µA",
    20.0,
    f"{_JOULESCOPE}: 6 and 48 MHz rows extended to 0 Hz, less the blank design",
)
OSCILLATOR_OFF = Coefficient(
    "HFOSC powered, output disabled",
    39.0,
    "µA",
    25.0,
    f"{_JOULESCOPE}: lp_design asleep, 135 µA, less the 10 kHz row; its author names no cause",
)
SLOW_OSCILLATOR = Coefficient(
    "LFOSC running",
    10.7,
    "µA",
    50.0,
    f"{_JOULESCOPE}: 10 kHz row, less the blank design",
)
CLOCK = Coefficient(
    "clock base",
    51.67,
    "pJ per clock cycle",
    10.0,
    f"{_JOULESCOPE}: slope from 6 to 48 MHz, less the toggles of its 24-bit counter",
)
FLIP_FLOP = Coefficient(
    "clocked flip-flop",
    0.0072,
    "pJ per clock cycle",
    100.0,
    f"{_JOULESCOPE}: bound: half of all that a cell adds from 32 to 228 cells at 12 MHz",
)
PIN_TOGGLE = Coefficient(
    "pin toggle, with delays",
    0.149,
    "pJ",
    50.0,
    f"{_JOULESCOPE}: 8 by 8 multiplier in LUTs, 351 µA at 12 MHz over 239 pin toggles a cycle",
)
PIN_TOGGLE_SETTLED = Coefficient(
    "pin toggle, zero delay",
    0.188,
    "pJ",
    60.0,
    "the same row over 189 pin toggles a cycle; a design with deeper logic glitches more",
)
NET_TOGGLE = Coefficient(
    "net toggle, with delays",
    0.327,
    "pJ",
    60.0,
    "the same row over 109 toggles a cycle of all nets, where pins were not counted",
)
NET_TOGGLE_SETTLED = Coefficient(
    "net toggle, zero delay",
    0.525,
    "pJ",
    70.0,
    "the same row over 68 toggles a cycle of all nets",
)
DSP = Coefficient(
    "DSP operation",
    20.9,
    "pJ",
    60.0,
    f"{_JOULESCOPE}: one 8 by 8 multiplication a cycle at 12 MHz, less its counters; wider "
    "operands were not measured",
)
BRAM = Coefficient(
    "EBR access",
    9.0,
    "pJ",
    100.0,
    "bound, 0 to 18 pJ: 10 pJ for 64 bits of an 8 KB memory in 45 nm at 0.9 V (Horowitz, ISSCC "
    "2014), scaled to 1.2 V; a block here is 0.5 KB, 16 bits wide, in 40 nm. Not measured",
)
SPRAM = Coefficient(
    "SPRAM access",
    18.0,
    "pJ",
    100.0,
    "bound, 0 to 36 pJ: 20 pJ for 64 bits of a 32 KB memory, same source and scaling; a block "
    "here is 32 KB, 16 bits wide. Not measured",
)
IO_STATIC = Coefficient(
    "IO banks",
    8.66,
    "µA",
    20.0,
    f"{_JOULESCOPE}: banks 0, 1 and 2 at 3.283 V with an oscillator running",
)
IO_TOGGLE = Coefficient(
    "output pin toggle",
    82.0,
    "pJ",
    100.0,
    "bound, 0 to 163 pJ: half of C V squared at 3.3 V for 30 pF, 6 pF of the pin (Lattice iCE40 "
    "LP/HX family data sheet: I/O capacitance) and 24 pF of trace and receiver",
)
PLL_STATIC = Coefficient(
    "PLL rail, PLL unused",
    4.4,
    "µA",
    20.0,
    f"{_JOULESCOPE}: PLL column, 4.1 to 4.4 µA",
)

COEFFICIENTS: tuple[Coefficient, ...] = (
    STATIC,
    LEAKAGE,
    OSCILLATOR,
    OSCILLATOR_OFF,
    SLOW_OSCILLATOR,
    CLOCK,
    FLIP_FLOP,
    PIN_TOGGLE,
    PIN_TOGGLE_SETTLED,
    NET_TOGGLE,
    NET_TOGGLE_SETTLED,
    DSP,
    BRAM,
    SPRAM,
    IO_STATIC,
    IO_TOGGLE,
    PLL_STATIC,
)
