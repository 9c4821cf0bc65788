"""The promises of a deployment, each kept, broken, undecided or not reached.

Console, JUnit and HTML show the same rows: the sentences are made here, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekit.build.plan import FpgaSizes, Sizes
from edgekit.errors import MismatchError
from edgekit.report.types import Budget, Equality, Power, Report

State = Literal["pass", "fail", "unsure", "unknown"]


@dataclass(frozen=True, slots=True)
class Promise:
    """One row of the verdict: what was promised, what was found, what was wanted."""

    name: Literal["equality", "fit", "accuracy", "budget"]
    title: str
    state: State
    found: str
    wanted: str
    why: str = ""


def promises(report: Report) -> tuple[Promise, ...]:
    """Return the rows in the order in which they are shown."""
    rows = [_equality(report), _fit(report)]
    if report.accuracy is not None:
        rows.append(_accuracy(report))
    rows.append(_budget(report))
    return tuple(rows)


def outcome(report: Report) -> tuple[str, State]:
    """Return the word over the whole report, and its state; follows the exit code."""
    if report.error is not None:
        return "ERROR", "fail"
    if report.exit_code == MismatchError.exit_code:
        return "FAIL", "fail"
    if report.verdict is not None:
        return report.verdict.upper(), report.verdict
    if report.equality is not None and report.equality.samples and report.power is None:
        return "EXACT", "pass"
    return "NO VERDICT", "unknown"


def contract_words(power: Power) -> str:
    """Return what the figure means: scope, mode and rate in words."""
    scope = {"supply": "supply", "delta": "delta over idle"}.get(power.scope, f"rail {power.scope}")
    if power.mode == "average":
        unit = "inference/s" if power.rate_hz == 1 else "inferences/s"
        rate = "" if power.rate_hz is None else f" at {power.rate_hz:g} {unit}"
        return f"{scope}, average{rate}"
    return f"{scope}, active"


def interval_words(power: Power) -> str:
    """Return `mean ± u mW`, or what is known of it."""
    if power.mean_mw is None:
        return "power not known"
    if power.plus_minus_mw is None:
        return f"{power.mean_mw:.3g} mW, uncertainty not known"
    digits = 3 if power.mean_mw < 1 else 2
    return f"{power.mean_mw:.{digits}f} ± {power.plus_minus_mw:.{digits}f} mW"


def _equality(report: Report) -> Promise:
    found = report.equality
    wanted = "every output bit-equal"
    if found is None:
        return Promise("equality", "Equality", "unknown", "not reached", wanted)
    right = found.samples - found.mismatches
    words = f"{right} of {found.samples} bit-equal: {' = '.join(found.chain)}"
    if found.samples == 0:
        why = "no sample was compared"
        return Promise("equality", "Equality", "unsure", "0 samples", wanted, why)
    if found.mismatches:
        why = difference_words(found)
        return Promise("equality", "Equality", "fail", words, wanted, why)
    return Promise("equality", "Equality", "pass", words, wanted)


def difference_words(equality: Equality) -> str:
    """Return where the first difference is, in one sentence."""
    first = equality.first_difference
    if first is None:
        return "outputs differ; the first differing layer is not known"
    index = ", ".join(str(i) for i in first.index)
    return (
        f"first difference in layer {first.layer}, tensor {first.tensor}[{index}], "
        f"sample {first.sample}: {first.between[0]} {first.expected}, "
        f"{first.between[1]} {first.actual}"
    )


def _fit(report: Report) -> Promise:
    sizes, budget = report.sizes, report.budget
    if budget is not None and budget.lut is not None:
        return _fpga_fit(report, budget)
    flash = None if budget is None else budget.flash_bytes
    ram = None if budget is None else budget.ram_bytes
    wanted = f"flash {_bytes(flash)}, RAM {_bytes(ram)}"
    if report.error is not None and report.error.kind == "does_not_fit":
        return Promise("fit", "Fit", "fail", "does not fit", wanted, report.error.message)
    if not isinstance(sizes, Sizes):
        return Promise("fit", "Fit", "unknown", "not reached", wanted)
    found = f"flash {_bytes(sizes.flash_bytes)}, RAM {_bytes(sizes.ram_bytes)}"
    over = (flash is not None and sizes.flash_bytes > flash) or (
        ram is not None and sizes.ram_bytes > ram
    )
    return Promise("fit", "Fit", "fail" if over else "pass", found, wanted)


def _fpga_fit(report: Report, budget: Budget) -> Promise:
    sizes = report.sizes
    wanted = f"{budget.lut:,} LUT, {budget.clock_mhz:g} MHz"
    if report.error is not None and report.error.kind == "does_not_fit":
        return Promise("fit", "Fit", "fail", "does not fit", wanted, report.error.message)
    if not isinstance(sizes, FpgaSizes):
        return Promise("fit", "Fit", "unknown", "not reached", wanted)
    if sizes.fmax_mhz is None:
        return Promise("fit", "Fit", "unknown", f"{sizes.lut:,} LUT, clock not known", wanted)
    found = f"{sizes.lut:,} LUT, up to {sizes.fmax_mhz:.1f} MHz"
    late = budget.clock_mhz is not None and sizes.fmax_mhz < budget.clock_mhz
    return Promise("fit", "Fit", "fail" if late else "pass", found, wanted)


def _accuracy(report: Report) -> Promise:
    accuracy = report.accuracy
    assert accuracy is not None  # the caller looked
    limit = None if report.budget is None else report.budget.accuracy
    found = f"{accuracy.metric} {accuracy.value:.2%} of {accuracy.samples}"
    wanted = "no limit" if limit is None else f"at least {limit:.2%}"
    state: State = "fail" if report.accuracy_missed else "pass"
    return Promise("accuracy", "Accuracy", state if limit is not None else "unknown", found, wanted)


def _budget(report: Report) -> Promise:
    limit = None if report.budget is None else report.budget.limit_mw
    wanted = "no limit" if limit is None else f"at most {limit:g} mW"
    why = report.why or ""
    if report.power is None:
        state: State = "unsure" if report.verdict == "unsure" else "unknown"
        return Promise("budget", "Power", state, "not reached", wanted, why)
    power = report.power
    found = f"{interval_words(power)} ({contract_words(power)}; {power.source})"
    return Promise("budget", "Power", budget_state(report), found, wanted, why)


def budget_state(report: Report) -> State:
    """Return what the power figures alone say of the limit.

    A verdict of `fail` may come from a wrong result; power then stands or falls by itself.
    """
    power, limit = report.power, None if report.budget is None else report.budget.limit_mw
    if report.verdict == "unsure":
        return "unsure"
    if power is None or limit is None or power.mean_mw is None or power.plus_minus_mw is None:
        return "unknown" if report.verdict is None else report.verdict
    if power.mean_mw + power.plus_minus_mw <= limit:
        return "pass"
    return "fail" if power.mean_mw - power.plus_minus_mw > limit else "unsure"


def _bytes(count: int | None) -> str:
    return "of unknown size" if count is None else f"{count:,} B"
