"""The energy model is checked on published silicon, never on the row that it is asked for."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.cli import app
from edgekit.cost import silicon


def test_a_prediction_by_hand() -> None:
    # L4R5: 42.140, 43.798 and 41.908 mW of the others make 42.615 mW; times 5.26 ms.
    found = {(p.row.board[:9], p.row.network): p for p in silicon.leave_one_out()}
    assert found["STM32L4R5", "ad"].predicted_uj == pytest.approx(224.156, abs=1e-2)
    assert found["STM32L4R5", "ad"].error_percent == pytest.approx(10.42, abs=0.01)


def test_no_row_has_a_say_in_its_own_prediction() -> None:
    before = silicon.leave_one_out()
    for i, row in enumerate(silicon.SILICON):
        rows = list(silicon.SILICON)
        rows[i] = replace(row, energy_uj=10 * row.energy_uj)
        after = silicon.leave_one_out(rows)
        assert after[i].predicted_uj == before[i].predicted_uj
        same_board = [k for k, r in enumerate(rows) if r.board == row.board and k != i]
        assert all(after[k].predicted_uj > before[k].predicted_uj for k in same_board)


def test_a_board_with_one_row_predicts_nothing() -> None:
    assert silicon.leave_one_out(silicon.SILICON[:1]) == ()


def test_the_limit_holds_95_percent_of_the_cores_errors() -> None:
    errors = [abs(p.error_percent) for p in silicon.leave_one_out() if p.row.kind == "core"]
    assert len(errors) == 16
    assert sum(e <= silicon.limit_percent() for e in errors) / len(errors) >= 0.95
    assert silicon.limit_percent() == pytest.approx(11.92, abs=0.01)


def test_the_command_prints_what_the_documentation_says(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    assert app.run(["calibrate", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    text = (root / "docs" / "reference" / "energy-contract.md").read_text(encoding="utf-8")
    worst: dict[str, float] = {}
    for row in found["rows"]:
        name = re.split(r"[ ,]", row["board"])[0]
        worst[name] = max(worst.get(name, 0.0), abs(row["error_percent"]))
    told = dict(re.findall(r"^\| (\w[\w-]+)[^|]*\| \d \| ([\d.]+) % \|$", text, re.MULTILINE))
    assert {name: f"{value:.1f}" for name, value in worst.items()} == told
    cores = found["cores"]
    assert f"mean error is {cores['mean_error_percent']:.1f} %" in text
    assert f"{cores['limit_percent']:.1f} %: limit_form" in text
    assert app.run(["calibrate"]) == 0
    assert "mean error 4.5 %, 95 % half width 11.9 %" in capsys.readouterr().out
