"""report.json: the public keys, the way there and back, and files that are no report."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from report.sample import ERRORED, FAILED, HOSTILE, MISMATCHED, PASSED, POWER, UNSURE

from edgekit.build.plan import FpgaSizes
from edgekit.errors import ConfigError
from edgekit.report import json_form
from edgekit.report.types import Budget, ErrorInfo, Power, Report, Stimuli

ALL = {
    "passed": PASSED,
    "failed": FAILED,
    "unsure": UNSURE,
    "mismatched": MISMATCHED,
    "errored": ERRORED,
    "hostile": HOSTILE,
    "empty": Report(None, None, None),
    "fpga": dataclasses.replace(PASSED, sizes=FpgaSizes(1411, 1166, 593, 293, 13, 0, 0, 30.4)),
    "fpga, not routed": Report(None, None, None, sizes=FpgaSizes(None, 9, 5, 2, 1, 0, 0, None)),
}

# What is public; more keys may be added, none may go or change its name.
PUBLIC = {
    "": [
        "schema",
        "model",
        "board",
        "virtual",
        "plan",
        "tools",
        "operating_point",
        "sizes",
        "equality",
        "accuracy",
        "latency",
        "power",
        "budget",
        "verdict",
        "why",
        "error",
    ],
    "sizes": [
        "flash_bytes",
        "code_bytes",
        "tables_bytes",
        "weights_bytes",
        "ram_bytes",
        "arena_bytes",
        "stack_bytes",
    ],
    "equality": ["samples", "mismatches", "chain", "not_compared", "first_difference"],
    "accuracy": ["metric", "value", "samples"],
    "latency": [
        "inferences",
        "instructions",
        "cycles",
        "p50_us",
        "p90_us",
        "p99_us",
        "p999_us",
        "cv",
        "cold_start_us",
        "source",
    ],
    "power": [
        "source",
        "scope",
        "mode",
        "rate_hz",
        "mean_mw",
        "plus_minus_mw",
        "peak_mw",
        "idle_mw",
        "energy_uj",
        "inferences_per_window",
        "window_s",
        "meter",
        "samples",
        "lost",
    ],
    "budget": ["limit_mw"],
}


@pytest.mark.parametrize("report", ALL.values(), ids=ALL)
def test_there_and_back(report: Report) -> None:
    assert json_form.from_json(json.loads(json_form.dumps(report))) == report


@pytest.mark.parametrize("part", PUBLIC)
def test_public_keys_in_order(part: str) -> None:
    body = json_form.to_json(PASSED, detail=False)
    keys = list(body[part] if part else body)
    assert keys[: len(PUBLIC[part])] == PUBLIC[part]
    assert "detail" not in keys
    assert list(body["latency"]["cycles"]) == ["lo", "hi"]


def test_an_error_has_kind_message_hint() -> None:
    body = json_form.to_json(ERRORED)
    assert list(body["error"]) == ["kind", "message", "hint"]
    assert body["power"] is None
    assert body["verdict"] is None


def test_a_number_that_is_none_is_null() -> None:
    odd = dataclasses.replace(
        PASSED, power=dataclasses.replace(POWER, mean_mw=float("nan"), peak_mw=float("inf"))
    )
    power = json.loads(json_form.dumps(odd))["power"]
    assert power["mean_mw"] is None
    assert power["peak_mw"] is None


def test_keys_of_a_later_release_are_left_aside() -> None:
    body = json_form.to_json(PASSED)
    body["carbon"] = {"g": 1}
    body["power"]["phase"] = 3
    assert json_form.from_json(body) == PASSED


def _without_model(body: dict[str, Any]) -> None:
    del body["model"]


def _text_for_number(body: dict[str, Any]) -> None:
    body["latency"]["cycles"]["lo"] = "many"


def _bool_for_number(body: dict[str, Any]) -> None:
    body["equality"]["samples"] = True


def _unknown_verdict(body: dict[str, Any]) -> None:
    body["verdict"] = "perhaps"


def _list_for_object(body: dict[str, Any]) -> None:
    body["tools"] = []


def _short_pair(body: dict[str, Any]) -> None:
    body["detail"]["traces"][0]["windows_s"][0] = [1.0]


def _other_schema(body: dict[str, Any]) -> None:
    body["schema"] = 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_model, "report.model is missing"),
        (_text_for_number, "report.latency.cycles.lo is 'many', wanted int"),
        (_bool_for_number, "report.equality.samples is True, wanted int"),
        (_unknown_verdict, "report.verdict is 'perhaps', wanted one of ('pass', 'fail', 'unsure')"),
        (_list_for_object, "report.tools is [], wanted an object"),
        (_short_pair, "report.detail.traces[0].windows_s[0] is [1.0], wanted 2 entries"),
        (_other_schema, "schema is 2, wanted 1"),
    ],
)
def test_what_is_wrong_is_named(spoil: Any, message: str) -> None:
    body = copy.deepcopy(json_form.to_json(PASSED))
    spoil(body)
    with pytest.raises(ConfigError) as caught:
        json_form.from_json(body)
    assert caught.value.message == message


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000])
def test_files_that_are_no_report(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"report .*report\.json"):
        json_form.load(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        json_form.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (PASSED, 0),
        (MISMATCHED, 7),
        (FAILED, 8),
        (UNSURE, 9),
        (ERRORED, 4),
        # The lowest of 7, 8, 9 that applies.
        (dataclasses.replace(MISMATCHED, verdict="unsure"), 7),
        (dataclasses.replace(FAILED, budget=Budget(15.0, accuracy=0.95)), 7),
        (dataclasses.replace(PASSED, budget=Budget(15.0, accuracy=0.85)), 0),
        (dataclasses.replace(PASSED, error=ErrorInfo("device", "gone")), 6),
        (dataclasses.replace(PASSED, error=ErrorInfo("of a later release", "?")), 1),
    ],
)
def test_exit_codes(report: Report, code: int) -> None:
    assert report.exit_code == code


def test_power_figures_become_the_reports() -> None:
    from edgekit.measure.types import PowerFigures

    assert POWER.uncertainty is not None
    assert POWER.meter is not None
    figures = PowerFigures(
        source="modelled",
        scope="supply",
        mode="average",
        rate_hz=1.0,
        mean_mw=7.0,
        uncertainty=POWER.uncertainty,
        peak_mw=40.0,
        idle_mw=0.02,
        energy_uj=7000.0,
        inferences_per_window=20,
        window_s=20.0,
        meter=POWER.meter,
        samples=2_000_000,
        lost=0,
    )
    made = Power.of(figures, Stimuli(64, "00"))
    assert made.plus_minus_mw == POWER.uncertainty.total_mw()
    assert made.stimuli == Stimuli(64, "00")
    assert (made.mean_mw, made.window_s, made.lost) == (7.0, 20.0, 0)
