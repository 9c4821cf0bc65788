"""Room between the cells of a look-up-table network on the iCE40 UP5K, so that it routes.

A tile of iCE40 holds eight cells and 32 local wires. Eight 4-input tables that share no input need
all 32, which no router finds a way for; nextpnr fills tiles all the same, as that keeps wires
short. Here its placement is taken apart again: tables and their flip-flops move to tiles of their
own choice, a few to each, near the cells that they are wired to, and are pinned there in the
netlist (attribute BEL) for a second run, which places the rest and routes.

Simulated annealing over the half perimeters of all nets (Kirkpatrick et al., 1983), seeded.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import DoesNotFitError, ToolError

_CELLS_PER_TILE = 8
_MOST_PER_TILE = 7
_FEWEST_PER_TILE = 4
_SLACK = 1.1  # tiles for so many times the cells
_MOVES_PER_CELL = 150
_COLUMNS = (*range(1, 6), *range(7, 19), *range(20, 25))  # of logic on the UP5K
_ROWS = range(1, 31)
_CLOCKS = {"CLK", "RCLK", "WCLK"}
_WIDEST = 200  # pins; wider nets are global or everywhere
_FIRST_TEMPERATURE, _LAST_TEMPERATURE = 3.0, 0.01  # in tiles of wire
_FIRST_REACH, _LAST_REACH = 12, 2  # tiles

Tile = tuple[int, int]
Netlist = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A placed netlist: where each cell is, and which of its logic cells may move."""

    tile: Mapping[str, Tile]
    closed: frozenset[Tile]  # left to carry chains and to flip-flops of other controls
    movable: Mapping[str, str]  # logic cell -> its cell in the netlist
    nets: tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class _Layout:
    """Where everything is while cells move."""

    placed: _Placed
    room: Mapping[Tile, int]
    tile: dict[str, Tile]
    within: dict[Tile, list[str]] = field(default_factory=lambda: defaultdict(list))


def spread(netlist: Path, placed: Path, target: Path) -> int:
    """Write `netlist` with its tables pinned to half-empty tiles; return how many tables share one.

    Args:
        netlist: JSON of yosys for iCE40, one module.
        placed: JSON that nextpnr-ice40 wrote of it after placement (`--no-route --write`).
        target: what the second run of nextpnr reads.

    Raises ToolError where a file is not what the tool should have written, and DoesNotFitError
    where tiles would have to be full.
    """
    try:
        design = json.loads(netlist.read_text(encoding="utf-8"))
        cells = _top(design)["cells"]
        found = _read(_top(json.loads(placed.read_text(encoding="utf-8")))["cells"], cells)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ToolError(
            f"{placed} is no placement of {netlist}: {type(exc).__name__} {exc}",
            hint="see the logs of yosys and nextpnr beside it",
        ) from exc
    share = _share(found)
    layout = _begin(found, share)
    _anneal(layout)
    for tile, names in layout.within.items():
        for slot, name in enumerate(sorted(names)):
            attributes = cells[found.movable[name]].setdefault("attributes", {})
            attributes["BEL"] = f"X{tile[0]}/Y{tile[1]}/lc{slot}"
    target.write_text(json.dumps(design), encoding="utf-8")
    return share


def _top(design: Netlist) -> Netlist:
    """Return the module that is no library cell."""
    modules = design["modules"].values()
    (top,) = [m for m in modules if "top" in m.get("attributes", {})] or list(modules)
    return dict(top)


def _read(cells: Mapping[str, Any], originals: Mapping[str, Any]) -> _Placed:
    tile: dict[str, Tile] = {}
    carrying: set[Tile] = set()
    others: Counter[Tile] = Counter()
    movable: dict[str, str] = {}
    common = _common_controls(cells)
    for name, cell in cells.items():
        bel = cell["attributes"].get("NEXTPNR_BEL")
        if bel is None:
            continue
        x, y, _ = bel.split("/")
        tile[name] = int(x[1:]), int(y[1:])
        if cell["type"] != "ICESTORM_LC":
            continue
        original = name.removesuffix("_LC").removesuffix("_DFFLC")
        if original in originals and _alone(cell) and _controls(cell) in (None, common):
            movable[name] = original
        elif not _alone(cell):
            carrying.add(tile[name])
        elif _controls(cell) not in (None, common):
            others[tile[name]] += 1
    closed = carrying | _fullest(others, carrying)
    return _Placed(tile, frozenset(closed), movable, _nets(cells, tile))


def _fullest(others: Counter[Tile], carrying: set[Tile]) -> set[Tile]:
    """Return as many tiles as the cells of `others` need, those that hold most of them first."""
    wanted = math.ceil(others.total() * _SLACK / _CELLS_PER_TILE)
    tiles = sorted(others.keys() - carrying, key=lambda tile: (-others[tile], tile))
    return set(tiles[:wanted])


def _alone(cell: Mapping[str, Any]) -> bool:
    wired = cell["connections"]
    carries = wired.get("CIN") or wired.get("COUT")
    return not carries and int(cell["parameters"]["CARRY_ENABLE"], 2) == 0


