"""The verb `compress`: a float network through a recipe, judged on the generated artefact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli import options
from edgekit.cli.output import progress, say, show, show_json
from edgekit.errors import ConfigError

if TYPE_CHECKING:
    from edgekit.pipeline.compress import Job

# What the table shows, in order: key of the report, its name, digits behind the point.
_ROWS = (
    ("weights_bytes", "weights, bytes", 0),
    ("code_bytes", "code, bytes", 0),
    ("tables_bytes", "tables, bytes", 0),
    ("arena_bytes", "arena, bytes", 0),
    ("instructions", "instructions", 0),
    ("energy_uj", "µJ an inference, modelled", 2),
    ("lut_estimate", "LUTs, estimate", 0),
)


def compress(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="Float network: .onnx, or a model of `edgekit train`.", show_default=False
        ),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="What to do: a YAML file.")
    ] = None,
    board: options.BoardName = None,
    operating_point: options.OperatingPoint = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Integer graph [WORK/NAME_compressed.safetensors]."),
    ] = None,
    work: Annotated[Path | None, typer.Option("--work", help="Work directory.")] = None,
    config: options.Config = None,
    json: options.Json = False,
) -> int:
    """Prune, factorize and quantize a float network by a recipe."""
    job = _job(model, recipe, board, operating_point, output, work, config)
    from edgekit.pipeline import compress as verb

    with progress() as stage:
        found = verb.compress(job, progress=stage)
    (show_json if json else _show)(found)
    return 0


def _job(
    model: Path | None,
    recipe: Path | None,
    board: str | None,
    operating_point: str | None,
    output: Path | None,
    work: Path | None,
    config: Path | None,
) -> Job:
    """Return what is to be done: options over the project file over the board's defaults."""
    from edgekit import board as boards
    from edgekit import config as project_files
    from edgekit.compress import recipe as recipes
    from edgekit.config import Options, Project
    from edgekit.pipeline import settings
    from edgekit.pipeline.compress import Job

    path = config or project_files.find(Path.cwd())
    project = Project() if path is None else project_files.load(path)
    model = model or project.compress.model
    recipe = recipe or project.compress.recipe
    if model is None:
        raise ConfigError("no float network was named", hint="pass MODEL, or set compress.model")
    if recipe is None:
        raise ConfigError("no recipe was named", hint="pass --recipe, or set compress.recipe")
    if not model.exists():
        raise ConfigError(f"model {model} does not exist")
    wanted = Options(operating_point=operating_point, board=board)
    target = boards.mcu(settings.board_of(wanted, project))
    point = settings.contract_of(wanted, project.contract, target).operating_point
    base = Path.cwd() if path is None else path.resolve().parent
    folder = work or base / "build" / "edgekit"
    if output is None:
        folder.mkdir(parents=True, exist_ok=True)
        output = folder / f"{model.stem}_compressed.safetensors"
    return Job(model, recipes.load(recipe), target, point, output, folder)


def _show(found: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(found["board"])
    for name in ("before (int8)", "after", "change"):
        table.add_column(name, justify="right")
    for part in ("validation", "test"):
        before, after = (found["accuracy"][side][part] for side in ("before", "after"))
        name = f"accuracy, {part}, %"
        change = f"{100 * (after - before):+.2f}"
        table.add_row(name, f"{100 * before:.2f}", f"{100 * after:.2f}", change)
    for key, name, digits in _ROWS:
        before, after = found["before"][key], found["after"][key]
        if (before, after) == (None, None):
            continue
        cells = (_cell(before, digits), _cell(after, digits), _change(before, after))
        table.add_row(name, *cells)
    show(table)
    real = {part: f"{100 * share:.2f} %" for part, share in found["accuracy"]["float"].items()}
    say(f"float network: {real['validation']} validation, {real['test']} test")
    for note in found["notes"]:
        say(note)
    for line in found["worse"]:
        say(f"worse: {line}")
    verdicts = [word for word in ("larger", "slower") if found[word]]
    if verdicts:
        say(f"THIS RECIPE MAKES THE ARTEFACT {' AND '.join(verdicts).upper()}")
    say(f"wrote {found['output']}")


def _cell(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None or not before:
        return ""
    return f"{100 * (after / before - 1):+.1f} %"
