"""The console table and junit.xml."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from report.sample import ERRORED, FAILED, HOSTILE, MISMATCHED, PASSED, UNSURE

from edgekit.report import console, junit
from edgekit.report.printable import printable
from edgekit.report.promises import promises
from edgekit.report.types import Budget, Equality, Report

GOLDEN = Path(__file__).with_name("golden")
SAMPLES = {
    "passed": PASSED,
    "failed": FAILED,
    "unsure": UNSURE,
    "mismatched": MISMATCHED,
    "errored": ERRORED,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_golden_console_table(name: str) -> None:
    path = GOLDEN / f"console_{name}.txt"
    text = console.text(SAMPLES[name])
    if os.environ.get("EDGEKIT_GOLDEN") == "refresh":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_names_from_a_model_cannot_steer_the_terminal() -> None:
    text = console.text(HOSTILE)
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "\\x1b[2J" in text


@pytest.mark.parametrize(
    ("given", "shown"),
    [("a\nb\tc", "a b c"), ("\x1b[0m", "\\x1b[0m"), ("\u202eabc", "\\u202eabc"), ("Ä µ", "Ä µ")],
)
def test_printable(given: str, shown: str) -> None:
    assert printable(given) == shown


@pytest.mark.parametrize(
    ("report", "states"),
    [
        (PASSED, ["pass", "pass", "unknown", "pass"]),
        (FAILED, ["pass", "pass", "unknown", "fail"]),
        (UNSURE, ["pass", "pass", "unknown", "unsure"]),
        (MISMATCHED, ["fail", "pass", "unknown", "pass"]),
        (ERRORED, ["unknown", "fail", "unknown"]),
        (
            dataclasses.replace(PASSED, equality=Equality(0, 0, ())),
            ["unsure", *["pass", "unknown", "pass"]],
        ),
        (
            dataclasses.replace(PASSED, budget=Budget(15.0, 1000, 9_999_999, 0.95)),
            ["pass", "fail", "fail", "pass"],
        ),
    ],
)
def test_states_of_the_promises(report: Report, states: list[str]) -> None:
    assert [p.state for p in promises(report)] == states


def _cases(report: Report) -> dict[str, ET.Element]:
    root = ET.fromstring(junit.to_xml(report))
    return {case.attrib["name"]: case for case in root.iter("testcase")}


def test_junit_of_a_pass() -> None:
    cases = _cases(PASSED)
    assert list(cases) == ["equality", "fit", "budget"]
    assert all(len(case) == 0 for case in cases.values())


def test_junit_counts_what_it_holds() -> None:
    for report in SAMPLES.values():
        suite = ET.fromstring(junit.to_xml(report)).find("testsuite")
        assert suite is not None
        assert int(suite.attrib["tests"]) == len(list(suite.iter("testcase")))
        assert int(suite.attrib["failures"]) == len(list(suite.iter("failure")))
        assert int(suite.attrib["skipped"]) == len(list(suite.iter("skipped")))
        assert int(suite.attrib["errors"]) == len(list(suite.iter("error")))


def test_junit_has_accuracy_only_with_a_limit() -> None:
    limited = dataclasses.replace(PASSED, budget=Budget(15.0, accuracy=0.95))
    cases = _cases(limited)
    assert list(cases) == ["equality", "fit", "accuracy", "budget"]
    failure = cases["accuracy"].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "found top1 89.67% of 600; wanted at least 95.00%"


def test_unsure_is_a_failure_with_its_own_message() -> None:
    failure = _cases(UNSURE)["budget"].find("failure")
    assert failure is not None
    assert failure.attrib["type"] == "unsure"
    assert failure.attrib["message"].startswith("unsure: 1.00 % of the samples were lost")


def test_a_wrong_result_names_the_first_difference() -> None:
    failure = _cases(MISMATCHED)["equality"].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert "layer Conv2D #2, tensor t2[3, 1, 17], sample 4: graph -12, board -11" in failure.text


def test_what_was_not_reached_is_skipped_and_the_error_is_a_case() -> None:
    cases = _cases(ERRORED)
    assert cases["equality"].find("skipped") is not None
    error = cases["deploy"].find("error")
    assert error is not None
    assert error.attrib["type"] == "does_not_fit"


def test_junit_stays_xml_whatever_a_model_is_called() -> None:
    assert "\\x1b[2J" in junit.to_xml(HOSTILE)
    ET.fromstring(junit.to_xml(HOSTILE))
