"""How many pins a net of an iCE40 netlist reaches through routing: what its toggles weigh.

The weights that the power model was fitted with (docs/fpga/power.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

_CONTROL = frozenset({"E", "R", "S"})
_CELLS_OF_A_TILE = 8  # which share a control pin
_CLOCKS = frozenset({"C", "CLK", "RCLK", "WCLK", "CLOCK"})


def routed_pins(module: Mapping[str, Any]) -> dict[int, float]:
    """Return the weight of each net (bit number of yosys' JSON) of a flat iCE40 `module`.

    A carry goes to its neighbour, and a LUT that drives only a D input to the flip-flop of its
    own cell: both weigh 0. Clock nets are left out.
    """
    cells: Mapping[str, Mapping[str, Any]] = module["cells"]
    drivers = _drivers(cells)
    fanout: Counter[int] = Counter()
    weights: dict[int, float] = {}
    carried: Counter[int] = Counter()  # pins of carries, which a LUT beside them may share
    looked_up: set[int] = set()
    packed: list[int] = []
    for cell in cells.values():
        for pin, bit in _inputs(cell):
            fanout[bit] += 1
            kind, driver = cell["type"], drivers.get(bit, "")
            if driver == "SB_CARRY":
                continue
            if kind == "SB_CARRY":
                carried[bit] += 1
                continue
            if kind.startswith("SB_DFF") and pin == "D" and driver == "SB_LUT4":
                packed.append(bit)
            if kind == "SB_LUT4":
                looked_up.add(bit)
            share = 1 / _CELLS_OF_A_TILE if pin in _CONTROL else 1.0
            weights[bit] = weights.get(bit, 0.0) + share
    for bit, count in carried.items():
        if bit not in looked_up:
            weights[bit] = weights.get(bit, 0.0) + count
    for bit in packed:
        if fanout[bit] == 1:
            weights[bit] = 0.0
    return weights


def _drivers(cells: Mapping[str, Mapping[str, Any]]) -> dict[int, str]:
    found: dict[int, str] = {}
    for cell in cells.values():
        for pin, bits in cell["connections"].items():
            if cell["port_directions"].get(pin) == "output":
                found.update({bit: cell["type"] for bit in bits if isinstance(bit, int)})
    return found


def _inputs(cell: Mapping[str, Any]) -> list[tuple[str, int]]:
    return [
        (pin, bit)
        for pin, bits in cell["connections"].items()
        if cell["port_directions"].get(pin) == "input" and pin not in _CLOCKS
        for bit in bits
        if isinstance(bit, int)
    ]
