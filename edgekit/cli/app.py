"""The `edgekit` command: verbs, and how each of their endings becomes an exit code.

Only typer is imported here; a verb imports what it needs, so that `--help` stays fast.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from edgekit import __version__
from edgekit.cli import (
    calibrate,
    compress,
    gate,
    model_verbs,
    package,
    project_verbs,
    report_verbs,
    run_verbs,
    train,
)
from edgekit.cli.output import complain, complain_of, failure_json, show_json
from edgekit.errors import ConfigError, EdgekitError

# What a full disk, a read-only place or a machine at its limits answers; not edgekit's mistakes.
_SURROUNDINGS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EMFILE, errno.ENFILE, errno.EIO, errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG),
}

INTERRUPTED = 130
TERMINATED = 143

# In the order in which `edgekit --help` lists them.
VERBS = (
    project_verbs.init,
    project_verbs.doctor,
    project_verbs.boards,
    model_verbs.check,
    model_verbs.compile_,
    model_verbs.build,
    package.package,
    run_verbs.flash,
    run_verbs.run,
    run_verbs.measure,
    run_verbs.verify,
    run_verbs.deploy,
    report_verbs.report,
    gate.gate,
    report_verbs.bench,
    calibrate.calibrate,
    train.train,
    compress.compress,
)

app = typer.Typer(
    name="edgekit",
    help="Put a trained network on a microcontroller or an FPGA, with proof.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for _verb in VERBS:
    app.command(_verb.__name__.rstrip("_"))(_verb)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgekit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    verbose: Annotated[
        int,
        typer.Option(
            "-v",
            "--verbose",
            count=True,
            show_default=False,
            help="Log to stderr; -vv: frames too.",
        ),
    ] = 0,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s"
    )


def main() -> NoReturn:
    """Run the command line of this process."""
    _open_streams()
    sys.exit(run(sys.argv[1:]))


def _open_streams() -> None:
    """Make stdout and stderr take every text: a closed one takes all, others escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nothing = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
            setattr(sys, name, nothing)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; no exception leaves, but a bug's is shown."""
    if not argv:
        app(args=["--help"], prog_name="edgekit", standalone_mode=False)
        return ConfigError.exit_code
    as_json = "--json" in argv
    usage_error = typer.BadParameter.__mro__[1]
    _end_on_termination()
    try:
        code = app(args=list(argv), prog_name="edgekit", standalone_mode=False)
        sys.stdout.flush()
    except EdgekitError as error:
        if as_json:
            show_json(failure_json(error.kind, error.message, error.hint))
        complain_of(error)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except _Terminated:
        complain("terminated")
        return TERMINATED
    except Exception as error:
        if isinstance(error, usage_error):
            return _usage(error, as_json)
        if isinstance(error, OSError) and error.errno in _SURROUNDINGS:
            return _surroundings(error, as_json)
        return _bug(error, as_json)
    if code == INTERRUPTED:
        complain("interrupted; what was finished stays in the work directory")
    return code if isinstance(code, int) else 0


class _Terminated(BaseException):
    """SIGTERM arrived: unwind, so that context managers end their processes."""


def _end_on_termination() -> None:
    def handle(_signal: int, _frame: FrameType | None) -> None:
        raise _Terminated

    signal.signal(signal.SIGTERM, handle)


def _usage(error: Exception, as_json: bool) -> int:
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    hint = f"see `{context.command_path if context else 'edgekit'} --help`"
    if as_json:
        show_json(failure_json(ConfigError.kind, message, hint))
    complain(message, hint)
    return ConfigError.exit_code


def _surroundings(error: OSError, as_json: bool) -> int:
    where = f"{error.filename}: " if error.filename else ""
    message = f"{where}{os.strerror(error.errno or 0)}"
    hint = "make room, or choose another place with --work or TMPDIR"
    try:
        if as_json:
            show_json(failure_json(ConfigError.kind, message, hint))
        sys.stdout.flush()
    except OSError:  # it is standard output that is full: what it still holds goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    complain(message, hint)
    return ConfigError.exit_code


def _bug(error: Exception, as_json: bool) -> int:
    if as_json:
        show_json(failure_json(EdgekitError.kind, f"{type(error).__name__}: {error}"))
    traceback.print_exception(error, file=sys.stderr)
    return EdgekitError.exit_code


if __name__ == "__main__":
    main()
