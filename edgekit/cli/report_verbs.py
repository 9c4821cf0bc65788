"""Verbs over finished work: report, bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgekit.cli import options
from edgekit.cli.output import progress, show, show_json
from edgekit.cli.run_verbs import deliver
from edgekit.errors import ConfigError


def report(
    file: Annotated[
        Path | None,
        typer.Argument(help="report.json; default: the work directory's.", show_default=False),
    ] = None,
    config: options.Config = None,
    work: options.Work = None,
    json: options.Json = False,
) -> int:
    """Show a stored report; write its HTML and JUnit again."""
    from edgekit import config as project_files
    from edgekit.report import json_form

    if file is None:
        project = config or project_files.find(Path.cwd())
        base = Path.cwd() if project is None else project.resolve().parent
        file = (work or base / "build" / "edgekit") / "report.json"
        if not file.is_file():
            raise ConfigError(f"there is no {file}", hint="run `edgekit deploy` first")
    found = json_form.load(file)
    return deliver(found, work or file.parent, json, ("report.html", "junit.xml"))


def bench(
    models: Annotated[list[Path], typer.Argument(help="Model files.")],
    board: options.BoardName = None,
    virtual: options.Virtual = None,
    port: options.PortUrl = None,
    no_fold: options.NoFold = False,
    arena_limit: options.ArenaLimit = None,
    input_grid: options.InputGrid = None,
    config: options.Config = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the JSON there as well.")
    ] = None,
    json: options.Json = False,
) -> int:
    """Count instructions, cycles and bytes of each model."""
    from edgekit import board as boards
    from edgekit import config as project_files
    from edgekit.config import Options, Project
    from edgekit.pipeline.bench import bench as count
    from edgekit.pipeline.settings import arena_limit_of, board_of, grid_of

    path = config or project_files.find(Path.cwd())
    project = Project() if path is None else project_files.load(path)
    for model in models:  # all are looked at before the first is built
        if not model.is_file():
            raise ConfigError(f"model file {model} does not exist or is not a file")
    wanted = Options(board=board, arena_limit_bytes=arena_limit, input_grid=input_grid)
    chosen = boards.mcu(board_of(wanted, project))
    on_twin = project.virtual if virtual is None else virtual
    with progress() as stage:
        figures = count(
            models,
            chosen,
            virtual=on_twin,
            port=port,
            fold=not no_fold,
            arena_limit_bytes=arena_limit_of(wanted, project),
            grid=grid_of(wanted, project),
            progress=stage,
        )
    if output is not None:
        _write(figures, output)
    (show_json if json else _show_bench)(figures)
    return 0


def _write(figures: dict[str, Any], output: Path) -> None:
    import json as encoding

    try:
        output.write_text(encoding.dumps(figures, indent=1) + "\n", encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{output} cannot be written: {exc.strerror}") from exc


def _show_bench(figures: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from edgekit.report.printable import printable

    keys = ("macs", "instructions", "code_bytes", "tables_bytes", "weights_bytes", "arena_bytes")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model")
    for key in (*keys, "stack_bytes"):
        table.add_column(key.removesuffix("_bytes").replace("macs", "MACs"), justify="right")
    table.add_column("oracle")
    for row in figures["models"]:
        cells = [_count(row.get(key)) for key in (*keys, "stack_bytes")]
        table.add_row(Text(printable(str(row["model"]))), *cells, str(row["oracle"]))
    show(table)


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
