"""Execute a build plan: write what changed, run its tools, keep the result by digest."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from edgekit.build import image, process, tools
from edgekit.build.hold import hold
from edgekit.build.plan import Artifact, BuildPlan, Command, Sizes
from edgekit.build.process import Processes
from edgekit.build.seal import is_whole, seal
from edgekit.errors import ConfigError, ToolError
from edgekit.progress import Progress, Silent

_RECORD = "artifact.json"
_TIMEOUT_S = 900.0  # the first call of zig ever builds its own libraries


def execute(plan: BuildPlan, work: Path, *, progress: Progress | None = None) -> Artifact:
    """Build `plan` below `work/build/DIGEST` and return the artifact; a finished one is reused.

    Raises ToolError when a tool is missing or fails; its log stays beside the sources.
    """
    progress = progress or Silent()
    directory = work / "build" / plan.digest()
    compiler = plan.compiler
    # Versions cost a process each: the path of the compiler is enough to know that it is there.
    finished = _load(directory, plan)
    if finished is not None:
        return finished
    tools.require(compiler)
    with prepare(plan, directory, work):
        finished = _load(directory, plan)  # whoever held it may have built the same
        if finished is not None:
            return finished
        _run_all(plan, directory, progress)
        return _finish(plan, directory, {compiler: tools.version(compiler) or "unknown"})


@contextmanager
def prepare(plan: BuildPlan, directory: Path, work: Path) -> Iterator[None]:
    """Hold the plan's `directory` below `work`, with the plan's files in it.

    Raises ConfigError where that cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise _unwritable(work, exc) from exc
    with hold(directory, wait=True):
        try:
            write_files(plan, directory)
        except OSError as exc:
            raise _unwritable(work, exc) from exc
        yield


def _unwritable(work: Path, exc: OSError) -> ConfigError:
    return ConfigError(
        f"work directory {work} cannot be written: {exc.strerror}", hint="choose one with --work"
    )


def write_files(plan: BuildPlan, directory: Path) -> None:
    """Write the plan's files below `directory`, leaving those that already hold the same bytes."""
    for name, data in plan.files.items():
        path = directory / name
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _run_all(plan: BuildPlan, directory: Path, progress: Progress) -> None:
    """All commands but the last are independent of each other; the last one links."""
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    first = "zig: its first run ever takes minutes, later ones seconds"
    note = f" ({first})" if plan.toolchain == "zig" else ""
    progress.stage(f"compile{note}", len(plan.commands))
    done = 0
    processes = Processes()
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        try:
            # Within the try, so that a signal between two submissions ends the first ones too.
            jobs = [pool.submit(_run, c, directory, logs, processes) for c in plan.commands[:-1]]
            for job in as_completed(jobs):
                job.result()
                done += 1
                progress.advance(done)
        except BaseException:
            # Ctrl-C reaches this thread alone: the others must not keep it waiting.
            processes.end()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    _run(plan.commands[-1], directory, logs, processes)
    progress.advance(done + 1)


def _run(command: Command, directory: Path, logs: Path, processes: Processes) -> None:
    for part in command.argv:
        if part.startswith("obj/"):
            (directory / part).parent.mkdir(parents=True, exist_ok=True)
    log = logs / f"{command.log}.log"
    outcome = process.run(command.argv, directory, log, timeout_s=_TIMEOUT_S, processes=processes)
    if outcome.ending != "ok":
        raise outcome.error()


def _finish(plan: BuildPlan, directory: Path, versions: Mapping[str, str]) -> Artifact:
    elf = directory / plan.products["elf"]
    if not elf.is_file():
        raise ToolError(
            f"the build of {plan.name} ended without {elf}", hint=f"see {directory / 'logs'}"
        )
    (elf.with_suffix(".bin")).write_bytes(image.to_bin(elf))
    (elf.with_suffix(".hex")).write_text(image.to_hex(elf), encoding="ascii")
    artifact = Artifact(
        plan=plan.digest(),
        board=plan.board,
        directory=directory,
        products={k: elf.with_suffix(f".{k}") for k in ("elf", "hex", "bin")},
        sizes=image.sizes(elf, plan.facts),
        tools=dict(versions),
    )
    record = {"sizes": asdict(artifact.sizes), "tools": dict(versions)}
    partial = directory / f"{_RECORD}.part"
    partial.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(directory / _RECORD)
    for path in (*artifact.products.values(), directory / _RECORD):
        seal(path)
    return artifact


def _load(directory: Path, plan: BuildPlan) -> Artifact | None:
    record = directory / _RECORD
    elf = directory / plan.products["elf"]
    products = {k: elf.with_suffix(f".{k}") for k in ("elf", "hex", "bin")}
    if not all(is_whole(path) for path in (record, *products.values())):
        return None  # not finished, or no longer what was built
    try:
        data = json.loads(record.read_text(encoding="utf-8"))
        sizes, versions = Sizes(**data["sizes"]), dict(data["tools"])
    except (ValueError, KeyError, TypeError):
        return None  # written by another release: build again
    return Artifact(plan.digest(), plan.board, directory, products, sizes, versions)
