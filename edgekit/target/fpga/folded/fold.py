"""How parallel each layer is made: the cheapest that keeps the wanted rate, by a model.

Clocks of a layer are the product of its folds: windows x groups of neurons x groups of inputs. The
units work at the same time, so the slowest alone sets the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, log2
from typing import assert_never

import numpy as np

from edgekit.errors import DoesNotFitError
from edgekit.target.fpga.core import Resources
from edgekit.target.fpga.estimate import ERROR
from edgekit.target.fpga.folded import cost
from edgekit.target.fpga.folded.assemble import Fold, in_lanes, layer_units, list_lengths, out_bits
from edgekit.target.fpga.folded.buffers import size_buffers
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

_PRICES = (1, 2, 4, 8, 16)
_NAMES = {"bram": "block RAMs", "lut": "LUTs"}
_SPARSE = 0.5  # share of zeros from which lists are tried
_WIDEST = 512  # bits of a weight word that are still tried


def clocks(layer: Layer, fold: Fold) -> int:
    """Return the clocks that `layer` needs for one inference when nobody waits.

    A window's words also come in one a clock, which is more where strides leave most of them out.
    """
    match layer:
        case MatVec() if fold.lists:
            return max(sum(list_lengths(layer, fold.lanes)), layer.inputs)
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
    # Where block RAM runs out at its fair price, it is made dearer.
    for dearer in _PRICES:
        priced = replace(room, bram=room.bram // dearer)
        folds, taken = _chosen(first, layers, priced, wide[0], most_clocks)
        missing = _missing(taken, room)
        if missing is None:
            return wide[0], folds
    raise _too_large(layers, taken, room, missing)


def _too_large(
    layers: Sequence[Layer], taken: Sequence[Resources], room: Resources, field: str | None
) -> DoesNotFitError:
    """The error that names what is missing and the layer that takes most of it."""
    key = field or "lut"
    used = [getattr(each, key) for each in taken]
    most = used.index(max(used))
    return DoesNotFitError(
        f"{layers[most].label}: the network needs about {sum(used):,} {_NAMES[key]} of "
        f"{getattr(room, key):,}, this layer {used[most]:,} of them",
        hint="lower the rate, make the layer smaller or take a larger part",
    )


def _chosen(
    first: Stream, layers: Sequence[Layer], room: Resources, lanes: int, most_clocks: int
) -> tuple[tuple[Fold, ...], list[Resources]]:
    """The cheapest fold of each layer behind the one before, and what it takes."""
    spram, bits = room.spram, first.bits
    folds, taken = [], []
    for layer in layers:
        fold = _fold(layer, lanes * bits, bits, replace(room, spram=spram), most_clocks)
        units = size_buffers(layer_units("layer", layer, fold, lanes * bits, bits))
        folds.append(fold)
        taken.append(cost.total(units))
        spram -= taken[-1].spram
        bits = out_bits(layer, bits)
        lanes = units[-1].out_width // bits
    return tuple(folds), taken


def _missing(taken: Sequence[Resources], room: Resources) -> str | None:
    """The field of Resources of which there is too little, if any; ERROR granted for LUTs."""
    if sum(each.bram for each in taken) > room.bram:
        return "bram"
    if sum(each.lut for each in taken) * (1 - ERROR) > room.lut:
        return "lut"
    return None


def _fold(layer: Layer, width: int, bits: int, room: Resources, most_clocks: int) -> Fold:
    possible = _folds(layer, room.spram)
    tried = [fold for fold in possible if clocks(layer, fold) <= most_clocks]
    if not tried:
        least = min(clocks(layer, fold) for fold in possible)
        raise DoesNotFitError(
            f"{layer.label}: {least} clocks an inference at its most parallel, {most_clocks} "
            "are there",
            hint="lower the rate, raise the clock or make the layer smaller",
        )

    def taken(fold: Fold) -> float:
        units = size_buffers(layer_units("layer", layer, fold, width, bits))
        return cost.price(cost.total(units), room)

    return min(tried, key=taken)


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
        if cost.spram(width) <= spram and layer.weights.size // (pe * simd) <= cost.SPRAM_WORDS:
            memories.append("spram")
        found += [Fold(pe, simd, memory) for memory in memories]
    return found + _list_folds(layer, spram)


def _list_folds(layer: MatVec, spram: int) -> list[Fold]:
    """Folds of a dense layer of which most weights are 0: only the others are stored and read."""
    zeros = 1 - np.count_nonzero(layer.weights) / layer.weights.size
    if layer.depthwise or layer.window.cells > 1 or layer.window.places > 1 or zeros < _SPARSE:
        return []
    index = max(1, ceil(log2(layer.inputs)))
    found = []
    for pe in divisors(layer.neurons):
        width = pe * (index + layer.weight_bits) + 1
        if width > _WIDEST:
            continue
        found.append(Fold(pe, 1, "bram", lists=True))
        if cost.spram(width) <= spram and sum(list_lengths(layer, pe)) <= cost.SPRAM_WORDS:
            found.append(Fold(pe, 1, "spram", lists=True))
    return found


def divisors(number: int) -> list[int]:
    """Return all divisors of `number`, rising."""
    return [n for n in range(1, number + 1) if number % n == 0]
