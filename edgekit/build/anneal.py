"""Logic cells of an iCE40 moved between tiles until wires are short and no tile reads too many.

Simulated annealing over the half perimeters of all nets (Kirkpatrick et al., 1983), seeded. A tile
that reads many different nets costs extra, quadratically; what a tile may hold at all is kept in
every move: eight cells, one set of clock, enable and reset for its flip-flops, 32 inputs.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Tile = tuple[int, int]

_CELLS_PER_TILE = 8
_LOCAL_WIRES = 32
_MOVES_PER_CELL = 400
_EASY = 15  # different nets that a tile reads free of charge
_PRICE = 0.4  # tiles of wire for the square of each further one
_FIRST_TEMPERATURE, _LAST_TEMPERATURE = 3.0, 0.01  # in tiles of wire
_FIRST_REACH, _LAST_REACH = 12, 2  # tiles
_WHOLE = 0.02  # share of moves that exchange all of two tiles


@dataclass(frozen=True, slots=True)
class Cell:
    """What a logic cell asks of its tile.

    `reads`: the nets that come over the tile's local wires; `controls`: clock, enable and reset,
    None without a flip-flop. `chain`: it belongs to a carry chain and keeps its place in the tile.
    """

    reads: tuple[int, ...]
    controls: tuple[int, ...] | None
    chain: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """Cells, where they are, and what ties them together.

    `nets` name cells; `anchors` are the further pins of a net, which stay. `still` are tiles that
    keep what they hold in chains: those of a chain over several tiles.
    """

    cells: Mapping[str, Cell]
    begin: Mapping[str, Tile]
    tiles: Sequence[Tile]
    nets: Sequence[tuple[str, ...]]
    anchors: Sequence[tuple[Tile, ...]]
    still: frozenset[Tile]


class _Room:
    """What a tile holds."""

    __slots__ = ("chained", "free", "inputs", "nets", "sets")

    def __init__(self) -> None:
        self.free: list[int] = []
        self.chained: list[int] = []
        self.nets: dict[int, int] = {}
        self.sets: dict[tuple[int, ...], int] = {}
        self.inputs = 0


class _Layout:
    """Where everything is while cells move; cells, nets and tiles are numbers."""

    def __init__(self, problem: Problem) -> None:
        self.names = list(problem.cells)
        self.cells = list(problem.cells.values())
        number = {name: index for index, name in enumerate(self.names)}
        self.tiles = list(problem.tiles)
        self.at = {tile: index for index, tile in enumerate(self.tiles)}
        self.rooms = [_Room() for _ in self.tiles]
        self.still = frozenset(self.at[tile] for tile in problem.still)
        self.where = [self.at[problem.begin[name]] for name in self.names]
        for cell, tile in enumerate(self.where):
            self._enter(cell, tile)
        self.nets = [tuple(number[name] for name in net) for net in problem.nets]
        self.boxes = [_box(pins) for pins in problem.anchors]
        self.of: list[list[int]] = [[] for _ in self.names]
        for index, net in enumerate(self.nets):
            for cell in net:
                self.of[cell].append(index)
        self.lengths = [self._length(index) for index in range(len(self.nets))]

    def _enter(self, cell: int, tile: int) -> None:
        room, wanted = self.rooms[tile], self.cells[cell]
        (room.chained if wanted.chain else room.free).append(cell)
        for net in wanted.reads:
            room.nets[net] = room.nets.get(net, 0) + 1
        room.inputs += len(wanted.reads)
        if wanted.controls is not None:
            room.sets[wanted.controls] = room.sets.get(wanted.controls, 0) + 1
        self.where[cell] = tile

    def _leave(self, cell: int) -> None:
        room, wanted = self.rooms[self.where[cell]], self.cells[cell]
        (room.chained if wanted.chain else room.free).remove(cell)
        for net in wanted.reads:
            if room.nets[net] == 1:
                del room.nets[net]
            else:
                room.nets[net] -= 1
        room.inputs -= len(wanted.reads)
        if wanted.controls is not None:
            if room.sets[wanted.controls] == 1:
                del room.sets[wanted.controls]
            else:
                room.sets[wanted.controls] -= 1

    def _length(self, index: int) -> int:
        low_x, high_x, low_y, high_y = self.boxes[index]
        tiles, where = self.tiles, self.where
        for cell in self.nets[index]:
            x, y = tiles[where[cell]]
            low_x = x if x < low_x else low_x
            high_x = x if x > high_x else high_x
            low_y = y if y < low_y else low_y
            high_y = y if y > high_y else high_y
        return high_x - low_x + high_y - low_y

    def legal(self, tile: int) -> bool:
        room = self.rooms[tile]
        return (
            len(room.free) + len(room.chained) <= _CELLS_PER_TILE
            and len(room.sets) <= 1
            and room.inputs <= _LOCAL_WIRES
        )

    def _crowded(self, tile: int) -> float:
        over = len(self.rooms[tile].nets) - _EASY
        return _PRICE * over * over if over > 0 else 0.0

    def attempt(self, moves: Sequence[tuple[int, int]], here: int, there: int, bar: float) -> None:
        """Move cells to tiles between `here` and `there`; undo it where it costs over `bar`."""
        before = self._crowded(here) + self._crowded(there)
        for cell, tile in moves:
            self._leave(cell)
            self._enter(cell, tile)
        if self.legal(here) and self.legal(there):
            worse = self._crowded(here) + self._crowded(there) - before
            touched = {net for cell, _ in moves for net in self.of[cell]}
            after = {net: self._length(net) for net in touched}
            worse += sum(after.values()) - sum([self.lengths[net] for net in touched])
            if worse <= bar:
                for net, length in after.items():
                    self.lengths[net] = length
                return
        for cell, tile in moves:
            self._leave(cell)
            self._enter(cell, here if tile == there else there)


def _box(pins: Iterable[Tile]) -> tuple[int, int, int, int]:
    xs, ys = [x for x, _ in pins], [y for _, y in pins]
    if not xs:
        return 99, -99, 99, -99
    return min(xs), max(xs), min(ys), max(ys)


def anneal(problem: Problem, seed: int) -> dict[str, Tile]:
    """Return the tile of each cell; the same seed gives the same."""
    layout, chance = _Layout(problem), random.Random(seed)
    free = [index for index, cell in enumerate(layout.cells) if not cell.chain]
    whole = [
        c
        for c, cell in enumerate(layout.cells)
        if cell.chain and layout.where[c] not in layout.still
    ]
    moves = _MOVES_PER_CELL * len(free)
    for move in range(moves):
        left = 1 - move / moves
        heat = (_FIRST_TEMPERATURE - _LAST_TEMPERATURE) * left * left + _LAST_TEMPERATURE
        reach = max(int(_FIRST_REACH * left), _LAST_REACH)
        bar = -heat * math.log(1 - chance.random())
        exchange = bool(whole) and chance.random() < _WHOLE
        cells = whole if exchange else free
        cell = cells[int(chance.random() * len(cells))]
        here = layout.where[cell]
        x, y = layout.tiles[here]
        there = layout.at.get(
            (x + chance.randint(-reach, reach), y + chance.randint(-reach, reach))
        )
        if there is None or there == here:
            continue
        if exchange:
            if there not in layout.still:
                layout.attempt(_all(layout, here, there), here, there, bar)
            continue
        moved = [(cell, there)]
        room = layout.rooms[there]
        crowd = len(room.free) + len(room.chained)
        if room.free and int(chance.random() * 8) < crowd:
            moved.append((room.free[int(chance.random() * len(room.free))], here))
        layout.attempt(moved, here, there, bar)
    return {name: layout.tiles[tile] for name, tile in zip(layout.names, layout.where, strict=True)}


def _all(layout: _Layout, here: int, there: int) -> list[tuple[int, int]]:
    one, other = layout.rooms[here], layout.rooms[there]
    return [
        *((cell, there) for cell in (*one.free, *one.chained)),
        *((cell, here) for cell in (*other.free, *other.chained)),
    ]
