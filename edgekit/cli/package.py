"""The verb package: a model as a library for other build systems."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli import options
from edgekit.cli.output import progress, say, show_json
from edgekit.errors import ConfigError

if TYPE_CHECKING:
    from edgekit.board import Cpu, McuBoard
    from edgekit.config import Options, Project
    from edgekit.ir.graph import Graph
    from edgekit.pipeline.package import Package


class Form(StrEnum):
    """Build system."""

    cmake = "cmake"
    zephyr = "zephyr"
    arduino = "arduino"
    platformio = "platformio"
    cmsis_pack = "cmsis-pack"


def package(
    model: options.Model = None,
    board: options.BoardName = None,
    cpu: Annotated[
        str | None, typer.Option("--cpu", help="Any device with this CPU, instead of a board.")
    ] = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="Build system that takes the package.")
    ] = None,
    prefix: Annotated[
        str, typer.Option("--prefix", help="Begins every function, macro and file name.")
    ] = "model",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="New or empty directory.")
    ] = None,
    config: options.Config = None,
    no_fold: options.NoFold = False,
    arena_limit: options.ArenaLimit = None,
    input_grid: options.InputGrid = None,
    json: options.Json = False,
) -> int:
    """Make a library for CMake, Zephyr, Arduino and others."""
    from edgekit.config import Options
    from edgekit.target.mcu.package import check_prefix

    if form is None:
        raise ConfigError(
            "no format was named", hint=f"pass --format, one of: {', '.join(f.value for f in Form)}"
        )
    if output is None:
        raise ConfigError("no output directory was named", hint="pass -o DIR, a new directory")
    check_prefix(prefix)
    said = Options(model=model, arena_limit_bytes=arena_limit, input_grid=input_grid)
    graph, target, limit = _subject(said, board, cpu, config)

    from edgekit.pipeline import package as packages

    with progress() as stage:
        made = packages.package(
            graph,
            target,
            form.value,
            prefix=prefix,
            fold=not no_fold,
            arena_limit_bytes=limit,
            progress=stage,
        )
        packages.write(made.files, output)
    (show_json if json else _show)(_found(made, output))
    return 0


def _subject(
    wanted: Options, board: str | None, cpu: str | None, config: Path | None
) -> tuple[Graph, McuBoard | Cpu, int | None]:
    """Return the model, what to compile it for and in which arena; options go first."""
    from edgekit import config as project_files
    from edgekit.config import Project
    from edgekit.pipeline import settings, stages

    path = config or project_files.find(Path.cwd())
    project = Project() if path is None else project_files.load(path)
    target = _target(board, cpu, project)
    limit = settings.arena_limit_of(wanted, project)
    file, grid = settings.model_of(wanted, project), settings.grid_of(wanted, project)
    return stages.load(file, grid), target, limit


def _target(board: str | None, cpu: str | None, project: Project) -> McuBoard | Cpu:
    from typing import get_args

    from edgekit import board as boards
    from edgekit.config import Options
    from edgekit.pipeline import settings

    if cpu is None:
        return boards.mcu(settings.board_of(Options(board=board), project))
    if board is not None:
        raise ConfigError(f"--board {board} and --cpu {cpu} exclude each other", hint="pass one")
    cpus: tuple[Cpu, ...] = get_args(boards.Cpu)
    for known in cpus:
        if known == cpu:
            return known
    raise ConfigError(f"no CPU is called {cpu!r}", hint=f"pick one of: {', '.join(cpus)}")


def _found(made: Package, output: Path) -> dict[str, Any]:
    library = made.library
    return {
        "schema": 1,
        "model": library.program.graph.name,
        "target": library.board.name,
        "cpu": library.board.cpu,
        "format": made.form,
        "prefix": library.prefix,
        "directory": str(output),
        "digest": made.digest(),
        "files": {str(path): len(data) for path, data in sorted(made.files.items())},
        "sizes": {
            "arena_bytes": library.program.arena_bytes,
            "arena_lower_bound_bytes": library.program.memory.lower_bound_bytes,
            "weights_bytes": library.weights_bytes,
            "tables_bytes": library.tables_bytes,
        },
        "error": None,
    }


def _show(found: dict[str, Any]) -> None:
    sizes = found["sizes"]
    say(
        f"wrote {len(found['files'])} files to {found['directory']}: {found['model']} for "
        f"{found['target']}, {found['format']}, digest {found['digest']}\n"
        f"arena {sizes['arena_bytes']:,} bytes, weights {sizes['weights_bytes']:,}, other arrays "
        f"{sizes['tables_bytes']:,}; README.md says how to build and call it"
    )
