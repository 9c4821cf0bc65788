"""Pass, fail or unsure: what a contract says of figures, with the sentence that says why."""

from __future__ import annotations

from typing import Literal

from edgekit.board import Fact
from edgekit.measure.types import Judgement, PowerFigures, Verdict

MIN_WINDOW_S = 1.0
MIN_INFERENCES = 20
MAX_LOST = 0.001
_RATE_TOLERANCE = 0.01


def refusal(scope: str, limit_mw: float, floor_mw: Fact | None) -> str | None:
    """Return why `scope` cannot be judged under `limit_mw` on this board, None where it can.

    `floor_mw` None: the floor is not known.

    A supply that draws more than the limit with the core asleep says nothing of a network.
    To be asked before anything is built.
    """
    if floor_mw is None:
        return None
    lowest_mw = floor_mw.value * (1.0 - floor_mw.plus_minus_percent / 100.0)
    if scope != "supply" or lowest_mw <= limit_mw:
        return None
    return (
        f"not measurable under {limit_mw:g} mW: with the core asleep the supply already draws "
        f"{floor_mw.value:g} mW ({floor_mw.source}); use scope delta"
    )


def judge(
    figures: PowerFigures,
    limit_mw: float,
    *,
    board: Literal["hardware", "virtual"],
    floor_mw: Fact | None = None,
) -> Judgement:
    """Return the verdict on `figures` under `limit_mw`.

    Pass needs mean + u within the limit, fail needs mean - u above it, u being the 95 % half
    width; anything that undermines the figures themselves makes the verdict unsure.
    """
    refused = refusal(figures.scope, limit_mw, floor_mw)
    if refused is not None:
        return Judgement("unsure", refused, limit_mw)
    reasons = _doubts(figures, board)
    text = _sentence(figures)
    if reasons:
        return Judgement("unsure", f"{'; '.join(reasons)}; {text}", limit_mw)
    verdict, relation = _compare(figures, limit_mw)
    return Judgement(verdict, f"{text} {relation} {limit_mw:g} mW", limit_mw)


def _compare(figures: PowerFigures, limit_mw: float) -> tuple[Verdict, str]:
    u = figures.uncertainty.total_mw()
    if figures.mean_mw + u <= limit_mw:
        return "pass", "is within"
    if figures.mean_mw - u > limit_mw:
        return "fail", "is above"
    return "unsure", "cannot be told from"


def _doubts(figures: PowerFigures, board: Literal["hardware", "virtual"]) -> list[str]:
    if figures.samples == 0:
        return [
            "no meter was attached, so the figures are modelled"
            if board == "hardware"
            else "nothing was metered, so the figures are modelled from the board file alone"
        ]
    reasons = []
    if board == "hardware" and figures.source == "modelled":
        reasons.append("the board was metered through a socket, emulator or replay")
    share = figures.lost / (figures.samples + figures.lost)
    if share > MAX_LOST:
        reasons.append(
            f"the meter lost {figures.lost} of {figures.samples + figures.lost} samples, "
            f"more than {MAX_LOST:.1%}"
        )
    if not figures.meter.calibrated:
        reasons.append(f"the calibration of {figures.meter.model} is stale")
    if figures.window_s < MIN_WINDOW_S:
        reasons.append(f"the window is {figures.window_s:.3f} s, under {MIN_WINDOW_S:g} s")
    if figures.inferences_per_window < MIN_INFERENCES:
        reasons.append(
            f"{figures.inferences_per_window} inferences in the window, under {MIN_INFERENCES}"
        )
    return reasons + _rate_doubt(figures)


def _rate_doubt(figures: PowerFigures) -> list[str]:
    wanted, seen = figures.rate_hz, figures.seen_rate_hz
    if figures.mode != "average" or wanted is None or seen is None:
        return []
    if abs(seen - wanted) <= _RATE_TOLERANCE * wanted:
        return []
    return [f"the board ran {seen:.3g} inferences per second, not {wanted:g}"]


def _sentence(figures: PowerFigures) -> str:
    how: str = figures.mode
    if figures.mode == "average" and figures.rate_hz is not None:
        how = f"average at {figures.rate_hz:g} per second"
    u = figures.uncertainty.total_mw()
    return f"{figures.mean_mw:.3g} ± {u:.2g} mW ({figures.source}, {figures.scope}, {how})"
