"""A report against limits and a baseline."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from report.sample import ERRORED, FAILED, HOSTILE, MISMATCHED, PASSED, POWER, UNSURE

from edgekit.cli import app
from edgekit.pipeline.gate import Gate, Limits, gate, markdown
from edgekit.report import json_form
from edgekit.report.types import Accuracy, LayerRow, Report


def with_power(**changes: Any) -> Report:
    return dataclasses.replace(PASSED, power=dataclasses.replace(POWER, **changes))


def with_sizes(**changes: int) -> Report:
    assert PASSED.sizes is not None
    return dataclasses.replace(PASSED, sizes=dataclasses.replace(PASSED.sizes, **changes))


def state(found: Gate, figure: str) -> str:
    return next(row.state for row in found.rows if row.figure == figure)


@pytest.mark.parametrize(
    ("report", "limits", "code"),
    [
        (PASSED, Limits(max_flash_bytes=71_204), 0),
        (PASSED, Limits(max_flash_bytes=71_203), 8),
        (PASSED, Limits(max_ram_bytes=1), 8),
        (PASSED, Limits(max_arena_bytes=17_690), 0),
        (PASSED, Limits(max_cycles=19_606_600), 0),
        (PASSED, Limits(max_cycles=19_606_599), 8),
        (PASSED, Limits(max_instructions=1), 8),
        (PASSED, Limits(max_p99_us=154_811.8), 8),
        (PASSED, Limits(min_accuracy=538 / 600), 0),
        (PASSED, Limits(min_accuracy=0.9), 7),
        # 7.164 ± 0.541 mW: pass, interval, fail.
        (PASSED, Limits(max_mean_mw=7.71), 0),
        (PASSED, Limits(max_mean_mw=7.70), 9),
        (PASSED, Limits(max_mean_mw=6.63), 9),
        (PASSED, Limits(max_mean_mw=6.62), 8),
        (PASSED, Limits(max_energy_uj=7_700.0), 0),
        (PASSED, Limits(max_energy_uj=7_000.0), 9),
        (PASSED, Limits(max_energy_uj=6_000.0), 8),
        # What is limited but not known cannot pass.
        (dataclasses.replace(PASSED, sizes=None), Limits(max_flash_bytes=10**9), 9),
        (with_power(plus_minus_mw=None), Limits(max_mean_mw=100.0), 9),
        (dataclasses.replace(PASSED, accuracy=None), Limits(min_accuracy=0.1), 9),
        (dataclasses.replace(PASSED, equality=None), Limits(max_flash_bytes=10**9), 9),
        # The report's own verdict counts, and the lowest code wins.
        (MISMATCHED, Limits(max_flash_bytes=1), 7),
        (FAILED, Limits(max_flash_bytes=10**9), 8),
        (UNSURE, Limits(max_flash_bytes=10**9), 9),
        (UNSURE, Limits(max_flash_bytes=1), 8),
        (ERRORED, Limits(max_flash_bytes=10**9), 4),
    ],
)
def test_limits(report: Report, limits: Limits, code: int) -> None:
    assert gate(report, limits).exit_code == code


def test_a_report_is_no_worse_than_itself() -> None:
    for report in (PASSED, FAILED):
        found = gate(report, Limits(), report)
        assert found.exit_code == 0, report.verdict
        assert {row.state for row in found.rows} == {"pass"}


@pytest.mark.parametrize(
    ("report", "figure", "expected", "code"),
    [
        (with_sizes(flash_bytes=71_205), "flash", "fail", 8),
        (with_sizes(flash_bytes=71_000), "flash", "pass", 0),
        (
            dataclasses.replace(PASSED, accuracy=Accuracy("top1", 0.89, 600)),
            "accuracy",
            "fail",
            7,
        ),
        # By chance, sampling and spread move the mean; gain and coefficients are common.
        (with_power(mean_mw=7.17), "mean power", "unsure", 9),
        (with_power(mean_mw=7.30), "mean power", "fail", 8),
        (with_power(mean_mw=7.00), "mean power", "pass", 0),
        (dataclasses.replace(PASSED, sizes=None), "flash", "unsure", 9),
    ],
)
def test_against_a_baseline(report: Report, figure: str, expected: str, code: int) -> None:
    found = gate(report, Limits(), PASSED)
    assert state(found, figure) == expected
    assert found.exit_code == code


def test_other_meters_err_on_their_own() -> None:
    assert POWER.meter is not None
    other = dataclasses.replace(POWER.meter, serial="another")
    found = gate(with_power(mean_mw=7.30, meter=other), Limits(), PASSED)
    assert state(found, "mean power") == "unsure"


def test_tolerance() -> None:
    report = with_sizes(flash_bytes=71_900)
    assert gate(report, Limits(), PASSED, tolerance_percent=1.0).exit_code == 0
    assert gate(report, Limits(), PASSED, tolerance_percent=0.9).exit_code == 8


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"source": "measured"}, "the baseline's power is modelled, this is measured"),
        ({"rate_hz": 10.0}, "scope, mode or rate differ from the baseline's"),
    ],
)
def test_power_that_cannot_be_compared_is_unsure(changes: dict[str, Any], why: str) -> None:
    found = gate(with_power(**changes), Limits(), PASSED)
    assert found.exit_code == 9
    assert [row.why for row in found.rows if row.state == "unsure"] == [why, why]


def test_a_verdict_that_got_worse_blocks() -> None:
    found = gate(FAILED, Limits(max_flash_bytes=10**9), PASSED)
    assert state(found, "energy contract") == "fail"
    assert found.exit_code == 8


def test_the_layers_that_got_dearer() -> None:
    def report(*instructions: int) -> Report:
        rows = tuple(LayerRow(f"l{i}", "Dense", (1,), 1, n) for i, n in enumerate(instructions))
        return dataclasses.replace(PASSED, detail=dataclasses.replace(PASSED.detail, layers=rows))

    found = gate(report(110, 50, 300, 999), Limits(), report(100, 60, 200, 998))
    assert found.dearer == (
        "l2: +100 instructions (+50.0 %)",
        "l0: +10 instructions (+10.0 %)",
        "l3: +1 instructions (+0.1 %)",
    )


def test_golden_markdown(golden: Any) -> None:
    worse = with_sizes(flash_bytes=72_000)
    found = gate(worse, Limits(max_mean_mw=7.6, max_ram_bytes=40_000), PASSED)
    golden("gate.md", markdown(found))


def test_names_cannot_leave_their_cell() -> None:
    odd = dataclasses.replace(HOSTILE, model="a|b<img>`x`")
    text = markdown(gate(odd, Limits(max_flash_bytes=1)))
    assert text.startswith("### edgekit: a\\|b&lt;img&gt;\\`x\\` on nucleo-l4r5zi: FAIL\n")


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now, before = tmp_path / "now.json", tmp_path / "before.json"
    now.write_text(json_form.dumps(with_sizes(flash_bytes=72_000)))
    before.write_text(json_form.dumps(PASSED))
    assert app.run(["gate", str(now), "--baseline", str(before)]) == 8
    assert (
        "| flash | 71,204 bytes | 72,000 bytes | +1.12 % |  | **FAIL** |" in capsys.readouterr().out
    )
    assert app.run(["gate", str(now), "--max-flash-bytes", "72000", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["exit_code"] == 0
    assert {row["figure"]: row["state"] for row in body["rows"]}["flash"] == "pass"


def test_the_verb_needs_something_to_judge_by(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "now.json"
    path.write_text(json_form.dumps(PASSED))
    assert app.run(["gate", str(path)]) == 2
    assert "neither a baseline nor a limit was given" in capsys.readouterr().err
    assert app.run(["gate", str(tmp_path / "none.json"), "--max-cycles", "1"]) == 2
    assert "cannot be read" in capsys.readouterr().err
