"""Power of a network on an iCE40 UP5K, per rail and with bounds, from what its netlist does.

A model, never a measurement: docs/fpga/power.md has its coefficients, the published rows that it
was checked on, and what it cannot say. No other part has published coefficients, so none has a
model here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, assert_never

from edgekit.board import Fact, FpgaBoard, PoweredPoint
from edgekit.cost import fpga_coefficients as up5k
from edgekit.cost.fpga_activity import Activity
from edgekit.cost.fpga_coefficients import MEASURED_CORE_V, MEASURED_IO_V, Coefficient

Rail = Literal["core", "io", "pll"]
Scope = Literal["supply", "core", "io"]  # supply: all rails of the FPGA
ClockSource = Literal["pin", "hfosc"]
# running: clock enables stop the network, the clock itself goes on; halted: nothing moves;
# slow: on the 10 kHz oscillator, the fast one powered down.
Sleep = Literal["running", "halted", "slow"]

_SLOW_HZ = 10e3
# A shell that waits: baud and time counters of a few cells. Counted at most 64 pins a cycle.
_WAITING_PIN_TOGGLES = 32.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """A power in mW, or an energy in nJ, with the sum of its coefficients' half widths."""

    value: float
    plus_minus: float

    @property
    def low(self) -> float:
        """Lower bound, never below 0."""
        return max(0.0, self.value - self.plus_minus)

    @property
    def high(self) -> float:
        """Upper bound: what a contract is judged on."""
        return self.value + self.plus_minus


@dataclass(frozen=True, slots=True)
class Term:
    """One summand: a coefficient times how much of it there is."""

    name: str
    rail: Rail
    mw: float
    plus_minus_mw: float


def source_of(board: FpgaBoard, operating_point: str) -> ClockSource:
    """Return what makes the clock at that point, by the name of its coefficients."""
    return "pin" if board.clock_source(operating_point) == "pin" else "hfosc"


def bounds(terms: Iterable[Term], scope: Scope) -> Bounds:
    """Return the sum over the rails of `scope`.

    Half widths add up, not in quadrature: several rest on the same rows, and some are bounds
    that are argued, not measured.
    """
    chosen = [t for t in terms if scope == "supply" or t.rail == scope]
    return Bounds(sum(t.mw for t in chosen), sum(t.plus_minus_mw for t in chosen))


def run_terms(activity: Activity, clock_hz: float, source: ClockSource) -> tuple[Term, ...]:
    """Return what the part draws while the netlist does `activity` at `clock_hz`."""
    toggles, per_toggle = _toggles(activity)
    bram = activity.bram_reads_per_cycle + activity.bram_writes_per_cycle
    return (
        *_standing(activity.lut, source),
        _switching(up5k.CLOCK, 1.0, clock_hz),
        _switching(up5k.FLIP_FLOP, activity.ff_clocked, clock_hz),
        _switching(per_toggle, toggles, clock_hz),
        _switching(up5k.BRAM, bram, clock_hz),
        _switching(up5k.SPRAM, activity.spram_accesses_per_cycle, clock_hz),
        _switching(up5k.DSP, activity.dsp_operations_per_cycle, clock_hz),
        _switching(up5k.IO_TOGGLE, activity.io_toggles_per_cycle, clock_hz, "io"),
    )


def idle_terms(
    activity: Activity, clock_hz: float, source: ClockSource, waiting: Activity | None = None
) -> tuple[Term, ...]:
    """Return what the part draws while its shell waits for the link, the clock running.

    `waiting` is the netlist counted while it waits. Without it, all flip-flops are clocked, the
    network is still and the shell's own counters are taken as 32 pin toggles a cycle ± 100 %.
    """
    if waiting is not None:
        return run_terms(waiting, clock_hz, source)
    unknown = Coefficient("shell waiting", up5k.PIN_TOGGLE.value, "pJ", 100.0, "")
    return (
        *_standing(activity.lut, source),
        _switching(up5k.CLOCK, 1.0, clock_hz),
        _switching(up5k.FLIP_FLOP, activity.ff_clocked, clock_hz),
        _switching(unknown, _WAITING_PIN_TOGGLES, clock_hz),
    )


def sleep_terms(
    activity: Activity, clock_hz: float, source: ClockSource, sleep: Sleep
) -> tuple[Term, ...]:
    """Return what the part draws between inferences."""
    match sleep:
        case "running":
            return idle_terms(activity, clock_hz, source)
        case "halted":
            # Only a clock from outside stops altogether; the oscillator stays powered.
            kept = () if source == "pin" else (_standing_term(up5k.OSCILLATOR_OFF),)
            return (*_standing(activity.lut, "pin"), *kept)
        case "slow":
            return (
                *_standing(activity.lut, "pin"),
                _standing_term(up5k.SLOW_OSCILLATOR),
                _switching(up5k.CLOCK, 1.0, _SLOW_HZ),
            )
        case _:
            assert_never(sleep)


