"""Proof, for all inputs, that the registers of a synthesized netlist hold what a network means.

Register to register: every hidden bit as a function of the input bits, every score bit as a
function of the hidden bits, every value and index of an argmax tournament as a function of the
step before. Each wanted bit is built from the integers of the network alone, as a decision diagram,
and some register must hold exactly that function, or its inverse. Simulation on random inputs only
proposes which register to try; nothing of the generator is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import MismatchError
from edgekit.target.fpga.hardwired.bdd import ONE, ZERO, Bdd, Node
from edgekit.target.fpga.hardwired.netlist import Netlist, cone, function, simulate

Ints = NDArray[np.int64]

_SAMPLES = 4096
_NOWHERE = -1_000_000  # and below: bits that no register holds
_HINT = "the netlist does not compute the network; keep it and report this"


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


Table: TypeAlias = Sequence[bool]
Number: TypeAlias = tuple[Held, ...]  # lowest bit first, two's complement


def inputs_held(netlist: Netlist, name: str) -> list[Held]:
    """Return the bits of the register called `name`, as the layers below take them."""
    return [Held(net, 0) for net in netlist.names[name]]


def prove_layer(
    netlist: Netlist,
    sources: Sequence[Held],
    weights: Ints,
    wanted: Sequence[Sequence[Table]],
) -> list[Number]:
    """Prove `wanted[r][b][m]`, m = sum of weights[r] over the sources that are +1; find them.

    Args:
        netlist: the synthesized logic.
        sources: the bits that the rows read, +1 where set and -1 where not.
        weights: (rows, sources).
        wanted: for each row its bits, each the value for each sum from -(sum of |weights|) on, in
            steps of 1; no bits where nobody reads the row.

    Returns:
        Which registers hold the bits of each row.

    Raises:
        MismatchError: no register holds a bit.
    """
    rng = np.random.default_rng(0)
    words: dict[int, NDArray[np.uint64]] = {}
    for held in sources:
        for net, inverted in held.copies():
            drawn = rng.integers(0, 1 << 64, _SAMPLES // 64, np.uint64)
            first = words.setdefault(held.net, drawn)
            words[net] = ~first if inverted ^ held.inverted else first
    bits = np.stack([_samples(words, held) for held in sources], axis=1)
    places = (2 * bits - 1) @ weights.T + np.abs(weights).sum(axis=1)
    candidates = _registers_of(netlist, set(words))
    values = simulate(netlist, [netlist.registers[net] for net in candidates], words)
    by_value: dict[bytes, list[Held]] = {}
    for net in candidates:
        value = values[netlist.registers[net]]
        by_value.setdefault(value.tobytes(), []).append(Held(net, 0))
        by_value.setdefault((~value).tobytes(), []).append(Held(net, 1))
    rows = []
    for row, tables in enumerate(wanted):
        proof = _RowProof(netlist, sources, weights[row])
        found = []
        for bit, table in reversed(list(enumerate(tables))):
            seen = np.packbits(np.asarray(table, bool)[places[:, row]], bitorder="little")
            holder = proof.find(table, by_value.get(seen.tobytes(), []))
            if holder is None:
                raise MismatchError(f"no register holds bit {bit} of row {row}", hint=_HINT)
            found.append(holder)
        rows.append(tuple(reversed(found)))
    return rows


def thresholds(weights: Ints, limits: Ints) -> list[list[Table]]:
    """Return `wanted` of rows of one bit, set where the sum is at least `limits`."""
    reach = np.abs(weights).sum(axis=1)
    return [
        [[total - k >= t for total in range(2 * k + 1)]]
        for k, t in zip(reach.tolist(), limits.tolist(), strict=True)
    ]


def sums(weights: Ints, bias: Ints, width: int) -> list[list[Table]]:
    """Return `wanted` of rows that are sum and bias in two's complement of `width` bits."""
    reach = np.abs(weights).sum(axis=1)
    return [
        [[bool((total - k + b) >> i & 1) for total in range(2 * k + 1)] for i in range(width)]
        for k, b in zip(reach.tolist(), bias.tolist(), strict=True)
    ]


def prove_argmax(netlist: Netlist, scores: Sequence[Number], result: str) -> None:
    """Prove that wire `result` is the index of the largest of `scores`, the lowest of equal ones.

    Raises:
        MismatchError: a step of the tournament has no register, or `result` is another function.
    """
    index_bits = (len(scores) - 1).bit_length()
    nowhere = count(_NOWHERE, -1)
    left = [
        (score, tuple(Held(0, i >> k & 1) for k in range(index_bits)))
        for i, score in enumerate(scores)
    ]
    while len(left) > 1:
        pairs = [left[i : i + 2] for i in range(0, len(left), 2)]
        last = len(pairs) == 1
        left = [_prove_pair(netlist, pair, last, nowhere) for pair in pairs]
    for k, (net, held) in enumerate(zip(netlist.names[result], left[0][1], strict=False)):
        bdd = Bdd()
        leaf: dict[int, Node] = {}
        _add_leaves(bdd, held, 0, leaf)
        known = leaf.keys() >= set(cone(netlist, net)[1])
        if not known or function(netlist, net, bdd, leaf) != _node(bdd, held, leaf):
            raise MismatchError(f"bit {k} of {result} is not the winner's index", hint=_HINT)