def _controls(cell: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return what all flip-flops of a tile share; None for a cell without one."""
    if int(cell["parameters"]["DFF_ENABLE"], 2) == 0:
        return None
    return tuple(tuple(cell["connections"].get(port, ())) for port in ("CLK", "CEN", "SR"))


def _common_controls(cells: Mapping[str, Any]) -> tuple[Any, ...] | None:
    found = Counter(_controls(c) for c in cells.values() if c["type"] == "ICESTORM_LC")
    found.pop(None, None)
    return found.most_common(1)[0][0] if found else None


def _nets(cells: Mapping[str, Any], tile: Mapping[str, Tile]) -> tuple[tuple[str, ...], ...]:
    pins: dict[int, dict[str, None]] = defaultdict(dict)
    for name, cell in cells.items():
        if name not in tile:
            continue
        for port, bits in cell["connections"].items():
            for bit in () if port in _CLOCKS else bits:
                pins[bit][name] = None
    return tuple(tuple(names) for names in pins.values() if 1 < len(names) <= _WIDEST)


def _columns(placed: _Placed) -> list[list[Tile]]:
    """Return the tiles that may take cells, by column."""
    return [[(x, y) for y in _ROWS if (x, y) not in placed.closed] for x in _COLUMNS]


def _share(placed: _Placed) -> int:
    """Return the fewest cells to a tile with which all find room.

    Raises DoesNotFitError where they do not.
    """
    tiles = sum(map(len, _columns(placed)))
    for share in range(_FEWEST_PER_TILE, _MOST_PER_TILE + 1):
        if tiles * share >= len(placed.movable) * _SLACK:
            return share
    raise DoesNotFitError(
        f"{len(placed.movable):,} tables do not fit {tiles} tiles, {_MOST_PER_TILE} to each: full "
        "tiles cannot be wired",
        hint="make the network smaller, or its inputs fewer",
    )


def _begin(placed: _Placed, share: int) -> _Layout:
    """Stretch the placement over all tiles: the cells keep their order from left to right."""
    chance = random.Random(1)
    columns = _columns(placed)
    room = {tile: share for column in columns for tile in column}
    layout = _Layout(placed, room, dict(placed.tile))
    jitter = {name: chance.random() for name in placed.movable}
    waiting = sorted(placed.movable, key=lambda n: (placed.tile[n][0] + jitter[n], n))
    left = sum(room.values())
    for column in columns:
        seats = [tile for tile in column for _ in range(room[tile])]
        count = -(-len(waiting) * len(seats) // max(left, 1))
        left -= len(seats)
        part, waiting = waiting[:count], waiting[count:]
        part.sort(key=lambda n: (placed.tile[n][1] + jitter[n], n))
        for place, name in enumerate(part):
            tile = seats[(2 * place + 1) * len(seats) // (2 * len(part))]
            layout.tile[name] = tile
            layout.within[tile].append(name)
    return layout


def _anneal(layout: _Layout) -> None:
    """Move cells, or swap two, until the nets are short; worse moves pass less and less often."""
    chance = random.Random(2)
    names, nets = list(layout.placed.movable), layout.placed.nets
    of: dict[str, list[int]] = defaultdict(list)
    for index, net in enumerate(nets):
        for name in net:
            of[name].append(index)
    lengths = [_length(layout, net) for net in nets]
    moves = _MOVES_PER_CELL * len(names)
    for move in range(moves):
        left = 1 - move / moves
        heat = (_FIRST_TEMPERATURE - _LAST_TEMPERATURE) * left * left + _LAST_TEMPERATURE
        reach = max(int(_FIRST_REACH * left), _LAST_REACH)
        name = names[chance.randrange(len(names))]
        here = layout.tile[name]
        there = (here[0] + chance.randint(-reach, reach), here[1] + chance.randint(-reach, reach))
        if there == here or there not in layout.room:
            continue
        crowd = layout.within[there]
        other = chance.choice(crowd) if len(crowd) >= layout.room[there] else None
        touched = {*of[name], *(of[other] if other is not None else ())}
        _exchange(layout, name, here, other, there)
        after = {index: _length(layout, nets[index]) for index in touched}
        worse = sum(after.values()) - sum(lengths[index] for index in touched)
        if worse <= 0 or chance.random() < math.exp(-worse / heat):
            for index, length in after.items():
                lengths[index] = length
        else:
            _exchange(layout, name, there, other, here)


def _length(layout: _Layout, net: Iterable[str]) -> int:
    tiles = [layout.tile[name] for name in net]
    xs, ys = [x for x, _ in tiles], [y for _, y in tiles]
    return max(xs) - min(xs) + max(ys) - min(ys)


def _exchange(layout: _Layout, name: str, here: Tile, other: str | None, there: Tile) -> None:
    """Move `name` from `here` to `there`, and `other`, if any, the other way."""
    for moved, source, target in ((name, here, there), (other, there, here)):
        if moved is not None:
            layout.within[source].remove(moved)
            layout.within[target].append(moved)
            layout.tile[moved] = target
