"""Proof that a register holds a function of a weighted sum of bits, whatever the bits are.

The sum is rewritten on the netlist's own gates: where a gate is the majority of three bits that
enter the sum with the same weight, `a + b + c = parity + 2 * majority` takes their place, be it a
look-up table or a carry cell. What is left is a short sum of nets near the register, and the logic
between them and the register is compared with the wanted function as a decision diagram, every net
of the sum being a free variable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.target.fpga.hardwired.bdd import Bdd, Node
from edgekit.target.fpga.hardwired.netlist import (
    Gate,
    Netlist,
    cone,
    function,
    plain,
    reduced,
)

Ints = NDArray[np.int64]
Wanted: TypeAlias = Callable[[int], bool]  # of the sum

_FEW = 24  # bits of a sum that a decision diagram takes without rewriting
_VIRTUAL = -2_000_000  # and below: parities that no net holds


@dataclass(frozen=True, slots=True)
class Held:
    """A bit that register `net` holds, inverted or not; net 0 is constant: the bit is `inverted`.

    `also` are further registers that hold the bit, each (net, inverted).
    """

    net: int
    inverted: int
    also: tuple[tuple[int, int], ...] = ()

    def copies(self) -> tuple[tuple[int, int], ...]:
        """Return (net, inverted) of all registers that hold the bit, `net` first."""
        return ((self.net, self.inverted), *self.also) if self.net else ()


def add_leaves(bdd: Bdd, held: Held, variable: int, leaves: dict[int, Node]) -> None:
    """Let all registers that hold a bit be the same variable, inverted where they are."""
    value = bdd.variable(variable)
    for net, inverted in held.copies():
        leaves[net] = bdd.invert(value) if inverted ^ held.inverted else value


class RowProof:
    """The sum of one row, rewritten once for each register that is tried."""

    def __init__(self, netlist: Netlist, sources: Sequence[Held], weights: Ints) -> None:
        self._netlist = netlist
        self._start = 0
        self._weights: dict[int, int] = {}  # of the first net of each source
        self._copies: dict[int, tuple[int, int]] = {}  # any net of a source: the first, inverted
        for source, weight in zip(sources, weights.tolist(), strict=True):
            sign = -1 if source.inverted else 1
            self._start -= sign * weight
            if source.net and weight:
                known = self._weights.get(source.net, 0)
                self._weights[source.net] = known + 2 * sign * weight
            for net, inverted in source.copies():
                self._copies[net] = (source.net, inverted ^ source.inverted)

    def find(self, wanted: Wanted, candidates: Sequence[Held]) -> Held | None:
        """Return which candidates hold `wanted`; constants need none."""
        reach = sum(map(abs, self._weights.values()))
        lowest = self._start + sum(min(weight, 0) for weight in self._weights.values())
        values = {wanted(total) for total in range(lowest, lowest + reach + 1, 2)}
        if len(values) == 1:
            return Held(0, int(values.pop()))
        same = [(held.net, held.inverted) for held in candidates if self._holds(held, wanted)]
        return Held(*same[0], tuple(same[1:])) if same else None

    def _holds(self, held: Held, wanted: Wanted) -> bool:
        start, terms = self._rewritten(self._netlist.registers[held.net])
        if self._equal(held, wanted, start, terms):
            return True
        # Nets of a rewritten sum are free, which may ask too much of the logic that reads them.
        return len(self._weights) <= _FEW and self._equal(
            held, wanted, self._start, dict(self._weights)
        )

    def _equal(self, held: Held, wanted: Wanted, start: int, terms: dict[int, int]) -> bool:
        data = self._netlist.registers[held.net]
        stops = {n for n, (first, _) in self._copies.items() if first in terms} | terms.keys()
        bdd = Bdd()
        leaves: dict[int, Node] = {}
        factors: list[int] = []
        for net in [*cone(self._netlist, data, stops)[1], *terms]:
            first = self._copies.get(net, (net, 0))[0]
            if first not in terms:
                return False
            if first not in leaves:
                leaves[first] = bdd.variable(len(factors))
                factors.append(terms[first])
        for net, (first, inverted) in self._copies.items():
            if first in leaves:
                leaves[net] = bdd.invert(leaves[first]) if inverted else leaves[first]
        expected = bdd.weighted(factors, start, wanted)
        actual = function(self._netlist, data, bdd, leaves)
        return actual == (bdd.invert(expected) if held.inverted else expected)

    def _rewritten(self, data: int) -> tuple[int, dict[int, int]]:
        """Return the sum as (constant, weight of each net), by the majorities before `data`.

        A majority whose bits `data` also reads by another way is left as it is.
        """
        order = cone(self._netlist, data)[0]
        kept: set[int] = set()
        while True:
            rewriting = _Rewriting(self._start, dict(self._weights))
            for at in order:
                rewriting.note_parity(at, *self._over_plain(at))
            for at in order:
                if at not in kept:
                    rewriting.try_majority(at, *self._over_plain(at))
            terms = rewriting.terms
            stops = {n for n, (f, _) in self._copies.items() if f in terms} | terms.keys()
            gates, found = cone(self._netlist, data, stops)
            read = [self._copies.get(net, (net, 0))[0] for net in (*found, *gates)]
            lost = [rewriting.taken[net] for net in read if net in rewriting.taken]
            if not lost:
                return rewriting.start, terms
            kept.add(max(lost, key=order.index))

    def _over_plain(self, at: int) -> tuple[int, tuple[int, ...]]:
        """Return (table, nets) of a gate over nets that are no inverters and no copies."""
        table, inputs = reduced(self._netlist.gates[at])
        nets, mask = [], 0
        for place, net in enumerate(inputs):
            behind, inverted = plain(self._netlist, net)
            first, copied = self._copies.get(behind, (behind, 0))
            nets.append(first)
            mask |= (inverted ^ copied) << place
        turned = sum((table >> (i ^ mask) & 1) << i for i in range(1 << len(nets)))
        return reduced(Gate(turned, tuple(nets)))


class _Rewriting:
    """`start` + sum of `terms`; `taken` are nets that left it, each with the gate that took it."""

    def __init__(self, start: int, terms: dict[int, int]) -> None:
        self.start = start
        self.terms = terms
        self.taken: dict[int, int] = {}
        self._parities: dict[frozenset[int], tuple[int, int]] = {}

    def note_parity(self, at: int, table: int, nets: tuple[int, ...]) -> None:
        """Remember `at` where it is the parity of its nets, inverted or not."""
        odd = sum(bin(i).count("1") % 2 << i for i in range(1 << len(nets)))
        full = (1 << (1 << len(nets))) - 1
        if 2 <= len(nets) <= 3 and table in (odd, odd ^ full):
            self._parities.setdefault(frozenset(nets), (at, int(table != odd)))

    def try_majority(self, at: int, table: int, nets: tuple[int, ...]) -> None:
        """Put parity and majority for the nets of `at`, if it is one of bits of equal weight."""
        sizes = {abs(self.terms.get(net, 0)) for net in nets}
        if not 2 <= len(nets) <= 3 or len(set(nets)) < len(nets) or len(sizes) != 1 or 0 in sizes:
            return
        if len(nets) == 2 and frozenset(nets) not in self._parities:
            return  # parity and carry of two bits are never both set: not free
        signs = tuple(int(self.terms[net] < 0) for net in nets)
        full = (1 << (1 << len(nets))) - 1
        for constant in (0, 1) if len(nets) == 2 else (0,):
            wanted = 0
            for bits in product((0, 1), repeat=len(nets)):
                index = sum(bit << place for place, bit in enumerate(bits))
                ones = constant + sum(bit ^ sign for bit, sign in zip(bits, signs, strict=True))
                wanted |= (ones >= 2) << index
            if table in (wanted, wanted ^ full):
                self._replace(at, nets, sum(signs) + constant, int(table != wanted), sizes.pop())
                return

    def _replace(
        self, at: int, nets: tuple[int, ...], extra: int, inverted: int, size: int
    ) -> None:
        """Of `extra` negated bits and constants: sum of nets = parity + 2 * majority - extra."""
        for net in nets:
            del self.terms[net]
            self.taken[net] = at
        self.start -= size * extra
        odd = extra & 1
        parity, own = self._parities.get(frozenset(nets), (_VIRTUAL - at, odd))
        self._put(parity, own ^ odd, size)
        self._put(at, inverted, 2 * size)

    def _put(self, net: int, inverted: int, weight: int) -> None:
        if inverted:
            self.start, weight = self.start + weight, -weight
        self.terms[net] = self.terms.get(net, 0) + weight
        if not self.terms[net]:
            del self.terms[net]
