"""How parallel each layer is made: the cheapest that keeps the wanted rate, by a model.

Clocks of a layer are the product of its folds: windows x groups of neurons x groups of inputs. The
units work at the same time, so the slowest alone sets the rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, log2
from typing import assert_never

import numpy as np

from edgekit.errors import DoesNotFitError
from edgekit.target.fpga.core import Resources
from edgekit.target.fpga.estimate import ERROR
from edgekit.target.fpga.folded import cost
from edgekit.target.fpga.folded.assemble import (
    Fold,
    in_lanes,
    joined,
    list_lengths,
    out_bits,
    own_units,
)
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
from edgekit.target.fpga.folded.units import NIBBLE_BITS, NIBBLES

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


def least_clocks(first: Stream, layers: Sequence[Layer], room: Resources) -> tuple[str, int]:
    """Return the slowest of input and layers at its most parallel, and its clocks."""
    found = [("the input", min(first.size // n for n in in_lanes(first)))]
    for layer in layers:
        found.append((layer.label, min(clocks(layer, f) for f in _folds(layer, room.spram))))
    return max(found, key=lambda row: row[1])


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
    options = [_options(layer, room, most_clocks) for layer in layers]
    best = _cheapest(layers, options, room, wide[0] * first.bits, first.bits)
    if best is None:
        least = [min(option.taken.bram for option in each) for each in options]
        raise _too_large(layers, least, room.bram, "block RAMs")
    if sum(best.luts) * (1 - ERROR) > room.lut:
        raise _too_large(layers, best.luts, room.lut, "LUTs")
    return wide[0], best.folds


@dataclass(frozen=True, slots=True)
class _Option:
    """A fold of a layer, the words that it reads and sends, and what it takes."""

    fold: Fold
    in_width: int
    out_width: int
    taken: Resources  # but SPRAM
    half_sprams: int


@dataclass(frozen=True, slots=True)
class _Way:
    """Folds of the first layers, and the LUTs of each."""

    folds: tuple[Fold, ...] = ()
    luts: tuple[int, ...] = ()


def _options(layer: Layer, room: Resources, most_clocks: int) -> list[_Option]:
    """The folds that are fast enough, without those that another beats in everything."""
    possible = list(_folds(layer, room.spram))
    tried = [fold for fold in possible if clocks(layer, fold) <= most_clocks]
    if not tried:
        least = min(clocks(layer, fold) for fold in possible)
        raise DoesNotFitError(
            f"{layer.label}: {least} clocks an inference at its most parallel, {most_clocks} "
            "are there",
            hint="lower the rate, raise the clock or make the layer smaller",
        )
    kept: dict[tuple[int, int, int, int], _Option] = {}
    for fold in tried:
        units = size_buffers(own_units("layer", layer, fold))
        taken, halves = cost.total(units), sum(map(cost.half_sprams, units))
        option = _Option(fold, units[0].in_width, units[-1].out_width, taken, halves)
        key = (option.in_width, option.out_width, taken.bram, halves)
        if key not in kept or taken.lut < kept[key].taken.lut:
            kept[key] = option
    return list(kept.values())


def _cheapest(
    layers: Sequence[Layer],
    options: Sequence[Sequence[_Option]],
    room: Resources,
    width: int,
    bits: int,
) -> _Way | None:
    """The folds of least price: all sums of block RAM and SPRAM, each with its fewest LUTs."""
    ways = {(0, 0, width): _Way()}
    for layer, choices in zip(layers, options, strict=True):
        after: dict[tuple[int, int, int], _Way] = {}
        for (bram, halves, have), way in ways.items():
            for option in choices:
                taken = option.taken
                key = (bram + taken.bram, halves + option.half_sprams, option.out_width)
                if key[0] > room.bram or key[1] > 2 * room.spram:
                    continue
                lut = taken.lut + _joining(have, option.in_width, bits)
                if key not in after or sum(way.luts) + lut < sum(after[key].luts):
                    after[key] = _Way((*way.folds, option.fold), (*way.luts, lut))
        ways, bits = after, out_bits(layer, bits)
    fits = {key: way for key, way in ways.items() if sum(way.luts) * (1 - ERROR) <= room.lut}
    found = fits or ways
    if not found:
        return None

    def price(key: tuple[int, int, int]) -> float:
        taken = Resources(sum(found[key].luts), 0, bram=key[0], spram=ceil(key[1] / 2))
        return cost.price(taken, room)

    return found[min(found, key=price)]


@cache
def _joining(have: int, want: int, bits: int) -> int:
    """LUTs of the converters between two widths."""
    return cost.total(joined("join", have, want, bits)).lut


def _too_large(
    layers: Sequence[Layer], used: Sequence[int], room: int, what: str
) -> DoesNotFitError:
    most = max(range(len(used)), key=lambda place: used[place])
    return DoesNotFitError(
        f"{layers[most].label}: the network needs about {sum(used):,} {what} of {room:,}, "
        f"this layer {used[most]:,} of them",
        hint="lower the rate, make the layer smaller or take a larger part",
    )


def _folds(layer: Layer, spram: int) -> Iterator[Fold]:
    """All folds of a layer whose weight words are not absurdly wide."""
    if not isinstance(layer, MatVec):
        channels = (
            layer.channels if isinstance(layer, Thermometer | Steps) else (layer.window.channels)
        )
        yield from (Fold(n, memory="bram") for n in divisors(channels))
        return
    if layer.depthwise:
        # A multiplier's outputs of one input follow each other: several lanes would mix them.
        most = layer.window.channels if layer.start.shape[1] == 1 else 1
        pairs = [(n, 1) for n in divisors(most)]
    else:
        pairs = [
            (pe, simd) for pe in divisors(layer.neurons) for simd in divisors(layer.window.channels)
        ]
    for pe, simd in pairs:
        width, depth = pe * simd * layer.weight_bits, layer.weights.size // (pe * simd)
        if width > _WIDEST:
            continue
        yield Fold(pe, simd, "logic")
        yield Fold(pe, simd, "bram")
        if depth <= cost.SPRAM_WORDS:
            for sprams in range(1, min(spram, cost.spram(width)) + 1):
                yield Fold(pe, simd, "spram", sprams=sprams)
        narrow = width <= NIBBLE_BITS and depth % NIBBLES == 0
        if spram and narrow and depth <= 2 * cost.SPRAM_WORDS:
            yield Fold(pe, simd, "pair")
    yield from _list_folds(layer, spram)


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
