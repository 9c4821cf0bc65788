"""The verb `calibrate`: the energy model against published silicon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.cli import options
from edgekit.cli.output import say, show, show_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.cost.silicon import Prediction


def calibrate(json: options.Json = False) -> int:
    """Check the energy model against published silicon."""
    from edgekit.cost import silicon

    predictions = silicon.leave_one_out()
    if json:
        show_json(_to_json(predictions))
        return 0
    _show(predictions)
    cores = [p for p in predictions if p.row.kind == "core"]
    say(
        f"microcontroller cores: mean error {silicon.mean_error_percent(cores):.1f} %, "
        f"95 % half width {silicon.limit_percent():.1f} %, which reports add to modelled power"
    )
    return 0


def _to_json(predictions: Sequence[Prediction]) -> dict[str, Any]:
    from edgekit.cost import silicon

    cores = [p for p in predictions if p.row.kind == "core"]
    return {
        "schema": 1,
        "source": silicon.SOURCE,
        "rows": [
            {
                "board": p.row.board,
                "stack": p.row.stack,
                "kind": p.row.kind,
                "network": p.row.network,
                "latency_ms": p.row.latency_ms,
                "energy_uj": p.row.energy_uj,
                "predicted_uj": p.predicted_uj,
                "error_percent": p.error_percent,
            }
            for p in predictions
        ],
        "cores": {
            "mean_error_percent": silicon.mean_error_percent(cores),
            "limit_percent": silicon.limit_percent(),
        },
    }


def _show(predictions: Sequence[Prediction]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("board", "stack", "network"):
        table.add_column(column)
    for column in ("mW", "µJ published", "µJ predicted", "error"):
        table.add_column(column, justify="right")
    before = ""
    for p in predictions:
        named = p.row.board != before
        before = p.row.board
        table.add_row(
            p.row.board if named else "",
            p.row.stack if named else "",
            p.row.network,
            f"{p.row.power_mw:,.1f}",
            f"{p.row.energy_uj:,.4g}",
            f"{p.predicted_uj:,.4g}",
            f"{p.error_percent:+.1f} %",
        )
    show(table)
