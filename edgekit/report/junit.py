"""The report as JUnit XML: one test case per promise, for CI systems."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from edgekit.report.console import heading
from edgekit.report.printable import printable
from edgekit.report.promises import Promise, promises
from edgekit.report.types import Report


def to_xml(report: Report) -> str:
    """Return the text of junit.xml.

    A promise that could not be decided is a failure of type `unsure` with its own message; one
    that was not reached is skipped; accuracy is a case only if a limit was set.
    """
    suite = ET.Element("testsuite", name="edgekit", hostname=printable(report.board or ""))
    _properties(suite, report)
    cases = [p for p in promises(report) if p.name != "accuracy" or _has_limit(report)]
    tally = {"failures": 0, "skipped": 0, "errors": 0}
    for promise in cases:
        kind = _case(suite, promise, heading(report))
        if kind is not None:
            tally[kind] += 1
    count = len(cases)
    if report.error is not None:
        case = ET.SubElement(suite, "testcase", name="deploy", classname=heading(report))
        error = ET.SubElement(
            case, "error", type=report.error.kind, message=printable(report.error.message)
        )
        error.text = printable(report.error.hint)
        tally["errors"] += 1
        count += 1
    suite.set("tests", str(count))
    for name, value in tally.items():
        suite.set(name, str(value))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _has_limit(report: Report) -> bool:
    return report.budget is not None and report.budget.accuracy is not None


def _properties(suite: ET.Element, report: Report) -> None:
    parent = ET.SubElement(suite, "properties")
    rows: dict[str, object] = {
        "model": report.model,
        "board": report.board,
        "virtual": report.virtual,
        "plan": report.plan,
        "verdict": report.verdict,
    }
    if report.power is not None:
        rows |= {
            "power_source": report.power.source,
            "mean_mw": report.power.mean_mw,
            "plus_minus_mw": report.power.plus_minus_mw,
            "energy_uj": report.power.energy_uj,
        }
    for name, value in rows.items():
        if value is not None:
            ET.SubElement(parent, "property", name=name, value=printable(str(value)))


def _case(suite: ET.Element, promise: Promise, owner: str) -> str | None:
    case = ET.SubElement(suite, "testcase", name=promise.name, classname=owner)
    words = f"found {promise.found}; wanted {promise.wanted}"
    if promise.state == "unknown":
        ET.SubElement(case, "skipped", message=printable(promise.found))
        return "skipped"
    if promise.state == "pass":
        return None
    message = f"unsure: {promise.why or words}" if promise.state == "unsure" else words
    kind = "unsure" if promise.state == "unsure" else "broken"
    failure = ET.SubElement(case, "failure", type=kind, message=printable(message))
    failure.text = printable(f"{words}. {promise.why}")
    return "failures"
