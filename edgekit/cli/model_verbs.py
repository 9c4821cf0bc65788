"""Verbs that need no board at hand: check, compile, build."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli import check_fpga, options
from edgekit.cli.output import progress, say, show, show_json
from edgekit.errors import ConfigError

if TYPE_CHECKING:
    from edgekit.build.plan import Artifact, BuildPlan
    from edgekit.config import Options
    from edgekit.ir.graph import Graph
    from edgekit.passes.memory import MemoryPlan
    from edgekit.pipeline.settings import Settings


def check(
    model: options.Model = None,
    board: options.BoardName = None,
    config: options.Config = None,
    no_fold: options.NoFold = False,
    arena_limit: options.ArenaLimit = None,
    input_grid: options.InputGrid = None,
    dump_passes: options.DumpPasses = False,
    json: options.Json = False,
) -> int:
    """Say whether a model runs exactly, and what it costs."""
    from edgekit import board as boards
    from edgekit import config as project_files
    from edgekit.config import Options, Project
    from edgekit.frontend import load
    from edgekit.passes import optimize_with_savings
    from edgekit.pipeline import settings, stages

    path = config or project_files.find(Path.cwd())
    project = Project() if path is None else project_files.load(path)
    wanted = Options(model=model, board=board, arena_limit_bytes=arena_limit, input_grid=input_grid)
    chosen = settings.board_of(wanted, project) if board or project.board else None
    graph = load(settings.model_of(wanted, project), grid=settings.grid_of(wanted, project))
    passes = PassDump(print_now=dump_passes and not json)
    arena: MemoryPlan | None = None
    if chosen is None or isinstance(chosen, boards.FpgaBoard):
        graph, savings = optimize_with_savings(graph, passes.take, fold=not no_fold)
    else:
        limit = settings.arena_limit_of(wanted, project)
        lowered = stages.lower(
            graph, boards.mcu(chosen), passes.take, fold=not no_fold, arena_limit_bytes=limit
        )
        graph, arena, savings = lowered.graph, lowered.arena, lowered.savings
    found = _checked(graph, arena, None if chosen is None else chosen.name)
    styles: check_fpga.Found = {}
    if isinstance(chosen, boards.FpgaBoard):
        contract = settings.contract_of(wanted, project.contract, chosen)
        styles = check_fpga.attempts(graph, chosen, contract, project.fpga)
        found["styles"] = check_fpga.rows(styles, chosen)
    found["savings"] = {saved.name: saved.as_json() for saved in savings}
    if json:
        if dump_passes:
            found["passes"] = [{"name": n, "graph": t} for n, t in passes.kept]
        check_fpga.refuse_all(styles)
        show_json(found)
    else:
        _show_check(found, [f"pass {saved.sentence()}" for saved in savings if not saved.is_empty])
        check_fpga.refuse_all(styles)
    return 0


class PassDump:
    """Takes the graph after each pass: prints its text, or keeps it for --json."""

    def __init__(self, *, print_now: bool) -> None:
        self._print_now = print_now
        self.kept: list[tuple[str, str]] = []

    def take(self, name: str, graph: Graph) -> None:
        """Show the graph after pass `name`."""
        from edgekit.ir import text

        words = text.dump(graph)
        if self._print_now:
            say(f"# after {name}\n{words}")
        else:
            self.kept.append((name, words))


def _checked(graph: Graph, arena: MemoryPlan | None, board: str | None) -> dict[str, Any]:
    from edgekit.ir import check as checker
    from edgekit.ir import text

    layers = [
        {
            "name": node.label,
            "op": type(node).__name__,
            "shape": list(graph.tensors[node.y].shape),
            "macs": checker.macs(graph, node),
        }
        for node in graph.nodes
    ]
    return {
        "schema": 1,
        "model": graph.name,
        "board": board,
        "format": graph.source.format,
        "reference": graph.source.reference,
        "model_hash": text.digest(graph),
        "layers": layers,
        "macs": sum(checker.macs(graph, node) for node in graph.nodes),
        "constants_bytes": sum(
            -(-graph.tensors[name].size * graph.tensors[name].dtype.bits // 8)
            for name in graph.constants
        ),
        "arena_bytes": None if arena is None else arena.arena_bytes,
        "arena_lower_bound_bytes": None if arena is None else arena.lower_bound_bytes,
        "not_compared": [dataclasses.asdict(item) for item in graph.not_compared],
        "error": None,
    }


def _show_check(found: dict[str, Any], saved: list[str]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from edgekit.report.printable import printable

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("layer", "operator", "output", "MACs"):
        table.add_column(column, justify="right" if column == "MACs" else "left")
    for row in found["layers"]:
        shape = " × ".join(str(n) for n in row["shape"])
        table.add_row(Text(printable(row["name"])), row["op"], shape, f"{row['macs']:,}")
    show(table)
    arena = found["arena_bytes"]
    as_what = "" if found["reference"] == "none" else f", exactly as {found['reference']} does"
    lines = [
        f"{found['model']}: every layer runs in integers{as_what}",
        f"{found['macs']:,} MACs, {found['constants_bytes']:,} bytes of constants",
    ]
    if arena is not None:
        bound = found["arena_lower_bound_bytes"]
        lines.append(f"arena on {found['board']}: {arena:,} bytes (lower bound {bound:,})")
    lines += saved
    for item in found["not_compared"]:
        lines.append(f"stays on the host, in float: {item['label']}: {item['reason']}")
    say("\n".join(printable(line) for line in lines))
    if "styles" in found:
        check_fpga.show_rows(found["styles"])


def compile_(
    model: options.Model = None,
    board: options.BoardName = None,
    operating_point: options.OperatingPoint = None,
    toolchain: options.Toolchain = None,
    config: options.Config = None,
    work: options.Work = None,
    dry_run: options.DryRun = False,
    no_fold: options.NoFold = False,
    arena_limit: options.ArenaLimit = None,
    input_grid: options.InputGrid = None,
    optimize: options.OptimizeFor = None,
    dump_passes: options.DumpPasses = False,
    json: options.Json = False,
) -> int:
    """Write the generated C or Verilog and all that its build needs."""
    from edgekit.build import run as executor
    from edgekit.config import Options

    wanted = Options(
        model=model,
        board=board,
        operating_point=operating_point,
        work=work,
        fold=not no_fold,
        arena_limit_bytes=arena_limit,
        input_grid=input_grid,
        **options.fpga_words(optimize),
    )
    settings, plan = planned(wanted, config, toolchain, dump_passes, as_json=json)
    if dry_run:
        return show_plan(plan, json)
    directory = settings.work / "build" / plan.digest()
    with executor.prepare(plan, directory, settings.work):
        pass
    if json:
        show_json({**plan_json(plan), "directory": str(directory)})
    else:
        say(f"wrote {len(plan.files)} files to {directory}")
    return 0


def build(
    model: options.Model = None,
    board: options.BoardName = None,
    operating_point: options.OperatingPoint = None,
    toolchain: options.Toolchain = None,
    config: options.Config = None,
    work: options.Work = None,
    dry_run: options.DryRun = False,
    no_fold: options.NoFold = False,
    arena_limit: options.ArenaLimit = None,
    input_grid: options.InputGrid = None,
    optimize: options.OptimizeFor = None,
    allow_timing_failure: options.AllowTimingFailure = None,
    dump_passes: options.DumpPasses = False,
    json: options.Json = False,
) -> int:
    """Build the firmware image or the bitstream."""
    from edgekit.config import Options
    from edgekit.pipeline import stages

    wanted = Options(
        model=model,
        board=board,
        operating_point=operating_point,
        work=work,
        fold=not no_fold,
        arena_limit_bytes=arena_limit,
        input_grid=input_grid,
        **options.fpga_words(optimize, allow_timing_failure),
    )
    settings, plan = planned(wanted, config, toolchain, dump_passes, as_json=json)
    if dry_run:
        return show_plan(plan, json)
    with progress() as stage:
        artifact = stages.build(
            plan,
            settings.work,
            allow_timing_failure=settings.fpga.allow_timing_failure,
            progress=stage,
        )
    if json:
        show_json(artifact_json(artifact))
    else:
        _show_artifact(artifact)
    return 0


def planned(
    wanted: Options,
    config: Path | None,
    toolchain: options.Chain | None = None,
    dump_passes: bool = False,
    *,
    as_json: bool,
) -> tuple[Settings, BuildPlan]:
    """Return the settings that `wanted` resolves to, and the plan of the build."""
    from edgekit.pipeline.settings import resolve

    if dump_passes and as_json:
        raise ConfigError(
            "--dump-passes prints text, --json one object", hint="use `edgekit check` for both"
        )
    settings = resolve(wanted, start=Path.cwd(), config_file=config)
    # After everything that can be refused without them.
    from edgekit import board as boards
    from edgekit.pipeline import stages
    from edgekit.pipeline.prepare import loaded

    on_pass: Callable[[str, Graph], None] | None = None
    if dump_passes:
        on_pass = PassDump(print_now=True).take
    if isinstance(settings.board, boards.FpgaBoard):
        from edgekit.passes import optimize_with_savings
        from edgekit.pipeline import programmable

        lowered, _ = optimize_with_savings(loaded(settings), on_pass, fold=settings.fold)
        return settings, programmable.designed(settings, lowered).plan
    plan = stages.compile(
        loaded(settings),
        boards.mcu(settings.board),
        operating_point=settings.contract.operating_point,
        toolchain=options.chain_word(toolchain),
        on_pass=on_pass,
        fold=settings.fold,
        arena_limit_bytes=settings.arena_limit_bytes,
    )
    return settings, plan


def plan_json(plan: BuildPlan) -> dict[str, Any]:
    """Return what --dry-run prints: digest, files with sizes, commands, facts."""
    return {
        "schema": 1,
        "plan": plan.digest(),
        "model": plan.name,
        "board": plan.board,
        "toolchain": plan.toolchain,
        "files": {str(path): len(data) for path, data in sorted(plan.files.items())},
        "commands": [list(command.argv) for command in plan.commands],
        "facts": dict(plan.facts),
        "error": None,
    }


def show_plan(plan: BuildPlan, as_json: bool) -> int:
    """Print the plan and return 0: nothing was written and no tool ran."""
    if as_json:
        show_json(plan_json(plan))
        return 0
    import shlex

    lines = [f"plan {plan.digest()}: {plan.name} for {plan.board}, {plan.toolchain}", "", "files"]
    lines += [f"  {len(data):>9,}  {path}" for path, data in sorted(plan.files.items())]
    lines += ["", "commands"]
    lines += [f"  {shlex.join(command.argv)}" for command in plan.commands]
    say("\n".join(lines))
    return 0


def artifact_json(artifact: Artifact) -> dict[str, Any]:
    """Return what `build --json` prints."""
    return {
        "schema": 1,
        "plan": artifact.plan,
        "board": artifact.board,
        "products": {kind: str(path) for kind, path in artifact.products.items()},
        "sizes": dataclasses.asdict(artifact.sizes),
        "tools": dict(artifact.tools),
        "error": None,
    }


def _show_artifact(artifact: Artifact) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for kind, path in artifact.products.items():
        grid.add_row(Text(kind, style="dim"), Text(str(path)))
    for name, value in dataclasses.asdict(artifact.sizes).items():
        words = "not known" if value is None else f"{value:,}"
        grid.add_row(Text(name.replace("_", " "), style="dim"), Text(words))
    for name, version in artifact.tools.items():
        grid.add_row(Text(name, style="dim"), Text(version))
    show(grid)