def powered_point(
    activity: Activity,
    *,
    clock_hz: int,
    source: ClockSource,
    sleep: Sleep,
    scope: Scope,
    supply_mv: int,
    waiting: Activity | None = None,
    wakeup_us: float = 1.0,
) -> PoweredPoint:
    """Return the operating point that virtual meters, windows and verdicts work with.

    Its currents are those of all rails in `scope` together, expressed at `supply_mv`: power is
    kept, so that the published currents at 1.219 V become slightly larger at 1.2 V.

    Args:
        activity: of the netlist while it infers without pause.
        clock_hz: of the network.
        source: a crystal or the part's own oscillator.
        sleep: what stops between inferences.
        scope: the rails that are judged.
        supply_mv: what the currents are expressed at.
        waiting: the netlist counted while it waits for the link; see `idle_terms`.
        wakeup_us: from sleep to the first clock of an inference.
    """
    how = "with delays" if activity.with_delays else "zero delay"

    def fact(state: str, terms: tuple[Term, ...]) -> Fact:
        condition = f"{state} at {clock_hz / 1e6:g} MHz, toggles {how}"
        return _current(bounds(terms, scope), supply_mv, condition)

    wakeup = Fact(
        value=wakeup_us,
        unit="µs",
        source="clock cycles of the shell until the network's enable",
        plus_minus_percent=100.0,
    )
    return PoweredPoint(
        clock_hz=clock_hz,
        supply_mv=supply_mv,
        regulator="none: the rails themselves",
        sleep_state=sleep,
        wakeup_us=wakeup,
        run_ua=fact("run", run_terms(activity, clock_hz, source)),
        idle_ua=fact("idle", idle_terms(activity, clock_hz, source, waiting)),
        sleep_ua=fact("sleep", sleep_terms(activity, clock_hz, source, sleep)),
    )


def _current(power: Bounds, supply_mv: int, condition: str) -> Fact:
    return Fact(
        value=power.value / supply_mv * 1e6,
        unit="µA",
        source="UP5K model (docs/fpga/power.md) of the synthesized netlist",
        plus_minus_percent=100.0 * power.plus_minus / power.value,
        condition=condition,
    )


def energy_nj(activity: Activity, clock_hz: float, source: ClockSource, scope: Scope) -> Bounds:
    """Return the energy of one inference in nJ, running without pause.

    All that the rails of `scope` draw is in it, static current included.
    """
    power = bounds(run_terms(activity, clock_hz, source), scope)
    per_mw = activity.cycles_per_inference / clock_hz * 1e6
    return Bounds(power.value * per_mw, power.plus_minus * per_mw)


def _toggles(activity: Activity) -> tuple[float, Coefficient]:
    if activity.pin_toggles_per_cycle is not None:
        per_pin = up5k.PIN_TOGGLE if activity.with_delays else up5k.PIN_TOGGLE_SETTLED
        return activity.pin_toggles_per_cycle, per_pin
    per_net = up5k.NET_TOGGLE if activity.with_delays else up5k.NET_TOGGLE_SETTLED
    return activity.toggles_per_cycle, per_net


def _standing(cells: int, source: ClockSource) -> tuple[Term, ...]:
    own = (_standing_term(up5k.OSCILLATOR),) if source == "hfosc" else ()
    return (
        _standing_term(up5k.STATIC),
        _standing_term(up5k.LEAKAGE, cells),
        *own,
        _standing_term(up5k.IO_STATIC, rail="io"),
        _standing_term(up5k.PLL_STATIC, rail="pll"),
    )


def _standing_term(of: Coefficient, count: float = 1.0, rail: Rail = "core") -> Term:
    """Return a term of a current in µA that flows whatever the clock."""
    volts = MEASURED_IO_V if rail == "io" else MEASURED_CORE_V
    return Term(
        of.name, rail, of.value * count * volts * 1e-3, of.plus_minus * count * volts * 1e-3
    )


def _switching(of: Coefficient, per_cycle: float, clock_hz: float, rail: Rail = "core") -> Term:
    """Return a term of an energy in pJ that is spent `per_cycle` times a clock cycle."""
    to_mw = per_cycle * clock_hz * 1e-9
    return Term(of.name, rail, of.value * to_mw, of.plus_minus * to_mw)
