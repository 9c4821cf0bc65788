"""How parallel each layer is made: the cheapest that keeps the wanted rate, by a model.

Clocks of a layer are the product of its folds: windows x groups of neurons x groups of inputs. The
units work at the same time, so the slowest alone sets the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2
from typing import assert_never

from edgekit.errors import DoesNotFitError
from edgekit.target.fpga.core import Resources
from edgekit.target.fpga.folded import cost
from edgekit.target.fpga.folded.assemble import Fold, in_lanes
from edgekit.target.fpga.folded.layers import (
    Layer,
    MatVec,
    MaxPool,
    Padding,
    Steps,
    Stream,
    Thermometer,
)
from edgekit.target.fpga.folded.units import Memory

_WIDEST = 512  # bits of a weight word that are still tried


def clocks(layer: Layer, fold: Fold) -> int:
    """Return the clocks that `layer` needs for one inference when nobody waits.

    A window's words also come in one a clock, which is more where strides leave most of them out.
    """
    match layer:
        case MatVec():
            summed = layer.window.places * (layer.neurons // fold.lanes)
            words = layer.window.size // (fold.lanes if layer.depthwise else fold.simd)
            return max(summed * (layer.inputs // fold.simd), words)
        case MaxPool() | Padding():
            sent = layer.window.places * layer.window.cells * layer.window.channels
            return max(sent, layer.window.size) // fold.lanes
        case Thermometer():
            return layer.places * layer.channels // fold.lanes
        case Steps():
            steps = max(1, ceil(log2(layer.table.shape[1] + 1)))
            return layer.places * layer.channels // fold.lanes * steps
        case _:
            assert_never(layer)


def choose(
    first: Stream, layers: Sequence[Layer], room: Resources, most_clocks: int
) -> tuple[int, tuple[Fold, ...]]:
    """Return the elements of an input beat and the fold of each layer.

    Args:
        first: the stream that goes in.
        layers: in order.
        room: what the part has left.
        most_clocks: that an inference may take in any layer.

    Raises:
        DoesNotFitError: naming the layer that cannot be made fast enough, or what is missing.
    """
    wide = [n for n in in_lanes(first) if first.size // n <= most_clocks]
    if not wide:
        raise DoesNotFitError(
            f"the input of {first.size} elements does not come in within {most_clocks} clocks",
            hint="lower the rate or raise the clock",
        )
    spram, lanes, chosen = room.spram, wide[0], []
    for layer in layers:
        fold = _fold(layer, lanes, room, spram, most_clocks)
        if fold.memory == "spram":
            spram -= cost.spram(layer, fold)
        chosen.append(fold)
        lanes = fold.lanes * (layer.levels if isinstance(layer, Thermometer) else 1)
    return wide[0], tuple(chosen)


def _fold(layer: Layer, lanes: int, room: Resources, spram: int, most_clocks: int) -> Fold:
    tried = [fold for fold in _folds(layer, spram) if clocks(layer, fold) <= most_clocks]
    if not tried:
        least = min(clocks(layer, fold) for fold in _folds(layer, spram))
        raise DoesNotFitError(
            f"{layer.label}: {least} clocks an inference at its most parallel, {most_clocks} "
            "are there",
            hint="lower the rate, raise the clock or make the layer smaller",
        )
    return min(tried, key=lambda fold: cost.price(layer, fold, lanes, room))


def _folds(layer: Layer, spram: int) -> list[Fold]:
    """All folds of a layer whose weight words are not absurdly wide."""
    if not isinstance(layer, MatVec):
        channels = (
            layer.channels if isinstance(layer, Thermometer | Steps) else (layer.window.channels)
        )
        return [Fold(n, memory="bram") for n in divisors(channels)]
    if layer.depthwise:
        # A multiplier's outputs of one input follow each other: several lanes would mix them.
        most = layer.window.channels if layer.start.shape[1] == 1 else 1
        pairs = [(n, 1) for n in divisors(most)]
    else:
        pairs = [
            (pe, simd) for pe in divisors(layer.neurons) for simd in divisors(layer.window.channels)
        ]
    found = []
    for pe, simd in pairs:
        width = pe * simd * layer.weight_bits
        if width > _WIDEST:
            continue
        memories: list[Memory] = ["logic", "bram"]
        if -(-width // 16) <= spram and layer.weights.size // (pe * simd) <= cost.SPRAM_WORDS:
            memories.append("spram")
        found += [Fold(pe, simd, memory) for memory in memories]
    return found


def divisors(number: int) -> list[int]:
    """Return all divisors of `number`, rising."""
    return [n for n in range(1, number + 1) if number % n == 0]