def _prove_pair(
    netlist: Netlist, pair: Sequence[tuple[Number, Number]], last: bool, nowhere: Iterator[int]
) -> tuple[Number, Number]:
    """Return where the larger number and its index are held one step later."""
    bdd = Bdd()
    leaves: dict[int, Node] = {}
    for bits in zip(*(number + index for number, index in pair), strict=True):
        for held in bits:
            if held.net and held.net not in leaves:
                _add_leaves(bdd, held, len(leaves), leaves)
    first, second = pair[0], pair[-1]
    a, b = ([_node(bdd, held, leaves) for held in number] for number, _ in (first, second))
    a_wins = _at_least(bdd, a, b) if len(pair) == 2 else ONE
    known: dict[Node, list[int]] = {}
    for net in _registers_of(netlist, set(leaves)):
        data = netlist.registers[net]
        known.setdefault(function(netlist, data, bdd, leaves), []).append(net)

    def held_next(p: Held, q: Held) -> Held:
        wanted = bdd.choose(a_wins, _node(bdd, p, leaves), _node(bdd, q, leaves))
        if wanted <= ONE:
            return Held(0, wanted)
        same = [(net, 0) for net in known.get(wanted, [])]
        same += [(net, 1) for net in known.get(bdd.invert(wanted), [])]
        if same:
            return Held(*same[0], tuple(same[1:]))
        # Nobody may need it: a free variable, on which nothing that is held can depend.
        return Held(next(nowhere), 0)

    index = tuple(held_next(p, q) for p, q in zip(first[1], second[1], strict=True))
    if last:
        return (), index
    return tuple(held_next(p, q) for p, q in zip(first[0], second[0], strict=True)), index


def _at_least(bdd: Bdd, a: Sequence[Node], b: Sequence[Node]) -> Node:
    """Return a >= b of two's complement numbers."""
    result = ONE
    for place, (p, q) in enumerate(zip(a, b, strict=True)):
        high, low = (q, p) if place == len(a) - 1 else (p, q)
        equal_or_more = bdd.choose(high, ONE, bdd.invert(low))
        more = bdd.choose(high, bdd.invert(low), ZERO)
        result = bdd.choose(more, ONE, bdd.choose(equal_or_more, result, ZERO))
    return result


def _add_leaves(bdd: Bdd, held: Held, variable: int, leaves: dict[int, Node]) -> None:
    """Let all registers that hold a bit be the same variable, inverted where they are."""
    value = bdd.variable(variable)
    for net, inverted in held.copies():
        leaves[net] = bdd.invert(value) if inverted ^ held.inverted else value


def _node(bdd: Bdd, held: Held, leaves: Mapping[int, Node]) -> Node:
    value = leaves[held.net] if held.net else ZERO
    return bdd.invert(value) if held.inverted else value


def _samples(words: Mapping[int, NDArray[np.uint64]], held: Held) -> Ints:
    if not held.net:
        return np.full(_SAMPLES, held.inverted, np.int64)
    packed = words[held.net].astype("<u8").view(np.uint8)
    return np.unpackbits(packed, bitorder="little").astype(np.int64) ^ held.inverted


def _registers_of(netlist: Netlist, nets: set[int]) -> list[int]:
    """Return the registers whose next value depends on `nets` alone."""
    found = []
    for net, data in netlist.registers.items():
        leaves = cone(netlist, data)[1]
        if leaves and nets.issuperset(leaves):
            found.append(net)
    return found


class _RowProof:
    """Decision diagrams of one row, in the order in which its first register meets its inputs."""

    def __init__(self, netlist: Netlist, sources: Sequence[Held], weights: Ints) -> None:
        self._netlist = netlist
        self._sources = sources
        self._weights = weights.tolist()
        self._bdd = Bdd()
        self._copies = {net: held for held in sources for net, _ in held.copies()}
        self._place: dict[int, int] = {}  # of the first net of each source
        self._leaves: dict[int, Node] = {}

    def find(self, table: Table, candidates: Sequence[Held]) -> Held | None:
        """Return which candidates hold `table`; constants need none."""
        constant = self._constant(table)
        if constant is not None:
            return Held(0, constant)
        same = [(held.net, held.inverted) for held in candidates if self._holds(held, table)]
        return Held(*same[0], tuple(same[1:])) if same else None

    def _constant(self, table: Table) -> int | None:
        """Return the value of a bit that is the same for every reachable sum."""
        start, reach = len(table) // 2, 0
        for source, weight in zip(self._sources, self._weights, strict=True):
            if source.net:
                reach += abs(weight)
            else:
                start += weight if source.inverted else -weight
        values = {table[total] for total in range(start - reach, start + reach + 1, 2)}
        return int(values.pop()) if len(values) == 1 else None

    def _holds(self, held: Held, table: Table) -> bool:
        data = self._netlist.registers[held.net]
        read = [source.net for source in self._sources if source.net]
        for net in [*cone(self._netlist, data)[1], *read]:
            source = self._copies[net]
            if source.net not in self._place:
                self._place[source.net] = len(self._place)
                _add_leaves(self._bdd, source, self._place[source.net], self._leaves)
        factors = [0] * len(self._place)
        total = len(table) // 2
        for source, weight in zip(self._sources, self._weights, strict=True):
            if source.net:
                factors[self._place[source.net]] += -2 * weight if source.inverted else 2 * weight
            total += weight if source.inverted else -weight
        wanted = self._bdd.weighted(factors, total, table)
        actual = function(self._netlist, data, self._bdd, self._leaves)
        return actual == (self._bdd.invert(wanted) if held.inverted else wanted)
