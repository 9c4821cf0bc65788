"""How many pins a net of an iCE40 netlist reaches through routing: what its toggles weigh.

The weights that the power model was fitted with (docs/fpga/power.md).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

_CONTROL = frozenset({"E", "R", "S"})
_CELLS_OF_A_TILE = 8  # which share a control pin
_CLOCKS = frozenset({"C", "CLK", "RCLK", "WCLK", "CLOCK"})
_OUTPUTS = frozenset(
    [
        "O",
        "CO",
        "Q",
        "RDATA",
        "DATAOUT",
        "GLOBAL_BUFFER_OUTPUT",
        "D_IN_0",
        "D_IN_1",
        "ACCUMCO",
        "SIGNEXTOUT",
        "CLKHF",
        "CLKLF",
    ]
)


def routed_pins(module: Mapping[str, Any]) -> dict[int, float]:
    """Return the weight of each net (bit number of yosys' JSON) of a flat iCE40 `module`.

    A carry goes to its neighbour, and a LUT that drives only a D input to the flip-flop of its
    own cell: both weigh 0. Clock nets are left out.
    """
    cells: Mapping[str, Mapping[str, Any]] = module["cells"]
    drivers = {bit: kind for kind, pin, bit in _pins(cells) if pin in _OUTPUTS}
    sinks: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
    for kind, pin, bit in _pins(cells):
        if pin not in _OUTPUTS and pin not in _CLOCKS:
            sinks[bit][kind, pin] += 1
    return {bit: _weight(drivers.get(bit, ""), found) for bit, found in sinks.items()}


def _pins(cells: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """Yield (kind of cell, pin, bit) of everything that is connected to a net."""
    for cell in cells.values():
        for pin, bits in cell["connections"].items():
            for bit in bits:
                if isinstance(bit, int):
                    yield cell["type"], pin, bit


def _weight(driver: str, sinks: Mapping[tuple[str, str], int]) -> float:
    if driver == "SB_CARRY":
        return 0.0
    if driver == "SB_LUT4" and sum(sinks.values()) == 1:
        ((kind, pin),) = sinks
        if kind.startswith("SB_DFF") and pin == "D":
            return 0.0
    # A carry shares the pins of the LUT beside it.
    shared = any(kind == "SB_LUT4" for kind, _ in sinks)
    return sum(
        count / _CELLS_OF_A_TILE if pin in _CONTROL else float(count)
        for (kind, pin), count in sinks.items()
        if not (kind == "SB_CARRY" and shared)
    )
