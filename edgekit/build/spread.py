"""Room between the cells of a look-up-table network on the iCE40 UP5K, so that it routes.

A tile of iCE40 holds eight cells and 32 local wires. Eight 4-input tables that share no input need
all 32, which no router finds a way for; nextpnr fills tiles all the same, as that keeps wires
short. Here its placement is taken apart again: logic cells move to tiles that read fewer different
nets (build/anneal.py), and are pinned there in the netlist (attribute BEL) for a second run, which
routes. Carry chains keep their order, so each of their cells needs a counterpart in the netlist:
build/carry.py.

The wire that a pinned cell drives may be reserved for its net (attribute ROUTING): the router2 of
nextpnr 0.4 else leads other nets through tables that are in use, and never gives that up.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.build import carry
from edgekit.build.anneal import Cell, Problem, Tile, anneal
from edgekit.errors import ToolError

_CELLS_PER_TILE = 8
_COLUMNS = (*range(1, 6), *range(7, 19), *range(20, 25))  # of logic on the UP5K
_ROWS = range(1, 31)
_CLOCKS = {"CLK", "RCLK", "WCLK", "CLOCK"}
_WIDEST = 64  # pins; wider nets are everywhere
_RESERVED = 3  # nextpnr's STRENGTH_PLACER: for the net alone, but bound anew

Netlist = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A placed netlist: where each logic cell is, and which of the netlist's it was made of."""

    cells: Mapping[str, Any]
    original: Mapping[str, str]
    tile: Mapping[str, Tile]
    slot: Mapping[str, int]
    chains: tuple[frozenset[str], ...]
    loose: frozenset[str]  # logic cells that cannot be pinned

    def closed(self) -> set[Tile]:
        """Return the tiles that are left to cells that cannot be pinned."""
        chained = {name for chain in self.chains for name in chain}
        return {self.tile[name] for name in self.loose & chained}


