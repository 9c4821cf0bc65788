"""The UP5K power model: published rows, bounds, operating points, and the choice of a clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.cost import energy, fpga_check, fpga_choice, fpga_power
from edgekit.cost import fpga_coefficients as up5k
from edgekit.cost.fpga_activity import Activity
from edgekit.cost.fpga_choice import Contract, Design
from edgekit.errors import DoesNotFitError, OverBudgetError

# About what 64-64-10 with 80 % zeros does, one inference a clock.
NET = Activity(
    cycles=1000,
    inferences=1000,
    toggles_per_cycle=1300.0,
    with_delays=True,
    ff_clocked=375.0,
    lut=1358,
    pin_toggles_per_cycle=1800.0,
)


@pytest.mark.parametrize("row", fpga_check.ROWS, ids=lambda r: r.name)
def test_published_rows_are_predicted(row: fpga_check.Row) -> None:
    found = fpga_check.predict(row)
    assert found.within
    limit = 1.0 if row.use == "fit" else 8.0
    assert abs(found.percent) <= limit


def test_seven_more_counters_cost_what_the_multiplier_says() -> None:
    # Fitted on the multiplier alone; static current and clock cancel in this difference.
    measured, predicted = fpga_check.counters_ua()
    assert predicted == pytest.approx(measured, rel=0.15)


def test_toggle_coefficients_follow_from_their_row() -> None:
    per_cycle_pj = (996.0 - 645.0) / 12.0 * up5k.MEASURED_CORE_V
    assert up5k.PIN_TOGGLE.value == pytest.approx(per_cycle_pj / (242.1 - 3.0), rel=0.01)
    assert up5k.PIN_TOGGLE_SETTLED.value == pytest.approx(per_cycle_pj / (192.3 - 3.0), rel=0.01)
    assert up5k.NET_TOGGLE.value == pytest.approx(per_cycle_pj / (114.91 - 5.96), rel=0.01)
    assert up5k.NET_TOGGLE_SETTLED.value == pytest.approx(per_cycle_pj / (72.86 - 4.99), rel=0.01)


def test_the_documentation_has_the_table_and_the_coefficients(root: Path) -> None:
    text = (root / "docs/fpga/power.md").read_text(encoding="utf-8")
    assert fpga_check.table() in text
    for c in up5k.COEFFICIENTS:
        row = f"| {c.name} | {c.value:.4g} | {c.unit} | ± {c.plus_minus_percent:g} % | {c.source} |"
        assert row in text


def test_a_worked_calculation() -> None:
    # docs/fpga/power.md: 24 MHz from a crystal, all by hand.
    core = fpga_power.bounds(fpga_power.run_terms(NET, 24e6, "pin"), "core")
    static = (85.6 + 1358 * 3.0 / 1536) * 1.219e-3
    dynamic = 24e6 * 1e-9 * (51.67 + 375 * 0.0072 + 1800 * 0.149)
    assert core.value == pytest.approx(static + dynamic)
    u_static = (85.6 * 0.5 + 1358 * 3.0 / 1536) * 1.219e-3
    u_dynamic = 24e6 * 1e-9 * (5.167 + 375 * 0.0072 + 1800 * 0.149 * 0.5)
    assert core.plus_minus == pytest.approx(u_static + u_dynamic)


def test_rails_add_up_to_the_supply() -> None:
    terms = fpga_power.run_terms(replace(NET, io_toggles_per_cycle=0.5), 12e6, "hfosc")
    parts = [sum(t.mw for t in terms if t.rail == rail) for rail in ("core", "io", "pll")]
    assert fpga_power.bounds(terms, "supply").value == pytest.approx(sum(parts))
    assert fpga_power.bounds(terms, "core").value == pytest.approx(parts[0])
    assert fpga_power.bounds(terms, "io").value == pytest.approx(parts[1])
    assert parts[1] == pytest.approx(8.66e-3 * 3.283 + 0.5 * 12e6 * 82e-9)


def test_coarser_counts_have_wider_bounds() -> None:
    def width(activity: Activity) -> float:
        found = fpga_power.bounds(fpga_power.run_terms(activity, 12e6, "pin"), "core")
        return found.plus_minus / found.value

    settled = replace(NET, with_delays=False)
    assert width(NET) < width(settled)
    assert width(NET) < width(replace(NET, pin_toggles_per_cycle=None))


@pytest.mark.parametrize(
    ("change", "coefficient"),
    [
        ({"bram_reads_per_cycle": 1.0}, up5k.BRAM),
        ({"bram_writes_per_cycle": 1.0}, up5k.BRAM),
        ({"spram_accesses_per_cycle": 1.0}, up5k.SPRAM),
        ({"dsp_operations_per_cycle": 1.0}, up5k.DSP),
        ({"io_toggles_per_cycle": 1.0}, up5k.IO_TOGGLE),
    ],
)
def test_every_block_has_its_term(change: dict[str, float], coefficient: up5k.Coefficient) -> None:
    plain = fpga_power.bounds(fpga_power.run_terms(NET, 10e6, "pin"), "supply")
    more = fpga_power.bounds(fpga_power.run_terms(replace(NET, **change), 10e6, "pin"), "supply")
    assert more.value - plain.value == pytest.approx(coefficient.value * 10e6 * 1e-9)
    assert more.high - plain.high == pytest.approx(
        (coefficient.value + coefficient.plus_minus) * 10e6 * 1e-9
    )


def test_an_operating_point_keeps_power_and_bounds() -> None:
    point = fpga_power.powered_point(
        NET, clock_hz=12_000_000, source="pin", sleep="running", scope="supply", supply_mv=1200
    )
    run = fpga_power.bounds(fpga_power.run_terms(NET, 12e6, "pin"), "supply")
    assert energy.active_mw(point) == pytest.approx(run.value)
    assert point.run_ua.value * 1.2e-3 * point.run_ua.plus_minus_percent / 100 == pytest.approx(
        run.plus_minus
    )
    assert point.run_ua.value > point.idle_ua.value
    assert "UP5K model" in point.run_ua.source
    assert not point.run_ua.verified


def test_sleep_states_are_ordered() -> None:
    def sleeps(source: fpga_power.ClockSource, state: fpga_power.Sleep) -> float:
        return fpga_power.bounds(fpga_power.sleep_terms(NET, 12e6, source, state), "core").value

    assert sleeps("pin", "halted") < sleeps("pin", "slow") < sleeps("pin", "running")
    assert sleeps("pin", "halted") < sleeps("hfosc", "halted") < sleeps("hfosc", "running")


def test_energy_of_an_inference_is_power_over_rate() -> None:
    one = fpga_power.energy_nj(NET, 12e6, "pin", "core")
    power = fpga_power.bounds(fpga_power.run_terms(NET, 12e6, "pin"), "core")
    assert one.value == pytest.approx(power.value * 1e-3 / 12e6 * 1e9)
    folded = fpga_power.energy_nj(replace(NET, inferences=10), 12e6, "pin", "core")
    assert folded.value == pytest.approx(100 * one.value)


def test_activity_refuses_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="no activity"):
        replace(NET, cycles=0)
    with pytest.raises(ValueError, match="no activity"):
        replace(NET, toggles_per_cycle=-1.0)


SHALLOW = Design("hardwired", 2, 1500, 14.0, 5, 1, replace(NET, pin_toggles_per_cycle=2200.0))
DEEP = Design("hardwired", 6, 1700, 30.0, 9, 1, NET)
FOLDED = Design(
    "folded", None, 400, 25.0, 400, 380, replace(NET, inferences=2, pin_toggles_per_cycle=300.0)
)
DESIGNS = (SHALLOW, DEEP, FOLDED)


def contract(**changes: object) -> Contract:
    base = Contract(15.0, 1e6, "supply", "hfosc", "running")
    return replace(base, **changes)  # type: ignore[arg-type]


def test_goals_choose_different_designs() -> None:
    clocks = fpga_choice.HFOSC_HZ
    fast = fpga_choice.choose(DESIGNS, clocks, contract(limit_mw=40.0), "latency")
    assert (fast.design, fast.clock_hz) == (DEEP, 24_000_000)
    small = fpga_choice.choose(DESIGNS, clocks, contract(rate_hz=1000.0), "area")
    assert small.design is FOLDED
    frugal = fpga_choice.choose(DESIGNS, clocks, contract(), "energy")
    assert frugal.design is DEEP
    assert frugal.clock_hz == 6_000_000  # the clock runs on between inferences


def test_the_upper_bound_decides_and_not_the_mean() -> None:
    found = {c.clock_hz: c for c in fpga_choice.candidates([DEEP], (24_000_000,), contract())}
    one = found[24_000_000]
    between = (one.mean_mw + one.upper_mw) / 2
    with pytest.raises(OverBudgetError, match="may draw more than"):
        fpga_choice.choose([DEEP], (24_000_000,), contract(limit_mw=between), "energy")


def test_a_rate_that_no_clock_keeps() -> None:
    with pytest.raises(DoesNotFitError, match="no design reaches 1e\\+08 inferences a second"):
        fpga_choice.choose(DESIGNS, fpga_choice.HFOSC_HZ, contract(rate_hz=1e8), "energy")


def test_without_a_rate_the_network_never_sleeps() -> None:
    (one,) = fpga_choice.candidates([DEEP], (12_000_000,), contract(rate_hz=None))
    run = fpga_power.bounds(fpga_power.run_terms(NET, 12e6, "hfosc"), "supply")
    assert one.mean_mw == pytest.approx(run.value)
    assert one.upper_mw == pytest.approx(run.high)
