"""Verbs that need a board, real or virtual: flash, run, measure, verify, deploy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli import options
from edgekit.cli.model_verbs import artifact_json, planned, show_plan
from edgekit.cli.output import complain, progress, say, show, show_json
from edgekit.errors import ConfigError

if TYPE_CHECKING:
    from edgekit.config import Options
    from edgekit.device.session import Run
    from edgekit.pipeline.settings import Settings
    from edgekit.report.types import Report


def flash(
    model: options.Model = None,
    board: options.BoardName = None,
    operating_point: options.OperatingPoint = None,
    port: options.PortUrl = None,
    probe: options.Probe = None,
    config: options.Config = None,
    work: options.Work = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
) -> int:
    """Build the firmware and write it to the board."""
    from edgekit.config import Options

    wanted = Options(
        model=model,
        board=board,
        operating_point=operating_point,
        port=port,
        virtual=False,
        work=work,
    )
    settings, plan = planned(wanted, config, as_json=json)
    if dry_run:
        return show_plan(plan, json)
    from edgekit.pipeline import stages

    with progress() as stage:
        artifact = stages.build(
            plan,
            settings.work,
            allow_timing_failure=settings.fpga.allow_timing_failure,
            progress=stage,
        )
        stage.stage("flash")
        stages.flash(artifact, settings.board, port_url=settings.port, probe=probe)
    if json:
        show_json(artifact_json(artifact))
    else:
        image = artifact.products.get("elf") or artifact.products["bitstream"]
        say(f"flashed {image} (plan {artifact.plan}) to {settings.board.name}")
    return 0


def run(
    model: options.Model = None,
    board: options.BoardName = None,
    virtual: options.Virtual = None,
    port: options.PortUrl = None,
    data: options.Data = None,
    operating_point: options.OperatingPoint = None,
    seed: options.Seed = 0,
    config: options.Config = None,
    work: options.Work = None,
    json: options.Json = False,
) -> int:
    """Run the samples on the board and keep its outputs."""
    from edgekit.config import Options

    wanted = Options(
        model=model,
        board=board,
        virtual=virtual,
        port=port,
        data=data,
        operating_point=operating_point,
        seed=seed,
        work=work,
    )
    settings = _resolved(wanted, config)
    from edgekit.pipeline.deploy import run as run_samples

    with progress() as stage:
        done = run_samples(settings, progress=stage)
    _show_run(settings, done, json)
    return 0


def _show_run(settings: Settings, done: Run, as_json: bool) -> None:
    from edgekit.pipeline.keep import OUTPUTS

    path = settings.work / OUTPUTS
    count = int(done.outputs.shape[0])
    if not as_json:
        say(f"{count} inferences on {settings.board.name}; outputs and cycles are in {path}")
        return
    show_json(
        {
            "schema": 1,
            "model": settings.model.stem,
            "board": settings.board.name,
            "virtual": settings.virtual,
            "inferences": count,
            "outputs": str(path),
            "cold_start_us": done.cold_start_us,
            "link": dict(done.link_stats),
            "error": None,
        }
    )


def measure(
    model: options.Model = None,
    board: options.BoardName = None,
    virtual: options.Virtual = None,
    port: options.PortUrl = None,
    meter: options.Meter = None,
    data: options.Data = None,
    budget_mw: options.BudgetMw = None,
    scope: options.Scope = None,
    mode: options.ModeOption = None,
    rate_hz: options.RateHz = None,
    operating_point: options.OperatingPoint = None,
    seed: options.Seed = 0,
    config: options.Config = None,
    work: options.Work = None,
    json: options.Json = False,
) -> int:
    """Meter the board against the energy contract."""
    from edgekit.config import Options

    wanted = Options(
        model=model,
        board=board,
        virtual=virtual,
        port=port,
        meter=meter,
        data=data,
        **options.contract_words(budget_mw, scope, mode, rate_hz, operating_point),
        seed=seed,
        work=work,
    )
    settings = _resolved(wanted, config)
    from edgekit.pipeline.deploy import measure as measure_power

    return _delivered(measure_power, settings, json)


def verify(
    model: options.Model = None,
    board: options.BoardName = None,
    virtual: options.Virtual = None,
    port: options.PortUrl = None,
    data: options.Data = None,
    operating_point: options.OperatingPoint = None,
    seed: options.Seed = 0,
    no_fold: options.NoFold = False,
    arena_limit: options.ArenaLimit = None,
    input_grid: options.InputGrid = None,
    config: options.Config = None,
    work: options.Work = None,
    json: options.Json = False,
) -> int:
    """Compare reference, graph, C and board, bit by bit."""
    from edgekit.config import Options

    wanted = Options(
        model=model,
        board=board,
        virtual=virtual,
        port=port,
        data=data,
        operating_point=operating_point,
        seed=seed,
        fold=not no_fold,
        arena_limit_bytes=arena_limit,
        input_grid=input_grid,
        work=work,
    )
    settings = _resolved(wanted, config)
    from edgekit.pipeline.deploy import verify as compare

    return _delivered(compare, settings, json)


def deploy(
    model: options.Model = None,
    board: options.BoardName = None,
    virtual: options.Virtual = None,
    port: options.PortUrl = None,
    meter: options.Meter = None,
    data: options.Data = None,
    budget_mw: options.BudgetMw = None,
    scope: options.Scope = None,
    mode: options.ModeOption = None,
    rate_hz: options.RateHz = None,
    operating_point: options.OperatingPoint = None,
    seed: options.Seed = 0,
    no_fold: options.NoFold = False,
    arena_limit: options.ArenaLimit = None,
    input_grid: options.InputGrid = None,
    optimize: options.OptimizeFor = None,
    allow_timing_failure: options.AllowTimingFailure = None,
    bitstream: options.Bitstream = None,
    build_host: options.BuildHost = None,
    config: options.Config = None,
    work: options.Work = None,
    dry_run: options.DryRun = False,
    dump_passes: options.DumpPasses = False,
    json: options.Json = False,
) -> int:
    """All of it: build, flash, run, compare, meter, judge."""
    from edgekit.config import Options
    from edgekit.pipeline.deploy import deploy as deploy_all

    said = options.contract_words(budget_mw, scope, mode, rate_hz, operating_point)
    said |= options.fpga_words(optimize, allow_timing_failure, bitstream, build_host)
    wanted = Options(
        model=model,
        board=board,
        virtual=virtual,
        port=port,
        meter=meter,
        data=data,
        **said,
        seed=seed,
        fold=not no_fold,
        arena_limit_bytes=arena_limit,
        input_grid=input_grid,
        work=work,
    )
    settings = _resolved(wanted, config)
    if _only_planned(wanted, config, dry_run, dump_passes, as_json=json):
        return 0
    return _delivered(deploy_all, settings, json)


def _delivered(verb: Callable[..., Report], settings: Settings, as_json: bool) -> int:
    with progress() as stage:
        report = verb(settings, progress=stage)
    return deliver(report, settings.work, as_json)


def _only_planned(
    wanted: Options, config: Path | None, dry_run: bool, dump_passes: bool, *, as_json: bool
) -> bool:
    """Print the passes and the plan as far as asked to; tell whether that was all."""
    if dry_run or dump_passes:
        _, plan = planned(wanted, config, dump_passes=dump_passes, as_json=as_json)
        if dry_run:
            show_plan(plan, as_json)
    return dry_run


def _resolved(wanted: Options, config: Path | None) -> Settings:
    from edgekit.pipeline.settings import resolve

    return resolve(wanted, start=Path.cwd(), config_file=config)


def deliver(
    report: Report,
    work: Path,
    as_json: bool,
    names: Sequence[str] = ("report.json", "report.html", "junit.xml"),
) -> int:
    """Write the report's files, print it, and return its exit code."""
    from edgekit.report import console, files, json_form

    try:
        paths = files.write(report, work, names)
    except OSError as exc:
        raise ConfigError(f"the report cannot be written to {work}: {exc.strerror}") from exc
    if as_json:
        show_json(json_form.to_json(report, detail=False))
    elif report.error is None or report.plan is not None:  # else there is nothing to show
        show(console.renderable(report))
        say(f"report: {next(p for p in paths if p.suffix == '.html')}")
    if report.error is not None:
        complain(report.error.message, report.error.hint)
    return report.exit_code