def tabled(netlist: Path, target: Path) -> None:
    """Write `netlist` of yosys with a table beside each carry; raise ToolError if it is none."""
    try:
        design = json.loads(netlist.read_text(encoding="utf-8"))
        top = _top(design)
        top["cells"] = carry.tabled(top["cells"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ToolError(
            f"{netlist} is no netlist: {type(exc).__name__} {exc}",
            hint="see the log of yosys beside it",
        ) from exc
    target.write_text(json.dumps(design), encoding="utf-8")


def spread(
    netlist: Path, placed: Path, target: Path, seed: int = 1, *, reserved: bool = True
) -> int:
    """Write `netlist` with its logic cells pinned; return the most nets that a tile reads.

    Args:
        netlist: JSON of yosys for iCE40, one module, from `tabled`.
        placed: JSON that nextpnr-ice40 wrote of it after placement (`--no-route --write`).
        target: what the second run of nextpnr reads.
        seed: another one gives another arrangement.
        reserved: keep the wire that a cell drives for its net, which later routers do unasked.

    Raises ToolError where a file is not what the tool should have written.
    """
    try:
        design = json.loads(netlist.read_text(encoding="utf-8"))
        top = _top(design)
        module = _top(json.loads(placed.read_text(encoding="utf-8")))
        found = _read(module["cells"], top["cells"])
        problem = _problem(found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ToolError(
            f"{placed} is no placement of {netlist}: {type(exc).__name__} {exc}",
            hint="see the logs of yosys and nextpnr beside it",
        ) from exc
    at = anneal(problem, seed)
    slots = _pin(top, found, at)
    if reserved:
        _reserve(top, found, at, slots)
    target.write_text(json.dumps(design), encoding="utf-8")
    reads: dict[Tile, set[int]] = defaultdict(set)
    for name, tile in at.items():
        reads[tile].update(problem.cells[name].reads)
    return max(map(len, reads.values()), default=0)


def _top(design: Netlist) -> Netlist:
    """Return the module that is no library cell."""
    modules = design["modules"].values()
    (top,) = [m for m in modules if "top" in m.get("attributes", {})] or list(modules)
    return top  # type: ignore[no-any-return]


def _read(cells: Mapping[str, Any], originals: Mapping[str, Any]) -> _Placed:
    tile: dict[str, Tile] = {}
    slot: dict[str, int] = {}
    for name, cell in cells.items():
        bel = cell["attributes"].get("NEXTPNR_BEL")
        if bel is not None:
            x, y, place = bel.split("/")
            tile[name] = int(x[1:]), int(y[1:])
            if cell["type"] == "ICESTORM_LC":
                slot[name] = int(place.removeprefix("lc"))
    chains = _chains({name: cells[name] for name in slot})
    original = {
        name: made
        for name in slot
        if (made := name.removesuffix("_LC").removesuffix("_DFFLC")) in originals
    }
    lost = {name for chain in chains if not chain <= original.keys() for name in chain}
    closed = {tile[name] for name in lost}
    loose = lost | {name for name in slot if name not in original or tile[name] in closed}
    return _Placed(cells, original, tile, slot, chains, frozenset(loose))


def _bit(cell: Mapping[str, Any], port: str) -> int | None:
    bits = cell["connections"].get(port)
    return bits[0] if bits else None


def _chains(cells: Mapping[str, Any]) -> tuple[frozenset[str], ...]:
    """Return the logic cells that each carry chain runs through, from its first to its last."""
    after: dict[str, str] = {}
    driver = {_bit(cell, "COUT"): name for name, cell in cells.items()}
    driver.pop(None, None)
    for name, cell in cells.items():
        for port in ("CIN", "I3"):
            if _bit(cell, port) in driver:
                after[driver[_bit(cell, port)]] = name
    later = set(after.values())
    firsts = [name for name, cell in cells.items() if _carries(cell) and name not in later]
    return tuple(frozenset(_along(first, after)) for first in firsts)


def _carries(cell: Mapping[str, Any]) -> bool:
    return int(cell["parameters"]["CARRY_ENABLE"], 2) == 1


def _along(name: str | None, after: Mapping[str, str]) -> Iterator[str]:
    while name is not None:
        yield name
        name = after.get(name)


def _problem(placed: _Placed) -> Problem:
    free = {_bit(c, "GLOBAL_BUFFER_OUTPUT") for c in placed.cells.values() if c["type"] == "SB_GB"}
    chained = {name for chain in placed.chains for name in chain}
    inside = {_bit(placed.cells[name], "COUT") for name in chained}  # wires of chains
    movable = {name: placed.cells[name] for name in placed.slot if name not in placed.loose}
    cells = {
        name: Cell(_reads(cell, free | inside), _controls(cell), name in chained)
        for name, cell in movable.items()
    }
    closed = placed.closed()
    tiles = [(x, y) for x in _COLUMNS for y in _ROWS if (x, y) not in closed]
    nets = [net for net in _nets(placed, free) if any(name in cells for name in net)]
    wide = [chain for chain in placed.chains if len({placed.tile[name] for name in chain}) > 1]
    return Problem(
        cells=cells,
        begin={name: placed.tile[name] for name in cells},
        tiles=tiles,
        nets=[tuple(name for name in net if name in cells) for net in nets],
        anchors=[tuple(placed.tile[name] for name in net if name not in cells) for net in nets],
        still=frozenset({placed.tile[name] for chain in wide for name in chain} - closed),
    )


def _reads(cell: Mapping[str, Any], elsewhere: set[int | None]) -> tuple[int, ...]:
    """Return the nets that come over local wires: inputs, and controls that are not global."""
    ports = ("I0", "I1", "I2", "I3", *(("CEN", "SR") if _controls(cell) else ()))
    bits = (_bit(cell, port) for port in ports)
    return tuple(bit for bit in bits if bit is not None and bit not in elsewhere)


def _controls(cell: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Return what all flip-flops of a tile share; None for a cell without one."""
    if int(cell["parameters"]["DFF_ENABLE"], 2) == 0:
        return None
    wires = (_bit(cell, port) or 0 for port in ("CLK", "CEN", "SR"))
    return (*wires, int(cell["parameters"].get("NEG_CLK", "0"), 2))


def _nets(placed: _Placed, free: set[int | None]) -> list[tuple[str, ...]]:
    pins: dict[int, dict[str, None]] = defaultdict(dict)
    for name in placed.tile:
        for port, bits in placed.cells[name]["connections"].items():
            for bit in () if port in _CLOCKS else bits:
                if bit not in free:
                    pins[bit][name] = None
    return [tuple(names) for names in pins.values() if 1 < len(names) <= _WIDEST]


def _pin(top: Netlist, placed: _Placed, at: Mapping[str, Tile]) -> dict[str, int]:
    """Write where cells are into the netlist, and return their places within a tile.

    Chains keep theirs.
    """
    slots: dict[str, int] = {}
    chained = {name for chain in placed.chains for name in chain}
    within: dict[Tile, list[str]] = defaultdict(list)
    for name, tile in at.items():
        within[tile].append(name)
    cells = top["cells"]
    for (x, y), names in within.items():
        taken = {placed.slot[name] for name in names if name in chained}
        empty = [slot for slot in range(_CELLS_PER_TILE) if slot not in taken]
        for name in sorted(names):
            slot = placed.slot[name] if name in chained else empty.pop()
            attributes = cells[placed.original[name]].setdefault("attributes", {})
            attributes["BEL"] = f"X{x}/Y{y}/lc{slot}"
            slots[name] = slot
    return slots


def _reserve(
    top: Netlist, placed: _Placed, at: Mapping[str, Tile], slots: Mapping[str, int]
) -> None:
    """Keep the wires that pinned cells drive for their nets."""
    cells = top["cells"]
    held = {c["connections"]["D"][0]: c for c in cells.values() if c["connections"].get("D")}
    for name, slot in slots.items():
        cell, packed, (x, y) = cells[placed.original[name]], placed.cells[name], at[name]
        if _controls(packed) and cell["type"] == "SB_LUT4":
            cell = held[cell["connections"]["O"][0]]
        driven = cell["connections"].get("Q") or cell["connections"].get("O")
        if driven and _bit(packed, "O") is not None:
            wire = f"X{x}/Y{y}/lutff_{slot}:out;;{_RESERVED}"
            top["netnames"][f"$out${x}${y}${slot}"] = {
                "hide_name": 1,
                "bits": driven,
                "attributes": {"ROUTING": wire},
            }
