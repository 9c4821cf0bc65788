"""Which layers get how many bits: least harm within a budget of bytes, cycles or instructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgekit.compress import floatnet, simulate
from edgekit.compress.floatnet import FloatNet, Floats
from edgekit.compress.quantize import Plan
from edgekit.compress.weights import DTYPES, Word
from edgekit.errors import DoesNotFitError

Table = Mapping[str, Mapping[Word, float]]  # by layer and word

_MOST = 20_000


def harms(net: FloatNet, plan: Plan, words: Sequence[Word], x: Floats) -> Table:
    """Return what each layer does to the output when it alone gets a word.

    The mean squared change of the output against the float network's, in units of the output's
    variance; all other layers have the widest of `words`. `x`: calibration inputs.
    """
    wanted = floatnet.forward(net, x)
    spread = float(wanted.var()) or 1.0
    widest = max(words, key=lambda word: DTYPES[word].bits)
    names = [layer.label for _, layer in floatnet.weighted(net)]
    base = dict.fromkeys(names, widest)
    found: dict[str, dict[Word, float]] = {}
    for name in names:
        found[name] = {}
        for word in words:
            tried = replace(plan, words={**base, name: word}, scales={})
            away = simulate.forward(net, tried, x) - wanted
            found[name][word] = float(np.square(away, dtype=np.float64).mean()) / spread
    return found


def choose(
    harm: Table, cost: Table, budget: float, unit: str, fixed: float = 0.0
) -> dict[str, Word]:
    """Return a word for each layer: least total harm with a total cost of at most `budget`.

    `fixed` is what all else costs. Layer by layer, only choices stay that no other beats in both
    cost and harm. The result is the best there is, unless more than 20,000 such choices have to
    be thinned out.

    Raises:
        DoesNotFitError: even the cheapest words cost more.
    """
    least = fixed + sum(min(costs.values()) for costs in cost.values())
    if least > budget:
        raise DoesNotFitError(
            f"a budget of {budget:,.0f} {unit}: the cheapest words take {least:,.0f}",
            hint="allow more, add a narrower word, or remove channels first",
        )
    front: list[tuple[float, float, tuple[Word, ...]]] = [(fixed, 0.0, ())]
    for name, harms_of in harm.items():
        longer = sorted(
            (spent + cost[name][word], harmed + harms_of[word], (*words, word))
            for spent, harmed, words in front
            for word in harms_of
            if spent + cost[name][word] <= budget
        )
        front = []
        for one in longer:
            if not front or one[1] < front[-1][1]:
                front.append(one)
        if len(front) > _MOST:
            front = [*front[:: -(-len(front) // _MOST)], front[-1]]
    return dict(zip(harm, front[-1][2], strict=True))
