"""Runs a Vivado project, here or on a build host, and makes a bundle of what comes out."""

from __future__ import annotations

import io
import shlex
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgekit.build import process, tools
from edgekit.device.ssh import Remote, last_lines
from edgekit.errors import ConfigError, DoesNotFitError, ToolError
from edgekit.progress import Progress, Silent
from edgekit.target.fpga.bundle import Bundle, read_bundle, write_bundle
from edgekit.target.fpga.core import Core
from edgekit.target.fpga.vivado import (
    ARGV,
    NO_PART,
    PRODUCTS,
    REPORTS,
    TIMING_MISSED,
    VivadoProject,
)
from edgekit.target.fpga.vivado_reports import VivadoReport, parse_reports, parse_slack

BUNDLE = "bundle"  # beside the project
_BUILD_S = 4 * 3600.0
_HOME = ".cache/edgekit/vivado"  # on a build host
_NOT_FOUND = 127  # a shell's status for a program that is not there


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """A bundle that Vivado made, and its reports."""

    bundle: Bundle
    report: VivadoReport


def build_bundle(
    project: VivadoProject,
    core: Core,
    work: Path,
    *,
    host: Remote | None = None,
    progress: Progress | None = None,
) -> Built:
    """Build `project` below `work/vivado/BUILD_ID`, by Vivado here or on `host`.

    A finished build of the same project is taken as it is.

    Raises ToolError where Vivado is missing (the project is written all the same), fails, or
    leaves a file out, DoesNotFitError with the clock it reached where that is missed, and SshError
    where the host cannot be reached.
    """
    progress = progress or Silent()
    directory = write_project(project, work)
    finished = _finished(directory, project)
    if finished is not None:
        return finished
    for path in (*PRODUCTS.values(), *REPORTS.values()):
        (directory / path).unlink(missing_ok=True)  # of an earlier run
    if host is None and tools.find(ARGV[0]) is None:
        raise _no_vivado(directory, project)
    progress.stage("vivado")
    log = directory / "logs" / "vivado.log"
    log.parent.mkdir(exist_ok=True)
    status = (
        _run_here(directory, log) if host is None else _run_there(host, project, directory, log)
    )
    _check(status, project, directory, log)
    report = _report(directory, log)
    bundle = write_bundle(
        directory / BUNDLE,
        project.identity,
        core,
        bit=directory / PRODUCTS["bit"],
        hwh=directory / PRODUCTS["hwh"],
        tools={"vivado": report.slack.vivado},
    )
    return Built(bundle, report)


def _finished(directory: Path, project: VivadoProject) -> Built | None:
    """Return what an earlier run left; its bundle was written last, so the rest is there too."""
    try:
        bundle = read_bundle(directory / BUNDLE, project.identity.board)
        return Built(bundle, _report(directory, directory))
    except (ConfigError, ToolError):
        return None  # there is none, or not a whole one: build again


def bundle_of(project: VivadoProject, core: Core, work: Path, bitstream: Path) -> Bundle:
    """Return a bundle of a bitstream that was built elsewhere, with the .hwh beside it.

    Raises ConfigError where one of the two is missing, damaged, or of another part or design.
    """
    return write_bundle(
        write_project(project, work) / "bundle-given",
        project.identity,
        core,
        bit=bitstream,
        hwh=bitstream.with_suffix(".hwh"),
        tools={},
    )


def write_project(project: VivadoProject, work: Path) -> Path:
    """Write the project's files and return their directory, `work/vivado/BUILD_ID`."""
    directory = work / "vivado" / project.identity.build_id
    try:
        for name, data in project.files.items():
            path = directory / name
            if not path.is_file() or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    except OSError as exc:
        raise ConfigError(
            f"work directory {work} cannot be written: {exc.strerror}",
            hint="choose one with --work",
        ) from exc
    return directory


def _no_vivado(directory: Path, project: VivadoProject) -> ToolError:
    return ToolError(
        f"Vivado is not installed, so there is no bitstream for {project.identity.part}; the "
        f"project is in {directory}",
        hint=f"where Vivado is: (cd {shlex.quote(str(directory))} && {shlex.join(ARGV)}), then "
        f"pass --bitstream {directory / PRODUCTS['bit']}; or pass --build-host USER@HOST",
    )


def _run_here(directory: Path, log: Path) -> int:
    outcome = process.run(ARGV, directory, log, timeout_s=_BUILD_S)
    if outcome.ending not in ("ok", "status"):
        raise outcome.error()
    return outcome.status


def _run_there(host: Remote, project: VivadoProject, directory: Path, log: Path) -> int:
    """Copy the project, run it, and fetch what it made, whatever that is."""
    place = f"{_HOME}/{project.identity.build_id}"
    archive = f"{place}.tar"
    host.check(f"mkdir -p {_HOME}", "make a directory")
    host.put({archive: _packed(project)})
    command = (
        f"rm -rf {place} && mkdir {place} && tar -xf {archive} -C {place} && cd {place} && "
        f"{shlex.join(ARGV)} 2>&1"
    )
    done = host.run(command, timeout_s=_BUILD_S)
    log.write_text(done.out + done.err, encoding="utf-8")
    if done.status == _NOT_FOUND:
        raise ToolError(
            f"{host} has no Vivado on its PATH: {last_lines(done.out)}",
            hint="source Vivado's settings64.sh in the shell's start-up file there "
            "(ssh reads .bashrc, not .profile)",
        )
    for path in (*REPORTS.values(), *PRODUCTS.values()):
        _fetch(host, f"{place}/{path}", directory / path)
    return done.status


def _fetch(host: Remote, there: str, here: Path) -> None:
    """Copy a file from the host, checked by its digest; a missing one is left out."""
    data = host.get(there)
    if data is not None:
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_bytes(data)


def _packed(project: VivadoProject) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(project.files.items()):
            entry = tarfile.TarInfo(str(PurePosixPath(name)))
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def _check(status: int, project: VivadoProject, directory: Path, log: Path) -> None:
    if status == TIMING_MISSED:
        slack = parse_slack(_text(directory, "summary", log))
        raise DoesNotFitError(
            f"{project.identity.model} misses its clock on {project.identity.board}: wanted "
            f"{1e3 / slack.period_ns:.4g} MHz, reached {slack.fmax_mhz:.4g} MHz (setup slack "
            f"{slack.setup_ns:g} ns, hold slack {slack.hold_ns:g} ns)",
            hint="choose a slower clock or more register stages; --allow-timing-failure makes "
            f"the bitstream all the same; the log: {log}",
        )
    if status == NO_PART:
        raise ToolError(
            f"this Vivado does not know {project.identity.part}",
            hint="add Zynq-7000 in Vivado's installer",
        )
    if status != 0:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
        raise ToolError(
            f"Vivado ended with status {status}: {shlex.join(ARGV)}\n" + "\n".join(tail),
            hint=f"the whole log: {log}",
        )
    for path in PRODUCTS.values():
        if not (directory / path).is_file() or (directory / path).stat().st_size == 0:
            raise ToolError(f"Vivado ended without {directory / path}", hint=f"see {log}")


def _report(directory: Path, log: Path) -> VivadoReport:
    summary, utilization, power = (
        _text(directory, name, log) for name in ("summary", "utilization", "power")
    )
    return parse_reports(summary, utilization, power)


def _text(directory: Path, name: str, log: Path) -> str:
    path = directory / REPORTS[name]
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as exc:
        raise ToolError(f"Vivado ended without {path}", hint=f"see {log}") from exc
