"""The UP5K model against every published measurement: which rows made it, which test it.

The rows are of tinyvision-ai-inc/ice40_power (README, Joulescope JS110). Toggles are counted
on the published designs, synthesized with yosys 0.23, LUT 1,200 ps, carry 280 ps, flip-flop
1,400 ps: a free-running counter toggles 3 pins a cycle whatever its width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekit.cost import fpga_coefficients as up5k
from edgekit.cost import fpga_power
from edgekit.cost.fpga_activity import Activity
from edgekit.cost.fpga_coefficients import MEASURED_CORE_V
from edgekit.cost.fpga_power import ClockSource

Use = Literal["fit", "check"]
Clock = Literal["pin", "hfosc", "lfosc", "none"]

_COUNTER = 3.0  # pin toggles per cycle
_MULTIPLIER = 242.1  # with its counters
_DSP_DESIGN = 24.6  # counters, and the operands into the DSP block


@dataclass(frozen=True, slots=True)
class Row:
    """One published core current and what the design did."""

    name: str
    measured_ua: float
    use: Use
    clock: Clock
    clock_hz: float
    cells: int
    flip_flops: int
    pin_toggles: float
    dsp: float = 0.0


ROWS: tuple[Row, ...] = (
    Row("blank design", 85.6, "fit", "none", 0.0, 0, 0, 0.0),
    Row("HFOSC 6 MHz, 24-bit counter", 388.4, "fit", "hfosc", 6e6, 28, 24, _COUNTER),
    Row("HFOSC 48 MHz, 24-bit counter", 2184.0, "fit", "hfosc", 48e6, 28, 24, _COUNTER),
    Row("HFOSC 12 MHz, 8×8 in LUTs", 996.0, "fit", "hfosc", 12e6, 208, 40, _MULTIPLIER),
    Row("HFOSC 12 MHz, 8×8 in a DSP", 882.0, "fit", "hfosc", 12e6, 72, 40, _DSP_DESIGN, 1.0),
    Row("LFOSC 10 kHz, 24-bit counter", 96.3, "fit", "lfosc", 10e3, 28, 24, _COUNTER),
    Row("HFOSC 12 MHz, 24-bit counter", 645.0, "check", "hfosc", 12e6, 28, 24, _COUNTER),
    Row("HFOSC 24 MHz, 24-bit counter", 1162.0, "check", "hfosc", 24e6, 28, 24, _COUNTER),
    Row("clock pin halted", 92.1, "check", "none", 0.0, 28, 24, 0.0),
    Row("clock pin 12 MHz, 1 counter", 613.5, "check", "pin", 12e6, 32, 28, _COUNTER),
    Row("clock pin 12 MHz, 2 counters", 616.65, "check", "pin", 12e6, 60, 56, 2 * _COUNTER),
    Row("clock pin 12 MHz, 4 counters", 624.2, "check", "pin", 12e6, 116, 112, 4 * _COUNTER),
    Row("clock pin 12 MHz, 8 counters", 641.3, "check", "pin", 12e6, 228, 224, 8 * _COUNTER),
)
# Published, and beyond the model: the rail of the PLL and what it costs in the core.
PLL_ROWS: tuple[tuple[str, float, float], ...] = (
    ("PLL 12 to 16 MHz", 1419.0, 16e6),
    ("PLL 12 to 32 MHz", 2029.0, 32e6),
    ("PLL 12 to 48 MHz", 2573.0, 48e6),
)


@dataclass(frozen=True, slots=True)
class Residual:
    """A row with what the model says of it, in µA of the core rail."""

    row: Row
    predicted_ua: float
    plus_minus_ua: float

    @property
    def percent(self) -> float:
        """How far the prediction is off, of the measurement."""
        return 100.0 * (self.predicted_ua - self.row.measured_ua) / self.row.measured_ua

    @property
    def within(self) -> bool:
        """Whether the measurement lies within the model's bounds."""
        return abs(self.predicted_ua - self.row.measured_ua) <= self.plus_minus_ua


def predict(row: Row) -> Residual:
    """Return what the model says of `row`."""
    activity = Activity(
        cycles=1,
        inferences=0,
        toggles_per_cycle=row.pin_toggles,
        pin_toggles_per_cycle=row.pin_toggles,
        with_delays=True,
        ff_clocked=row.flip_flops,
        lut=row.cells,
        dsp_operations_per_cycle=row.dsp,
    )
    source: ClockSource = "hfosc" if row.clock == "hfosc" else "pin"
    if row.clock == "none":
        terms = fpga_power.sleep_terms(activity, row.clock_hz, source, "halted")
    elif row.clock == "lfosc":
        terms = fpga_power.sleep_terms(activity, row.clock_hz, source, "slow")
    else:
        terms = fpga_power.run_terms(activity, row.clock_hz, source)
    power = fpga_power.bounds(terms, "core")
    to_ua = 1e3 / MEASURED_CORE_V
    return Residual(row, power.value * to_ua, power.plus_minus * to_ua)


def counters_ua() -> tuple[float, float]:
    """Return what seven more counters add at 12 MHz: (measured, predicted) in µA.

    The sharpest test of the toggle coefficient: static current and clock cancel.
    """
    by_name = {row.name: row for row in ROWS}
    one, eight = by_name["clock pin 12 MHz, 1 counter"], by_name["clock pin 12 MHz, 8 counters"]
    per_cycle = up5k.PIN_TOGGLE.value * (eight.pin_toggles - one.pin_toggles)
    return eight.measured_ua - one.measured_ua, per_cycle * 12.0 / MEASURED_CORE_V


def table() -> str:
    """Return all rows as a Markdown table, fitted ones first."""
    lines = [
        "| published row, core rail | use | measured µA | model µA | residual | within bounds |",
        "|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        r = predict(row)
        lines.append(
            f"| {row.name} | {row.use} | {row.measured_ua:,.1f} | "
            f"{r.predicted_ua:,.1f} ± {r.plus_minus_ua:,.0f} | {r.percent:+.1f} % | "
            f"{'yes' if r.within else 'no'} |"
        )
    for name, measured_ua, clock_hz in PLL_ROWS:
        plain = predict(Row(name, measured_ua, "check", "hfosc", clock_hz, 28, 24, _COUNTER))
        lines.append(
            f"| {name} | beyond the model | {measured_ua:,.1f} | {plain.predicted_ua:,.1f} "
            f"without a PLL | {measured_ua - plain.predicted_ua:+,.0f} µA more | – |"
        )
    return "\n".join(lines) + "\n"
