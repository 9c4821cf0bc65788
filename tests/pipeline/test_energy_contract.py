"""The contract: pass, fail, and every reason to be unsure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from deploying import BOARD, DIGITS, edgekit, share

from edgekit.cli import app
from edgekit.config import Options
from edgekit.pipeline import deploy
from edgekit.pipeline.settings import Settings, resolve
from edgekit.report.types import Report
from edgekit.virtual.ppk2_emulator.device import Faults

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]

ON_TWIN = ("deploy", str(DIGITS), "--board", BOARD, "--virtual", "--json")


@pytest.fixture
def judged(settings: Callable[..., Settings]) -> Callable[..., Report]:
    """Meter the digits under a contract with some words changed."""

    def judge(faults: Faults | None = None, **contract: object) -> Report:
        given = settings(meter_faults=faults)
        given = replace(given, contract=given.contract.model_copy(update=contract))
        report = deploy.measure(given)
        assert report.error is None, report.error
        assert report.power is None or report.power.source == "modelled"
        assert report.equality is None  # measure compares nothing
        return report

    return judge


@pytest.fixture(scope="module")
def baseline(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The digits ten times a second, no contract word changed."""
    work = share(built, tmp_path_factory.mktemp("baseline") / "work")
    options = Options(model=DIGITS, board=BOARD, virtual=True, work=work, rate_hz=10.0)
    report = deploy.measure(resolve(options, start=work))
    assert (work / "trace.npz").is_file()
    return report


def test_within(baseline: Report) -> None:
    assert (baseline.verdict, baseline.exit_code) == ("pass", 0)
    assert baseline.power is not None
    assert baseline.power.stimuli is not None
    assert baseline.power.stimuli.count == 64


def test_over_budget(judged: Callable[..., Report]) -> None:
    report = judged(limit_mw=0.05)
    assert (report.verdict, report.exit_code) == ("fail", 8)
    assert report.why is not None
    assert "is above 0.05 mW" in report.why


def test_a_limit_within_the_uncertainty(judged: Callable[..., Report], baseline: Report) -> None:
    assert baseline.power is not None
    report = judged(limit_mw=baseline.power.mean_mw)
    assert (report.verdict, report.exit_code) == ("unsure", 9)
    assert report.why is not None
    assert "cannot be told from" in report.why


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (Faults(loss=0.01), "samples, more than 0.1%"),
        # As many as fit the sample counter ten times: only the meter's clock can tell.
        (Faults(burst_at=50_000, burst=640), "samples, more than 0.1%"),
        (Faults(stale_calibration=True), "the calibration of"),
    ],
    ids=["loss", "burst", "stale"],
)
def test_a_meter_not_to_be_trusted(
    faults: Faults, words: str, judged: Callable[..., Report]
) -> None:
    report = judged(faults)
    assert (report.verdict, report.exit_code) == ("unsure", 9)
    assert report.why is not None
    assert words in report.why


@pytest.mark.parametrize(
    "faults",
    [Faults(loss=0.0002), Faults(stale_bytes=500), Faults(split_metadata=True)],
    ids=["little loss", "stale bytes", "split metadata"],
)
def test_a_meter_good_enough(faults: Faults, judged: Callable[..., Report]) -> None:
    report = judged(faults)
    assert report.verdict == "pass", report.why


def test_a_rate_that_cannot_be_kept(judged: Callable[..., Report]) -> None:
    """An inference takes 81 µs: 15,000 a second are more than there is time for."""
    report = judged(rate_hz=15_000.0, limit_mw=1000.0)
    assert (report.verdict, report.exit_code) == ("fail", 8)
    assert report.why is not None
    assert "periods were too short for an inference" in report.why


def test_active_mode(judged: Callable[..., Report]) -> None:
    report = judged(mode="active", rate_hz=None, limit_mw=1000.0)
    assert report.verdict == "pass", report.why
    assert report.power is not None
    assert report.power.mode == "active"
    assert report.power.mean_mw is not None
    assert report.power.mean_mw == pytest.approx(88.1, rel=0.02)  # 26.7 mA at 3.3 V


def test_delta_is_below_supply(judged: Callable[..., Report], baseline: Report) -> None:
    supply, delta = baseline, judged(scope="delta")
    assert delta.power is not None
    assert delta.power.mean_mw is not None
    assert supply.power.mean_mw is not None
    assert delta.power.mean_mw is not None
    assert 0 < delta.power.mean_mw < supply.power.mean_mw


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--budget-mw", "0.005"), "not measurable under 0.005 mW"),
        (("--scope", "board_5v"), "rail board_5v of nucleo-l4r5zi cannot be measured"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(
    options: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run([*ON_TWIN, "-o", str(tmp_path / "work"), *options]) == 9
    found = json.loads(capsys.readouterr().out)
    assert found["error"]["kind"] == "unsure"
    assert words in found["error"]["message"]
    assert found["error"]["hint"]
    assert found["plan"] is None
    assert not (tmp_path / "work" / "build").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--scope", "battery"), "nucleo-l4r5zi has no scope 'battery'"),
        (("--meter", "ppk3:"), "no meter is called 'ppk3'"),
        (("--meter", "ppk2:/dev/ttyACM0"), "cannot measure a virtual board"),
        (("--meter", "replay:none.npz"), "none.npz"),
        (("--operating-point", "run_1ghz"), "has no operating point 'run_1ghz'"),
        (("--budget-mw", "0"), "budget-mw"),
        (("--rate-hz", "-1"), "rate-hz"),
        (("--budget-mw", "nan"), "budget-mw"),
    ],
)
def test_contracts_that_mean_nothing(
    options: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run([*ON_TWIN, "-o", str(tmp_path / "work"), *options]) == 2
    assert words in json.loads(capsys.readouterr().out)["error"]["message"]
    assert not (tmp_path / "work" / "build").exists()


def test_over_budget_as_a_command(project: Path) -> None:
    done = edgekit(project, "deploy", "--budget-mw", "0.05")
    assert done.code == 8
    assert "verdict: FAIL" in done.out
    assert "Traceback" not in done.err


def test_a_rate_out_of_reach_takes_no_longer(judged: Callable[..., Report]) -> None:
    """An inference is 140 times the period: a second of them tells, not a million of them."""
    report = judged(rate_hz=1e6)
    assert (report.verdict, report.exit_code) == ("fail", 8)
    assert report.why is not None
    late, _, asked = report.why.split(" periods")[0].partition(" of ")
    assert late == asked
    assert int(asked) < 20_000


def test_delta_over_idle_is_over_idle_and_not_over_waking(judged: Callable[..., Report]) -> None:
    """Between dense marks the board falls asleep and wakes; that is not what idle means."""
    supply = judged(mode="active", rate_hz=None, limit_mw=200.0)
    delta = judged(mode="active", scope="delta", rate_hz=None, limit_mw=200.0)
    assert supply.power is not None
    assert supply.power.mean_mw is not None
    assert delta.power is not None
    assert delta.power.mean_mw is not None
    assert delta.power.idle_mw is not None
    assert delta.power.idle_mw < 0.5  # asleep, but for waking once in a tenth of a second
    assert delta.power.mean_mw == pytest.approx(
        supply.power.mean_mw - delta.power.idle_mw, rel=0.02
    )
