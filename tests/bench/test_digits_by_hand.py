"""The verdict that examples/digits derives by hand, against the board file and the twin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit.build import tools
from edgekit.config import Options
from edgekit.cost import energy
from edgekit.pipeline.deploy import deploy
from edgekit.pipeline.settings import resolve

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]


def test_the_metered_verdict_is_the_one_derived_by_hand(root: Path, tmp_path: Path) -> None:
    example = root / "examples" / "digits"
    text = (example / "README.md").read_text(encoding="utf-8")
    by_hand = re.search(r"mean += .* = ([\d.]+) mW", text)
    cycles = re.search(r"takes about ([\d,]+) cycles at most", text)
    assert by_hand is not None
    assert cycles is not None
    assert "→ pass" in text

    settings = resolve(Options(work=tmp_path), start=example)
    report = deploy(settings)
    assert report.error is None
    assert report.verdict == "pass"
    assert report.latency is not None
    assert report.latency.cycles is not None
    assert report.power is not None
    assert report.power.mean_mw is not None
    assert report.power.plus_minus_mw is not None

    point = settings.board.operating_points[settings.contract.operating_point]
    busy_s = report.latency.cycles.hi / point.clock_hz
    # Where code lies in flash moves the cycles by a few percent from one build to the next.
    if "12.2" in (tools.version("arm-none-eabi-gcc") or ""):
        by_hand_cycles = int(cycles[1].replace(",", ""))
        assert report.latency.cycles.hi == pytest.approx(by_hand_cycles, rel=0.05)
    assert settings.contract.rate_hz == 10
    expected_mw = energy.expected_mean_mw(point, busy_s, 0.1)
    assert expected_mw == pytest.approx(float(by_hand[1]), rel=0.05)
    # The firmware's own work around an inference is what the hand leaves out.
    assert 0 <= report.power.mean_mw - expected_mw <= 0.04
    assert abs(report.power.mean_mw - expected_mw) <= report.power.plus_minus_mw
