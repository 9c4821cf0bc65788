"""External tools: where they are, which version, and what a missing one would enable."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass

from edgekit.errors import ToolError


@dataclass(frozen=True, slots=True)
class Tool:
    """A program edgekit calls; `wheel` names the Python package that can provide it instead."""

    name: str
    enables: str
    install: str
    version: tuple[str, ...] = ("--version",)
    wheel: str | None = None  # run as `python -m WHEEL`


TOOLS: tuple[Tool, ...] = (
    Tool(
        "arm-none-eabi-gcc",
        "smaller firmware for Cortex-M",
        "apt-get install gcc-arm-none-eabi",
    ),
    Tool(
        "riscv64-unknown-elf-gcc",
        "smaller firmware for RISC-V",
        "apt-get install gcc-riscv64-unknown-elf",
    ),
    Tool(
        "zig",
        "firmware builds from pip alone",
        "pip install 'edgekit[virtual]'",
        version=("version",),
        wheel="ziglang",
    ),
    Tool(
        "qemu-system-arm",
        "the second emulator (oracle) and Cortex-M55",
        "apt-get install qemu-system-arm",
    ),
    Tool("qemu-system-riscv32", "virtual RISC-V boards", "apt-get install qemu-system-misc"),
    Tool("openocd", "flashing through ST-LINK", "apt-get install openocd"),
    Tool(
        "pyocd",
        "flashing through CMSIS-DAP and ST-LINK",
        "pip install 'edgekit[flash]'",
        wheel="pyocd",
    ),
)


def tool(name: str) -> Tool:
    """Return the entry of TOOLS called `name` (KeyError is a bug)."""
    return {t.name: t for t in TOOLS}[name]


def find(name: str) -> tuple[str, ...] | None:
    """Return the argv prefix that starts tool `name`, or None when it is not installed."""
    entry = tool(name)
    if entry.wheel is not None and importlib.util.find_spec(entry.wheel) is not None:
        return (sys.executable, "-m", entry.wheel)
    path = shutil.which(name)
    return None if path is None else (path,)


def require(name: str) -> tuple[str, ...]:
    """Return the argv prefix of tool `name`; ToolError says how to install it."""
    found = find(name)
    if found is None:
        entry = tool(name)
        raise ToolError(
            f"{name} is not installed; it is needed for {entry.enables}", hint=entry.install
        )
    return found


def version(name: str) -> str | None:
    """Return the first line the tool prints of its version, or None when it cannot be run."""
    prefix = find(name)
    if prefix is None:
        return None
    try:
        done = subprocess.run(
            (*prefix, *tool(name).version),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = (done.stdout or done.stderr).strip()
    return text.splitlines()[0] if text and done.returncode == 0 else None
