"""The verb `gate`: a report against a baseline or limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli import options
from edgekit.cli.output import say, show_json
from edgekit.errors import ConfigError

if TYPE_CHECKING:
    from edgekit.pipeline.gate import Limits


def gate(
    report: Annotated[Path, typer.Argument(help="report.json to judge.")],
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="report.json that it may not be worse than.")
    ] = None,
    tolerance_percent: Annotated[
        float, typer.Option("--tolerance-percent", min=0, help="Worse than the baseline by this.")
    ] = 0.0,
    min_accuracy: Annotated[
        float | None, typer.Option("--min-accuracy", min=0, max=1, help="0 to 1.")
    ] = None,
    max_mean_mw: Annotated[float | None, typer.Option("--max-mean-mw", min=0)] = None,
    max_energy_uj: Annotated[float | None, typer.Option("--max-energy-uj", min=0)] = None,
    max_flash_bytes: Annotated[int | None, typer.Option("--max-flash-bytes", min=0)] = None,
    max_ram_bytes: Annotated[int | None, typer.Option("--max-ram-bytes", min=0)] = None,
    max_arena_bytes: Annotated[int | None, typer.Option("--max-arena-bytes", min=0)] = None,
    max_cycles: Annotated[int | None, typer.Option("--max-cycles", min=0)] = None,
    max_instructions: Annotated[int | None, typer.Option("--max-instructions", min=0)] = None,
    max_p99_us: Annotated[float | None, typer.Option("--max-p99-us", min=0)] = None,
    json: options.Json = False,
) -> int:
    """Judge a report against a baseline or limits."""
    from edgekit.pipeline.gate import Limits

    limits = Limits(
        min_accuracy=min_accuracy,
        max_mean_mw=max_mean_mw,
        max_energy_uj=max_energy_uj,
        max_flash_bytes=max_flash_bytes,
        max_ram_bytes=max_ram_bytes,
        max_arena_bytes=max_arena_bytes,
        max_cycles=max_cycles,
        max_instructions=max_instructions,
        max_p99_us=max_p99_us,
    )
    if baseline is None and limits == Limits():
        raise ConfigError(
            "neither a baseline nor a limit was given",
            hint="pass --baseline OTHER.json, or a limit such as --max-flash-bytes",
        )
    return _judge(report, limits, baseline, tolerance_percent, json)


def _judge(
    report: Path, limits: Limits, baseline: Path | None, tolerance_percent: float, as_json: bool
) -> int:
    import dataclasses

    from edgekit.pipeline import gate as judge
    from edgekit.report import json_form

    before = None if baseline is None else json_form.load(baseline)
    found = judge.gate(json_form.load(report), limits, before, tolerance_percent=tolerance_percent)
    if not as_json:
        say(judge.markdown(found))
        return found.exit_code
    rows = [
        {k: v for k, v in dataclasses.asdict(row).items() if k != "exit_code"} for row in found.rows
    ]
    show_json(
        {"schema": 1, "exit_code": found.exit_code, "rows": rows, "dearer": list(found.dearer)}
    )
    return found.exit_code
