"""Execute a build plan: write what changed, run its tools, keep the result by digest."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import IO

from edgekit.build import image, tools
from edgekit.build.hold import hold
from edgekit.build.plan import Artifact, BuildPlan, Command, Sizes
from edgekit.errors import ConfigError, ToolError
from edgekit.progress import Progress, Silent

_RECORD = "artifact.json"
_TIMEOUT_S = 900.0  # the first call of zig ever builds its own libraries
_LAST_LINES = 20


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
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise _unwritable(work, exc) from exc
    with hold(directory, wait=True):
        finished = _load(directory, plan)  # whoever held it may have built the same
        return finished or _build(plan, directory, work, progress)


def _build(plan: BuildPlan, directory: Path, work: Path, progress: Progress) -> Artifact:
    compiler = plan.compiler
    try:
        write_files(plan, directory)
    except OSError as exc:
        raise _unwritable(work, exc) from exc
    _run_all(plan, directory, progress)
    return _finish(plan, directory, {compiler: tools.version(compiler) or "unknown"})


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
    processes = _Processes()
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


class _Processes:
    """The tools that run now; after `end` none does, and none can be started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def start(
        self, argv: Sequence[str], directory: Path, out: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start a tool in a group of its own; OSError where that is impossible."""
        with self._lock:
            if self._ended:
                raise ToolError("the build was broken off")
            process = subprocess.Popen(
                argv,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.add(process)
            return process

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """Say that a tool has ended."""
        with self._lock:
            self._running.discard(process)

    def end(self) -> None:
        """Kill what runs."""
        with self._lock:
            self._ended = True
            for process in self._running:
                _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _run(command: Command, directory: Path, logs: Path, processes: _Processes) -> None:
    argv = (*tools.require(command.argv[0]), *command.argv[1:])
    for part in command.argv:
        if part.startswith("obj/"):
            (directory / part).parent.mkdir(parents=True, exist_ok=True)
    log = logs / f"{command.log}.log"
    with log.open("wb") as out:
        try:
            process = processes.start(argv, directory, out)
        except OSError as exc:
            raise ToolError(
                f"{command.argv[0]} cannot be started: {exc.strerror}: {' '.join(argv)}",
                hint=tools.tool(command.argv[0]).install,
            ) from exc
        try:
            status: int | None = process.wait(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.wait()
            status = None
        except BaseException:
            _kill(process)
            process.wait()
            raise
        finally:
            processes.forget(process)
    if status != 0:
        what = "ran out of time" if status is None else f"ended with status {status}"
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
        raise ToolError(
            f"{command.argv[0]} {what}: {' '.join(argv)}\n" + "\n".join(tail),
            hint=f"the whole log: {log}",
        )


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
    return artifact


def _load(directory: Path, plan: BuildPlan) -> Artifact | None:
    record = directory / _RECORD
    elf = directory / plan.products["elf"]
    products = {k: elf.with_suffix(f".{k}") for k in ("elf", "hex", "bin")}
    if not record.is_file() or not all(p.is_file() for p in products.values()):
        return None
    try:
        data = json.loads(record.read_text(encoding="utf-8"))
        sizes, versions = Sizes(**data["sizes"]), dict(data["tools"])
    except (ValueError, KeyError, TypeError):
        return None  # written by another release: build again
    return Artifact(plan.digest(), plan.board, directory, products, sizes, versions)
