"""The energy model against published silicon: how well does mean power times time predict energy?

The model says that a core draws the same power whatever network it runs, so a network's energy is
that power times its time. Every row below is one network on one board. It is predicted from the
other networks of the same board, never from itself, by their mean power and its own time. What
comes out is the error of the model's form; how well a board's current is known is another matter,
and stands in the board's file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["core", "accelerator", "fpga"]

SOURCE = "MLPerf Tiny results, rounds 0.7, 1.0, 1.2 and 1.3: latency and energy per inference"


@dataclass(frozen=True, slots=True)
class Row:
    """One published result: a network on a board, its time and energy per inference."""

    board: str
    stack: str
    kind: Kind
    network: str
    latency_ms: float
    energy_uj: float

    @property
    def power_mw(self) -> float:
        """Return the mean power during an inference."""
        return self.energy_uj / self.latency_ms


@dataclass(frozen=True, slots=True)
class Prediction:
    """A row and what the other networks of its board say of it."""

    row: Row
    predicted_uj: float

    @property
    def error_percent(self) -> float:
        """Return by how much the prediction is off, in percent of what was published."""
        return 100.0 * (self.predicted_uj / self.row.energy_uj - 1.0)


def _rows(board: str, stack: str, kind: Kind, **results: tuple[float, float]) -> tuple[Row, ...]:
    return tuple(
        Row(board, stack, kind, name, latency_ms, energy_uj)
        for name, (latency_ms, energy_uj) in results.items()
    )


# (ms, uJ) of keyword spotting, visual wake words, image classification, anomaly detection.
SILICON: tuple[Row, ...] = (
    *_rows(
        "STM32L4R5 120 MHz",
        "X-CUBE-AI 9 (1.2)",
        "core",
        kws=(43.19, 1820),
        vww=(88.93, 3895),
        ic=(165.1, 6919),
        ad=(5.26, 203),
    ),
    *_rows(
        "STM32U575 160 MHz",
        "X-CUBE-AI 9 (1.2)",
        "core",
        kws=(29.06, 656),
        vww=(59.28, 1355),
        ic=(111.1, 2579),
        ad=(3.43, 81.9),
    ),
    *_rows(
        "STM32U385 96 MHz",
        "X-CUBE-AI 10.2 (1.3)",
        "core",
        kws=(48.3, 245),
        vww=(98.7, 518),
        ic=(182.4, 966),
        ad=(5.41, 31.8),
    ),
    *_rows(
        "STM32H7A3 280 MHz",
        "X-CUBE-AI 9 (1.2)",
        "core",
        kws=(11.32, 1376),
        vww=(23.80, 2965),
        ic=(40.85, 5090),
        ad=(1.23, 166),
    ),
    *_rows(
        "NDP9120 0.9 V 30 MHz",
        "Syntiant (1.0)",
        "accelerator",
        kws=(4.37, 31.5),
        vww=(12.72, 71.7),
        ic=(15.98, 101.8),
    ),
    *_rows(
        "PYNQ-Z2, whole board",
        "hls4ml and FINN, own models (0.7)",
        "fpga",
        kws=(0.017, 30.7),
        ic=(1.512, 2530),
        ad=(0.019, 30.0),
    ),
)


def leave_one_out(rows: Sequence[Row] = SILICON) -> tuple[Prediction, ...]:
    """Return each row's energy as the other rows of its board predict it.

    A board with one row has nothing to be predicted from and is left out.
    """
    found = []
    for row in rows:
        others = [r.power_mw for r in rows if r.board == row.board and r.network != row.network]
        if others:
            found.append(Prediction(row, sum(others) / len(others) * row.latency_ms))
    return tuple(found)


def mean_error_percent(predictions: Sequence[Prediction]) -> float:
    """Return the mean of the errors' sizes."""
    return sum(abs(p.error_percent) for p in predictions) / len(predictions)


def limit_percent(kind: Kind = "core") -> float:
    """Return the 95 % half width of the model's form on this kind of device.

    Student's factor (within 0.5 % for ten errors or more) times the root of their mean square.
    """
    errors = [p.error_percent for p in leave_one_out() if p.row.kind == kind]
    student = 1.96 + 2.5 / (len(errors) - 1)
    return student * math.sqrt(sum(e * e for e in errors) / len(errors))
