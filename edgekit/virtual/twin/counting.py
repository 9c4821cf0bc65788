# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts one inference: instructions and cycle bounds of the window, call by call.

A Python hook on every block is slow (a few million instructions a second), and networks execute
the same instructions whatever their input, so one inference is counted and credited to the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .decode import Block, Decoder, Timing
from .engine import Engine
from .memory import end_conditions
from .parts import Accelerator

_FORMAT = 4  # of the cache files


@dataclass(slots=True)
class Tally:
    """Counts of one call from `model_run`, or of its own code between calls."""

    instructions: int = 0
    cycles_lo: int = 0
    cycles_hi: int = 0
    bytes_moved: int = 0
    flash_misses: int = 0


@dataclass(slots=True)
class Counts:
    """One inference. The total is the calls and what `model_run` itself executes."""

    instructions: int
    cycles_lo: int
    cycles_hi: int
    stack_bytes: int
    per_call: list[Tally]
    own: Tally
    notes: list[str] = field(default_factory=list)

    def told(self, timing: Timing) -> dict[str, Any]:
        """Return the counts as the host may know them: null is what no table says."""
        answer = asdict(self)
        if not timing.published:
            for part in (answer, answer["own"], *answer["per_call"]):
                part["cycles_lo"] = part["cycles_hi"] = None
            for call in answer["per_call"]:
                call["flash_misses"] = None
        return answer


@dataclass(slots=True)
class _Trail:
    """Raw counts of one segment: (block before, block) -> executions, and misses."""

    edges: dict[tuple[int, int], int] = field(default_factory=dict)
    code_misses: int = 0
    data_misses: int = 0


class WindowCounter:
    """Receives hooks between the entry of `model_run` and its return."""

    def __init__(
        self,
        window: tuple[int, int],
        returns_to: int,
        timing: Timing,
        accelerator: Accelerator | None,
        wait_states: int,
    ) -> None:
        self._window = range(window[0], window[0] + window[1])
        self._returns_to = returns_to
        self._timing, self._accelerator = timing, accelerator
        self._wait_states = wait_states
        self.own = _Trail()
        self.calls: list[_Trail] = []
        self.current = self.own
        self.on_block = self._block_hook()
        self.on_read = None if accelerator is None else self._read_hook(accelerator)

    def _block_hook(self) -> Callable[[object, int, int, object], None]:
        """Return the hook of blocks; a closure, because attribute access dominates its cost."""
        first, last, after = self._window.start, self._window.stop, self._returns_to
        kept = self._accelerator
        shift = kept.line_bytes.bit_length() - 1 if kept else 0
        capacity = kept.code_lines if kept else 0
        cache: dict[int, None] = {}
        lines_of: dict[int, range] = {}
        before = 0
        inside = True

        def hook(_uc: object, address: int, size: int, _data: object) -> None:
            nonlocal before, inside
            block = address << 16 | size
            if block != before:  # a loop of one block changes neither caller nor cache
                if address == after:
                    return  # the window is over, which a callee may have ended by a tail call
                if inside != (first <= address < last):
                    inside = not inside
                    if not inside:
                        self.calls.append(_Trail())
                    self.current = self.own if inside else self.calls[-1]
                lines = lines_of.get(block)
                if lines is None:
                    last_line = address + size - 1 >> shift
                    lines = range(address >> shift, last_line + 1) if kept else range(0)
                    lines_of[block] = lines
                for line in lines:
                    if line in cache:
                        del cache[line]
                    else:
                        self.current.code_misses += 1
                        if len(cache) == capacity:
                            del cache[next(iter(cache))]
                    cache[line] = None
            edges = self.current.edges
            edge = (before, block)
            edges[edge] = edges.get(edge, 0) + 1
            before = block

        return hook

    def _read_hook(self, kept: Accelerator) -> Callable[[Engine, int, int, int, int, object], None]:
        """Return the hook of data reads from flash: weights, tables and literals."""
        shift = kept.line_bytes.bit_length() - 1
        capacity = kept.data_lines
        cache: dict[int, None] = {}
        latest = -1

        def hook(
            uc: Engine, _access: int, address: int, _size: int, _value: int, _data: object
        ) -> None:
            nonlocal latest
            end_conditions(uc)
            line = address >> shift
            if line == latest:
                return
            latest = line
            if line in cache:
                del cache[line]
            else:
                self.current.data_misses += 1
                if len(cache) == capacity:
                    del cache[next(iter(cache))]
            cache[line] = None

        return hook

    def counts(self, read: Callable[[int, int], bytes], stack_bytes: int) -> Counts:
        """Return the counts; `read` gives the bytes of the code."""
        decoder = Decoder(self._timing)
        blocks: dict[int, Block] = {}
        for trail in (self.own, *self.calls):
            for _, block in trail.edges:
                if block not in blocks:
                    address, size = block >> 16, block & 0xFFFF
                    blocks[block] = decoder.block(read(address, size), address)
        own = self._tally(self.own, blocks)
        calls = [self._tally(trail, blocks) for trail in self.calls]
        notes = []
        if any(b.unknown for b in blocks.values()):
            notes.append("some instructions have no name in the disassembler: bounds are wide")
        if any(b.uses_fpu for b in blocks.values()):
            notes.append("uses the FPU")
        parts = [own, *calls]
        return Counts(
            instructions=sum(t.instructions for t in parts),
            cycles_lo=sum(t.cycles_lo for t in parts),
            cycles_hi=sum(t.cycles_hi for t in parts),
            stack_bytes=stack_bytes,
            per_call=calls,
            own=own,
            notes=notes,
        )

    def _tally(self, trail: _Trail, blocks: dict[int, Block]) -> Tally:
        tally = Tally()
        refill_lo, refill_hi = self._timing.refill
        for (before, block), n in trail.edges.items():
            facts = blocks[block]
            # Whoever does not fall through from the block before has taken a branch.
            taken = n if (before >> 16) + (before & 0xFFFF) != block >> 16 else 0
            tally.instructions += n * facts.instructions
            tally.cycles_lo += n * facts.lo + taken * refill_lo
            tally.cycles_hi += n * facts.hi + taken * refill_hi
            tally.bytes_moved += n * facts.bytes_moved
        tally.flash_misses = trail.code_misses + trail.data_misses
        if self._accelerator is not None:
            worst = self._wait_states * self._accelerator.reads_per_line
            tally.cycles_hi += tally.flash_misses * worst
        return tally


def cache_path(cache: Path, digest: str, timing: Timing, wait_states: int) -> Path:
    """Return where the counts of an image are kept; the models' versions are part of the name."""
    return cache / f"{digest[:32]}-{timing.name}-f{_FORMAT}w{wait_states}.json"


def store(path: Path, counts: Counts) -> None:
    """Write counts so that a reader sees all of them or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{id(counts):x}.part")
    part.write_text(json.dumps(asdict(counts)), encoding="utf-8")
    part.replace(path)


def recall(path: Path) -> Counts | None:
    """Return cached counts, or None where there are none that can be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        data["per_call"] = [Tally(**t) for t in data["per_call"]]
        data["own"] = Tally(**data["own"])
        return Counts(**data)
    except (OSError, ValueError, TypeError, KeyError):
        return None
