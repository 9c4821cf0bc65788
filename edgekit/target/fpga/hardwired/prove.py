"""Proof, for all inputs, that the registers of a synthesized netlist hold what a network means.

Register to register: every hidden bit as a function of the input bits, every score bit as a
function of the hidden bits, every value and index of an argmax tournament as a function of the
step before. Each wanted bit is built from the integers of the network alone, and some register must
hold exactly that function, or its inverse. Simulation on random inputs only proposes which register
to try; nothing of the generator is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import MismatchError
from edgekit.target.fpga.hardwired.bdd import ONE, ZERO, Bdd, Node
from edgekit.target.fpga.hardwired.netlist import Netlist, cone, function, simulate
from edgekit.target.fpga.hardwired.row_proof import Held, RowProof, Wanted, add_leaves

Ints = NDArray[np.int64]

_SAMPLES = 4096
_NOWHERE = -1_000_000  # and below: bits that no register holds
_HINT = "the netlist does not compute the network; keep it and report this"


Number: TypeAlias = tuple[Held, ...]  # lowest bit first, two's complement


def inputs_held(netlist: Netlist, name: str) -> list[Held]:
    """Return the bits of the register called `name`, as the layers below take them."""
    return [Held(net, 0) for net in netlist.names[name]]


def prove_layer(
    netlist: Netlist,
    sources: Sequence[Held],
    weights: Ints,
    wanted: Sequence[Sequence[Wanted]],
) -> list[Number]:
    """Prove bits `wanted[r][b](m)`, m = sum of weights[r] * source, of +1 and -1; find them.

    Args:
        netlist: the synthesized logic.
        sources: the bits that the rows read, +1 where set and -1 where not.
        weights: (rows, sources).
        wanted: the bits of each row as functions of its sum; none where nobody reads the row.

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
    totals = (2 * bits - 1) @ weights.T
    candidates = _registers_of(netlist, set(words))
    values = simulate(netlist, [netlist.registers[net] for net in candidates], words)
    by_value: dict[bytes, list[Held]] = {}
    for net in candidates:
        value = values[netlist.registers[net]]
        by_value.setdefault(value.tobytes(), []).append(Held(net, 0))
        by_value.setdefault((~value).tobytes(), []).append(Held(net, 1))
    rows = []
    for row, bits_wanted in enumerate(wanted):
        proof = RowProof(netlist, sources, weights[row])
        found = []
        for bit, bit_wanted in reversed(list(enumerate(bits_wanted))):
            seen = np.array([bit_wanted(total) for total in totals[:, row].tolist()])
            key = np.packbits(seen, bitorder="little").tobytes()
            holder = proof.find(bit_wanted, by_value.get(key, []))
            if holder is None:
                raise MismatchError(f"no register holds bit {bit} of row {row}", hint=_HINT)
            found.append(holder)
        rows.append(tuple(reversed(found)))
    return rows


def thresholds(limits: Ints) -> list[list[Wanted]]:
    """Return `wanted` of rows of one bit, set where the sum is at least the row's limit."""

    def passes(limit: int) -> Wanted:
        return lambda total: total >= limit

    return [[passes(limit)] for limit in limits.tolist()]


def sums(bias: Ints, width: int) -> list[list[Wanted]]:
    """Return `wanted` of rows that are sum and bias in two's complement of `width` bits."""

    def bit_of(offset: int, place: int) -> Wanted:
        return lambda total: bool((total + offset) >> place & 1)

    return [[bit_of(offset, place) for place in range(width)] for offset in bias.tolist()]


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
        add_leaves(bdd, held, 0, leaf)
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
                add_leaves(bdd, held, len(leaves), leaves)
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
