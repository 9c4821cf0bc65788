"""The clocks of a folded design: each unit's valid and ready, clock by clock, without its data.

The classes repeat, register for register, what decides when a block of fpga/rtl takes and gives a
word. No unit's timing depends on data, so what comes out are exact numbers for any input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, assert_never

from edgekit.target.fpga.folded.units import (
    Compare,
    Gather,
    Pool,
    Product,
    Resize,
    Search,
    Unit,
    Windows,
)

STILL = 1 << 60  # clocks: nothing moves until a neighbour does


class Stage(Protocol):
    """A unit's handshake: `valid` is what it shows after the last clock."""

    valid: bool

    def ready(self, out_ready: bool) -> bool:
        """Say whether a word is taken in this clock, if there is one."""
        ...

    def clock(self, take: bool, out_ready: bool) -> int:
        """Go on by a clock; return how many more will be like it while the neighbours' are.

        STILL where nothing moved.
        """
        ...

    def skip(self, count: int) -> None:
        """Go on by so many clocks like the last."""
        ...


class _Simple:
    __slots__ = ()

    def skip(self, count: int) -> None:
        raise AssertionError(f"{count} clocks are never alike")


class _Wider(_Simple):
    __slots__ = ("count", "parts", "valid")

    def __init__(self, parts: int) -> None:
        self.parts, self.count, self.valid = parts, 0, False

    def ready(self, out_ready: bool) -> bool:
        return not self.valid or out_ready

    def clock(self, take: bool, out_ready: bool) -> int:
        moved = take or (self.valid and out_ready)
        if out_ready:
            self.valid = False
        if take:
            self.count += 1
            if self.count == self.parts:
                self.count, self.valid = 0, True
        return 0 if moved else STILL


class _Narrower(_Simple):
    __slots__ = ("left", "parts", "valid")

    def __init__(self, parts: int) -> None:
        self.parts, self.left, self.valid = parts, 0, False

    def ready(self, out_ready: bool) -> bool:
        return not self.valid or (out_ready and self.left == 1)

    def clock(self, take: bool, out_ready: bool) -> int:
        if take:
            self.left = self.parts
        elif self.valid and out_ready:
            self.left -= 1
        else:
            return STILL
        self.valid = self.left > 0
        return 0


class _Windows:
    __slots__ = (
        *("beat", "beats", "beyond", "images", "lead", "most", "moves", "offset"),
        *("place", "places", "room", "span", "start", "total", "valid", "width", "written"),
    )

    def __init__(self, unit: Windows) -> None:
        self.beats, self.moves, self.total = unit.beats, unit.moves, unit.total
        self.width, self.places = unit.window.out_width, unit.window.places
        self.room = unit.depth - unit.least
        self.lead = -(unit.start + unit.span)
        self.beyond = unit.beyond
        self.beat = self.place = self.images = self.written = 0
        self.span, self.most = unit.span, 0
        self.start = self.offset = unit.start
        self.valid = False

    def ready(self, out_ready: bool) -> bool:  # noqa: ARG002
        return self.lead < self.room

    def clock(self, take: bool, out_ready: bool) -> int:
        step = (self.lead >= 0 or self.images > 0) and (not self.valid or out_ready)
        moved = step or take or (self.valid and out_ready)
        steady = self.valid and step and not take
        if take:
            self.lead += 1
            self.written += 1
            if self.written == self.total:
                self.written = 0
                self.images += self.beyond
        if step:
            self.valid = True
            self.beat += 1
            if self.beat == self.beats:
                self._next()
        elif out_ready:
            self.valid = False
        # Words before the image's first are none.
        self.most = max(self.most, self.lead + self.span + min(self.offset, 0))
        if steady and self.beat:
            return self.beats - 1 - self.beat
        return 0 if moved else STILL

    def skip(self, count: int) -> None:
        self.beat += count

    def _next(self) -> None:
        self.beat = 0
        self.place += 1
        if self.place == self.places:
            move, self.place = self.moves[2], 0
            self.images -= self.beyond
            self.offset = self.start
        else:
            move = self.moves[self.place % self.width == 0]
            self.offset += move
        self.lead -= move


class _Gather(_Simple):
    __slots__ = ("entry", "inputs", "length", "place", "valid", "whole")

    def __init__(self, inputs: int, length: int) -> None:
        self.inputs, self.length = inputs, length
        self.place = self.entry = self.whole = 0
        self.valid = False

    def ready(self, out_ready: bool) -> bool:  # noqa: ARG002
        return self.whole < 2

    def clock(self, take: bool, out_ready: bool) -> int:
        step = self.whole > 0 and (not self.valid or out_ready)
        moved = take or step or (self.valid and out_ready)
        self.valid = step or (self.valid and not out_ready)
        if step:
            self.entry = (self.entry + 1) % self.length
            self.whole -= self.entry == 0
        if take:
            self.place = (self.place + 1) % self.inputs
            self.whole += self.place == 0
        return 0 if moved else STILL


