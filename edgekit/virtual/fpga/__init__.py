"""FPGA designs in simulation: one network, its netlist, and whole boards behind a serial link.

Names are loaded on first use: the twin's own process needs few of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.virtual.fpga.bench import CoreRun as CoreRun
    from edgekit.virtual.fpga.bench import Cycles as Cycles
    from edgekit.virtual.fpga.bench import run_core as run_core
    from edgekit.virtual.fpga.compiled import Simulator as Simulator
    from edgekit.virtual.fpga.netlist import Netlist as Netlist
    from edgekit.virtual.fpga.netlist import parse as parse
    from edgekit.virtual.fpga.process import sources_in as sources_in
    from edgekit.virtual.fpga.process import start_fpga_twin as start_fpga_twin
    from edgekit.virtual.fpga.switching import NetlistRun as NetlistRun
    from edgekit.virtual.fpga.switching import run_netlist as run_netlist

_MODULES = {
    "CoreRun": "bench",
    "Cycles": "bench",
    "Netlist": "netlist",
    "NetlistRun": "switching",
    "Simulator": "compiled",
    "parse": "netlist",
    "run_core": "bench",
    "run_netlist": "switching",
    "sources_in": "process",
    "start_fpga_twin": "process",
}
__all__ = [
    "CoreRun",
    "Cycles",
    "Netlist",
    "NetlistRun",
    "Simulator",
    "parse",
    "run_core",
    "run_netlist",
    "sources_in",
    "start_fpga_twin",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"edgekit.virtual.fpga.{_MODULES[name]}")
    value: object = getattr(module, name)
    return value
