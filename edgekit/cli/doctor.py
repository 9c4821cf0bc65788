"""What is installed, attached and missing, and what each missing thing would enable."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import __version__, config
from edgekit.build import tools
from edgekit.errors import EdgekitError

if TYPE_CHECKING:
    from rich.console import RenderableType

# Python packages that add something, in the order in which they are shown.
_PACKAGES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("tflite-runtime", "ai-edge-litert"), "equality with the TFLite reference", "tflite"),
    (("onnxruntime",), "equality with onnxruntime", "onnx"),
    (("unicorn",), "virtual boards", "virtual"),
    (("capstone",), "cycle counts on virtual boards", "virtual"),
    (("pyelftools",), "virtual boards", "virtual"),
    (("torch",), "training and fine-tuning", "train"),
    (("scikit-learn",), "the digits data set", "train"),
    (("qonnx",), "equality with QONNX models", "train"),
    (("brevitas",), "modules built of Brevitas layers", "train"),
    (("h5py",), "Larq and QKeras files", "larq"),
)
# USB identities of meters with a driver: (vendor, product) -> scheme of --meter.
_METERS: Mapping[tuple[int, int], str] = {(0x1915, 0xC00A): "ppk2"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One tool or package; `version` None: missing."""

    name: str
    version: str | None
    enables: str
    install: str


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A serial port with what it seems to be."""

    device: str
    usb: str  # VID:PID:SERIAL, empty for a port that is not on USB
    description: str
    seems: str  # "board NAME", "meter SCHEME" or empty


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was looked at."""

    version: str
    python: str
    system: str
    config_file: str | None
    config_error: str | None
    tools: tuple[Finding, ...]
    packages: tuple[Finding, ...]
    ports: tuple[SerialPort, ...]


def examine(directory: Path) -> Findings:
    """Look at tools, packages, ports and the project file seen from `directory`."""
    found, problem = config.find(directory), None
    if found is not None:
        try:
            config.load(found)
        except EdgekitError as error:
            problem = f"{error.message}; {error.hint}"
    return Findings(
        version=__version__,
        python=f"{platform.python_version()} at {sys.executable}",
        system=f"{platform.system()} {platform.machine()}",
        config_file=None if found is None else str(found),
        config_error=problem,
        tools=tuple(
            Finding(t.name, tools.version(t.name), t.enables, t.install) for t in tools.TOOLS
        ),
        packages=tuple(_package(*row) for row in _PACKAGES),
        ports=_ports(),
    )


def _package(names: tuple[str, ...], enables: str, extra: str) -> Finding:
    for name in names:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        return Finding(name, version, enables, "")
    return Finding(names[0], None, enables, f"pip install 'edgekit[{extra}]'")


def _ports() -> tuple[SerialPort, ...]:
    from serial.tools import list_ports

    from edgekit import board as boards

    boards_of: dict[tuple[int, int], list[str]] = {}  # boards with the same probe share them
    for name in boards.names():
        usb = boards.find(name).link.usb
        if usb is not None:
            boards_of.setdefault((usb.vid, usb.pid), []).append(name)
    known = {key: f"board {' or '.join(names)}" for key, names in boards_of.items()}
    known.update({key: f"meter {scheme}" for key, scheme in _METERS.items()})
    rows = []
    for port in sorted(list_ports.comports(), key=lambda p: p.device):
        if port.vid is None and port.hwid == "n/a":
            continue  # a legacy port of the mainboard: listed whether or not it is wired
        usb_words = ""
        if port.vid is not None:
            usb_words = f"{port.vid:04x}:{port.pid:04x}:{port.serial_number or ''}"
        seems = known.get((port.vid, port.pid), "")
        rows.append(SerialPort(port.device, usb_words, port.description or "", seems))
    return tuple(rows)


def to_json(findings: Findings) -> dict[str, Any]:
    """Return the findings as one object; a missing tool has version null."""
    body = dataclasses.asdict(findings)
    return {"schema": 1, **body}


def renderable(findings: Findings) -> RenderableType:
    """Return the findings as tables."""
    from rich.console import Group
    from rich.text import Text

    from edgekit.report.printable import printable

    lines = [
        f"edgekit {findings.version}, Python {findings.python}, {findings.system}",
        f"project file: {findings.config_file or 'none found from here upwards'}",
    ]
    if findings.config_error is not None:
        lines.append(f"  which is wrong: {findings.config_error}")
    parts: list[RenderableType] = [Text(printable(line)) for line in lines]
    parts.append(_findings("tool", findings.tools))
    parts.append(_findings("Python package", findings.packages))
    if findings.ports:
        parts.append(_port_table(findings.ports))
    else:
        parts.append(Text("no serial port: no board is attached, only virtual ones can run"))
    if not any(port.seems.startswith("meter") for port in findings.ports):
        parts.append(Text("no meter is attached: without one, power is modelled, never measured"))
    return Group(*parts)


def _findings(title: str, rows: tuple[Finding, ...]) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in (title, "version", "enables", "to install"):
        table.add_column(column, overflow="fold")
    for row in rows:
        missing = row.version is None
        state = Text("missing", style="yellow") if missing else Text(row.version or "")
        table.add_row(Text(row.name), state, row.enables, Text(row.install if missing else ""))
    return table


def _port_table(rows: tuple[SerialPort, ...]) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from edgekit.report.printable import printable

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("serial port", "USB", "description", "seems to be"):
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = (row.device, row.usb, row.description, row.seems)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table
