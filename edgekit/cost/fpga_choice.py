"""Which clock, style and pipeline depth keep the contract at the least energy, time or area."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from edgekit.cost import fpga_power
from edgekit.cost.fpga_activity import Activity
from edgekit.cost.fpga_power import ClockSource, Scope, Sleep
from edgekit.errors import DoesNotFitError, OverBudgetError

Goal = Literal["energy", "latency", "area"]

HFOSC_HZ: tuple[int, ...] = (48_000_000, 24_000_000, 12_000_000, 6_000_000)


@dataclass(frozen=True, slots=True)
class Design:
    """A routed network: what it takes, how fast it can be clocked and what it toggles."""

    style: Literal["hardwired", "folded"]
    stages: int | None  # register stages of the hard-wired style
    cells: int
    fmax_mhz: float
    latency_cycles: int
    interval_cycles: int
    activity: Activity  # while it infers without pause


@dataclass(frozen=True, slots=True)
class Contract:
    """What has to hold: `rate_hz` None asks for the power while inferring without pause."""

    limit_mw: float
    rate_hz: float | None
    scope: Scope
    source: ClockSource
    sleep: Sleep


@dataclass(frozen=True, slots=True)
class Candidate:
    """A design at a clock, with what the model says of it under a contract."""

    design: Design
    clock_hz: int
    mean_mw: float
    upper_mw: float
    energy_nj: float  # of one inference, the pause after it included
    latency_us: float


def candidates(
    designs: Iterable[Design], clocks_hz: Sequence[int], contract: Contract
) -> tuple[Candidate, ...]:
    """Return every design at every clock that it meets and that keeps the contract's rate."""
    return tuple(
        _candidate(design, clock_hz, contract)
        for design in designs
        for clock_hz in clocks_hz
        if clock_hz <= design.fmax_mhz * 1e6 and _keeps_rate(design, clock_hz, contract)
    )


def choose(
    designs: Sequence[Design], clocks_hz: Sequence[int], contract: Contract, goal: Goal
) -> Candidate:
    """Return the best candidate for `goal` whose upper bound keeps the contract's limit.

    Ties go to the smaller design, then to the slower clock.

    Raises DoesNotFitError where no design reaches a clock that keeps the rate, OverBudgetError
    where those that do all may draw more than the limit.
    """
    found = candidates(designs, clocks_hz, contract)
    if not found:
        fastest = max(designs, key=lambda d: d.fmax_mhz / d.interval_cycles)
        raise DoesNotFitError(
            f"no design reaches {_rate(contract)}: the fastest takes {fastest.interval_cycles} "
            f"cycles an inference and runs at {fastest.fmax_mhz:.2f} MHz; clocks are "
            f"{', '.join(f'{c / 1e6:g}' for c in clocks_hz)} MHz",
            hint="ask for a lower rate, or for more register stages",
        )
    kept = [c for c in found if c.upper_mw <= contract.limit_mw]
    if not kept:
        least = min(found, key=lambda c: c.upper_mw)
        raise OverBudgetError(
            f"at {_rate(contract)} every design may draw more than {contract.limit_mw:g} mW: the "
            f"least is {least.upper_mw:.3g} mW at {least.clock_hz / 1e6:g} MHz",
            hint="ask for a lower rate, or prune more",
        )
    return min(kept, key=lambda c: (_merit(c, goal), c.design.cells, c.clock_hz))


def _merit(candidate: Candidate, goal: Goal) -> float:
    match goal:
        case "energy":
            return candidate.energy_nj
        case "latency":
            return candidate.latency_us
        case "area":
            return float(candidate.design.cells)
        case _:
            assert_never(goal)


def _keeps_rate(design: Design, clock_hz: int, contract: Contract) -> bool:
    return contract.rate_hz is None or clock_hz >= contract.rate_hz * design.interval_cycles


def _candidate(design: Design, clock_hz: int, contract: Contract) -> Candidate:
    activity, source = design.activity, contract.source
    run = fpga_power.bounds(fpga_power.run_terms(activity, clock_hz, source), contract.scope)
    asleep = fpga_power.sleep_terms(activity, clock_hz, source, contract.sleep)
    sleep = fpga_power.bounds(asleep, contract.scope)
    fastest_hz = clock_hz / design.interval_cycles
    rate_hz = contract.rate_hz or fastest_hz
    duty = rate_hz / fastest_hz
    mean_mw = duty * run.value + (1.0 - duty) * sleep.value
    return Candidate(
        design=design,
        clock_hz=clock_hz,
        mean_mw=mean_mw,
        upper_mw=duty * run.high + (1.0 - duty) * sleep.high,
        energy_nj=mean_mw / rate_hz * 1e6,
        latency_us=design.latency_cycles / clock_hz * 1e6,
    )


def _rate(contract: Contract) -> str:
    if contract.rate_hz is None:
        return "inference without pause"
    return f"{contract.rate_hz:g} inferences a second"