class _Product:
    __slots__ = ("fold", "folds", "group", "kept", "last", "lengths", "valid")

    def __init__(self, lengths: tuple[int, ...]) -> None:
        self.lengths, self.folds, self.group, self.fold = lengths, lengths[0], 0, 0
        self.kept = self.last = self.valid = False

    def ready(self, out_ready: bool) -> bool:
        return not (self.kept and self.last and self.valid and not out_ready)

    def clock(self, take: bool, out_ready: bool) -> int:
        hold = self.kept and self.last and self.valid and not out_ready
        add = self.kept and not hold
        moved = take or add or (self.valid and out_ready)
        steady = take and not self.valid
        if add and self.last:
            self.valid = True
        elif out_ready:
            self.valid = False
        if not hold:
            self.kept = take
        if take:
            self.fold += 1
            self.last = self.fold == self.folds
            if self.last:
                self.fold, self.group = 0, (self.group + 1) % len(self.lengths)
                self.folds = self.lengths[self.group]
        if steady and not self.last and not self.valid:
            return self.folds - 1 - self.fold
        return 0 if moved else STILL

    def skip(self, count: int) -> None:
        self.fold += count


class _Pool(_Wider):
    __slots__ = ()

    def ready(self, out_ready: bool) -> bool:
        return self.count != self.parts - 1 or super().ready(out_ready)


class _Search(_Simple):
    __slots__ = ("left", "steps", "valid")

    def __init__(self, steps: int) -> None:
        self.steps, self.left, self.valid = steps, 0, False

    def ready(self, out_ready: bool) -> bool:
        return self.left == 0 or (self.left == 1 and (not self.valid or out_ready))

    def clock(self, take: bool, out_ready: bool) -> int:
        done = self.left == 1 and (not self.valid or out_ready)
        moved = take or done or self.left > 1 or (self.valid and out_ready)
        if take:
            self.left = self.steps
        elif self.left > 1 or done:
            self.left -= 1
        if done:
            self.valid = True
        elif out_ready:
            self.valid = False
        return 0 if moved else STILL


def stage(unit: Unit) -> Stage:
    """Return the handshake of `unit` as it is after a reset and before the first word."""
    match unit:
        case Resize():
            if unit.out_width > unit.in_width:
                return _Wider(unit.out_width // unit.in_width)
            return _Narrower(unit.in_width // unit.out_width)
        case Windows():
            return _Windows(unit)
        case Gather():
            return _Gather(unit.layer.inputs, sum(unit.lengths))
        case Product():
            return _Product(unit.lengths)
        case Pool():
            return _Pool(unit.cells)
        case Compare():
            return _Wider(1)
        case Search():
            return _Search(unit.steps)
        case _:
            assert_never(unit)


@dataclass(frozen=True, slots=True)
class Clocks:
    """When beats were taken and given: the first and last of each inference; None if stuck."""

    first_in: tuple[int, ...]
    last_out: tuple[int, ...]
    stuck_at: int | None
    high_water: tuple[int, ...]  # per unit: words that its buffer held at most; 0 without one


def run(units: tuple[Unit, ...], in_beats: int, out_beats: int, inferences: int) -> Clocks:
    """Return the clocks of `inferences` that wait for nobody, one behind the other."""
    stages = [stage(unit) for unit in units]
    first_in: list[int] = []
    last_out: list[int] = []
    sent = given = now = 0
    wanted, total = inferences * out_beats, inferences * in_beats
    stuck = None
    _rest(stages)
    while given < wanted:
        if stages[-1].valid:
            given += 1
            if given % out_beats == 0:
                last_out.append(now)
        taken, alike = _clock(stages, offered=sent < total, taken=True)
        if taken and sent % in_beats == 0:
            first_in.append(now)
        sent += taken
        more = 0 if taken else min(alike)
        if more == STILL:
            stuck = now
            break
        now += 1 + more
        _skip(stages, alike, more)
    most = tuple(getattr(each, "most", 0) for each in stages)
    return Clocks(tuple(first_in), tuple(last_out), stuck, most)


def _rest(stages: list[Stage]) -> int:
    """Go on without input or output, and return for how many clocks anything moves.

    Windows that lie in the padding alone are sent ahead.
    """
    count = 0
    while True:
        alike = _clock(stages, offered=False, taken=False)[1]
        more = min(alike)
        if more == STILL:
            return count
        count += 1 + more
        _skip(stages, alike, more)


def _skip(stages: list[Stage], alike: list[int], count: int) -> None:
    """Go on by `count` clocks like the last, where something moved in that."""
    for each, clocks in zip(stages, alike, strict=True):
        if count and clocks != STILL:
            each.skip(count)


def _clock(stages: list[Stage], *, offered: bool, taken: bool) -> tuple[bool, list[int]]:
    """One clock of all: whether the offered word was taken, and how many more are like it.

    From the end: who is ready to take, then who takes what the one before shows.
    """
    ready, alike = taken, []
    for place in range(len(stages) - 1, -1, -1):
        each = stages[place]
        takes = each.ready(ready)
        shown = stages[place - 1].valid if place else offered
        alike.append(each.clock(takes and shown, ready))
        ready = takes
    return ready and offered, alike[::-1]


def at_rest(units: tuple[Unit, ...]) -> tuple[int, bool]:
    """Return the clocks after a reset until nothing moves, and whether a word is shown by then."""
    stages = [stage(unit) for unit in units]
    return _rest(stages), stages[-1].valid


def exact(units: tuple[Unit, ...], in_beats: int, out_beats: int) -> tuple[int, int]:
    """Return (latency, interval) in clocks, as Core means them."""
    alone = run(units, in_beats, out_beats, 1)
    count = 4
    while True:
        clocks = run(units, in_beats, out_beats, count)
        ends = clocks.last_out
        if count >= 32 or ends[-1] - ends[-2] == ends[-2] - ends[-3]:
            return alone.last_out[0] - alone.first_in[0], ends[-1] - ends[-2]
        count *= 2
