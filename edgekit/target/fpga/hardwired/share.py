"""Which inputs of several sums are added in common triples.

The parity of three bits is one cell for all rows that hold them, whatever the signs, and their
majority one of four: signs that differ in all three places give the same cell, inverted.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations, groupby
from math import comb

from edgekit.target.fpga.hardwired.circuit import Bit

Triple = tuple[Bit, Bit, Bit]
_MAX_CANDIDATES = 4_000_000  # of all rows; more take gigabytes


def common_triples(rows: Sequence[Sequence[Bit]]) -> list[list[Triple]]:
    """Return for each row disjoint triples of its bits that other rows add as well.

    Greedy: the triple that saves most cells first, among the rows in which it is still whole. Where
    rows are so long that there are too many triples, neighbouring signals are looked at together.
    """
    left = [{bit >> 1: bit for bit in row} for row in rows]
    chosen: list[list[Triple]] = [[] for _ in rows]
    holders: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for index, row in enumerate(_neighbours(left)):
        for group in row:
            for triple in combinations(group, 3):
                holders[triple].append(index)
    queue = [
        (-_saved(triple, found, left), triple)
        for triple, found in holders.items()
        if len(found) > 1
    ]
    heapq.heapify(queue)
    while queue:
        gain, triple = heapq.heappop(queue)
        whole = [i for i in holders[triple] if all(signal in left[i] for signal in triple)]
        now = _saved(triple, whole, left)
        if now <= 0:
            continue
        if now < -gain:
            heapq.heappush(queue, (-now, triple))
            continue
        for i in whole:
            first, second, third = (left[i].pop(signal) for signal in triple)
            chosen[i].append((first, second, third))
    return chosen


def _neighbours(rows: Sequence[Mapping[int, Bit]]) -> list[list[list[int]]]:
    """Return each row's signals in as few groups as keep to _MAX_CANDIDATES triples."""
    signals = sorted(set().union(*rows))
    for parts in range(1, len(signals) + 1):
        group = {signal: at * parts // len(signals) for at, signal in enumerate(signals)}
        split = [[list(g) for _, g in groupby(sorted(row), group.__getitem__)] for row in rows]
        if sum(comb(len(g), 3) for row in split for g in row) <= _MAX_CANDIDATES:
            return split
    return [[] for _ in rows]


def _saved(triple: tuple[int, int, int], rows: Sequence[int], bits: list[dict[int, Bit]]) -> int:
    """Return how many cells fewer `rows` need when they share `triple`."""
    kinds = set()
    for i in rows:
        signs = tuple(bits[i][signal] & 1 for signal in triple)
        kinds.add(signs if signs[0] == 0 else tuple(1 - sign for sign in signs))
    return 2 * len(rows) - 1 - len(kinds) - 1 if len(rows) > 1 else 0
