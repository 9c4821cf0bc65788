"""Starts the official MLPerf Tiny runner, unmodified, on one pseudo-terminal.

`python runner_harness.py RUNNER_FOLDER TTY [the runner's own options]`, by an interpreter that has
the packages the runner imports. Nothing of it is changed but what the operating system reports: one
serial port, which is `TTY` with the USB identity of a NUCLEO-L4R5ZI, and no other USB device.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import serial.tools.list_ports
import usb.core

ST_LINK = {"vid": 0x0483, "pid": 0x374B}


def main(folder: Path, tty: str, options: list[str]) -> None:
    """Run `main.py` of the folder with `options`."""
    port = SimpleNamespace(device=tty, description="virtual board", **ST_LINK)
    serial.tools.list_ports.comports = lambda include_links=False: [port]
    usb.core.find = lambda **_what: []
    sys.path.insert(0, str(folder))
    sys.argv = [str(folder / "main.py"), *options]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
