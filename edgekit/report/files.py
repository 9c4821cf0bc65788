"""The report's files in the work directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from edgekit.report import html, json_form, junit
from edgekit.report.types import Report

_FORMS: Mapping[str, Callable[[Report], str]] = {
    "report.json": json_form.dumps,
    "report.html": html.render,
    "junit.xml": junit.to_xml,
}


def write(
    report: Report, directory: Path, names: Iterable[str] = tuple(_FORMS)
) -> tuple[Path, ...]:
    """Write report.json, report.html and junit.xml; each appears whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in names:
        form = _FORMS[name]
        path = directory / name
        partial = directory / f".{name}.{os.getpid()}"
        try:
            # A file name need not be text: what is none of it is escaped, in JSON reversibly.
            partial.write_text(form(report), encoding="utf-8", errors="backslashreplace")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        paths.append(path)
    return tuple(paths)
