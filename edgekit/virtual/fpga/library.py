"""A compiled board (fpga/sim/ek_board.cpp) in this process, through ctypes."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

_BYTES, _EVENTS = 4096, 256
_MARK, _AWAKE, _RUNNING = 1, 2, 4
_ENDED: tuple[Ended, ...] = ("time", "quiet", "full")

Ended = Literal["time", "quiet", "full"]  # quiet: nothing happens before the host's next byte


class _Event(ctypes.Structure):
    _fields_ = (("ns", ctypes.c_uint64), ("levels", ctypes.c_uint64))


@dataclass(frozen=True, slots=True)
class Levels:
    """The board's outputs from `t_ns` on."""

    t_ns: int
    mark: bool
    awake: bool
    running: bool


class Stretch(NamedTuple):
    """What a stretch of virtual time brought: why it ended, bytes sent, changes of levels."""

    ended: Ended
    sent: bytes
    levels: tuple[Levels, ...]


class SimulatedBoard:
    """A board in virtual time; one thread at a time."""

    def __init__(
        self, library: Path, clock_hz: int, clocks_us: int, bit_clocks: float, *, skips: bool = True
    ) -> None:
        """Load `library`; a bit of the host's line lasts `bit_clocks` of the board's clocks.

        The board takes `clocks_us` of its clocks for a microsecond. With `skips` the pauses of a
        RUN are not simulated clock by clock, which changes nothing but the time it takes.
        Raises OSError where it cannot be loaded.
        """
        self._library = _declared(ctypes.CDLL(str(library)))
        self._board = self._library.ek_open(clock_hz, clocks_us, bit_clocks, skips)
        self._bytes = (ctypes.c_uint8 * _BYTES)()
        self._events = (_Event * _EVENTS)()

    @property
    def t_ns(self) -> int:
        """Virtual time."""
        return int(self._library.ek_ns(self._board))

    @property
    def clocks(self) -> int:
        """Clocks that have passed."""
        return int(self._library.ek_clocks(self._board))

    @property
    def evaluated(self) -> int:
        """Edges of clocks that were simulated; the others were skipped."""
        return int(self._library.ek_evaluated(self._board))

    @property
    def received(self) -> int:
        """Bytes of the host that have reached the board."""
        return int(self._library.ek_received(self._board))

    def power(self) -> None:
        """Apply power, to a board that knows nothing."""
        self._library.ek_power(self._board)

    def reset(self) -> None:
        """Press the reset button."""
        self._library.ek_reset(self._board)

    def feed(self, data: bytes) -> None:
        """Put bytes of the host on the line, after those that are still under way."""
        self._library.ek_feed(self._board, data, len(data))

    def let_pass(self, ns: int) -> None:
        """Let time pass in which nothing happens."""
        self._library.ek_pass(self._board, ns)

    def run(self, until_ns: int) -> Stretch:
        """Run until `until_ns`, or until nothing can happen, or a few thousand bytes are sent."""
        count, seen = ctypes.c_uint64(_BYTES), ctypes.c_uint64(_EVENTS)
        ended = self._library.ek_run(
            self._board,
            until_ns,
            self._bytes,
            ctypes.byref(count),
            self._events,
            ctypes.byref(seen),
        )
        levels = tuple(_levels(event) for event in self._events[: seen.value])
        return Stretch(_ENDED[ended], bytes(self._bytes[: count.value]), levels)


def _levels(event: _Event) -> Levels:
    on = event.levels
    return Levels(event.ns, bool(on & _MARK), bool(on & _AWAKE), bool(on & _RUNNING))


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    board, number, some = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p
    for name, result, arguments in (
        ("ek_open", board, (number, ctypes.c_uint32, ctypes.c_double, ctypes.c_int)),
        ("ek_power", None, (board,)),
        ("ek_reset", None, (board,)),
        ("ek_feed", None, (board, ctypes.c_char_p, number)),
        ("ek_pass", None, (board, number)),
        ("ek_ns", number, (board,)),
        ("ek_clocks", number, (board,)),
        ("ek_evaluated", number, (board,)),
        ("ek_received", number, (board,)),
        ("ek_run", ctypes.c_int, (board, number, some, some, some, some)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
