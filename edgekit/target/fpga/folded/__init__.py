"""Folded style: a dataflow of units, each layer as parallel as the wanted rate asks for."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np

from edgekit.errors import DoesNotFitError, UnsupportedError
from edgekit.ir.graph import Graph
from edgekit.ir.types import DType
from edgekit.target.fpga.core import Core, Resources
from edgekit.target.fpga.folded import cost, emit, memory, timing
from edgekit.target.fpga.folded.assemble import Ends, Fold, assemble, ends
from edgekit.target.fpga.folded.buffers import check_buffers, size_buffers
from edgekit.target.fpga.folded.fold import choose, clocks, least_clocks
from edgekit.target.fpga.folded.layers import Ints, Layer, MatVec, Stream
from edgekit.target.fpga.folded.lower import lower
from edgekit.target.fpga.folded.units import Gather, Product, Unit

__all__ = ["generate"]

_FIRST_WORDS = 8  # clocks after a reset until every memory shows its first word


def generate(graph: Graph, resources: Resources, *, rate_hz: float, clock_hz: float) -> Core:
    """Return the core of `graph`, the cheapest by the model that keeps the rate.

    Args:
        graph: checked, of low-bit layers, thresholds and pools.
        resources: what the part has left for the core.
        rate_hz: inferences a second.
        clock_hz: clock of the core.

    Raises:
        UnsupportedError: a node that this style does not serve, or an output of padding alone.
        DoesNotFitError: the rate or the part cannot be kept; names layer and what is missing.
    """
    first, layers, last = lower(graph)
    _refuse_rate(graph, first, layers, resources, rate_hz, clock_hz)
    lanes, folds = choose(first, layers, resources, int(clock_hz / rate_hz))
    return build(graph, first, layers, last, lanes, folds)


def build(
    graph: Graph,
    first: Stream,
    layers: list[Layer],
    last: Stream,
    lanes: int,
    folds: tuple[Fold, ...],
) -> Core:
    """Return the core of layers whose folds are chosen."""
    between = ends(first, lanes, last)
    in_beats, out_beats = first.size // between.in_lanes, last.size // between.out_lanes
    units = size_buffers(assemble(layers, folds, first, between))
    check_buffers(units)
    still_at, shown = timing.at_rest(tuple(units))
    if shown:
        raise UnsupportedError(
            f"{layers[-1].label}: what comes out first depends on padding alone, and would come "
            "before the input",
            hint="end with a dense layer, or with windows that reach into the image",
        )
    latency, interval = timing.exact(tuple(units), in_beats, out_beats)
    comment = _comment(graph, layers, folds, latency, interval)
    text = emit.core_text(units, first, last, between, comment)
    return Core(
        style="folded",
        files={PurePosixPath("rtl/ek_core.v"): text.encode()},
        blocks=emit.blocks(units),
        in_width=between.in_width,
        in_beats=in_beats,
        out_width=between.out_width,
        out_beats=out_beats,
        kept_bytes=_kept_bytes(graph, first, between),
        latency_cycles=latency,
        interval_cycles=interval,
        weights=_loaded(units),
        estimate=cost.total(units),
        rest_cycles=still_at + _FIRST_WORDS,
    )


def _refuse_rate(
    graph: Graph,
    first: Stream,
    layers: list[Layer],
    resources: Resources,
    rate_hz: float,
    clock_hz: float,
) -> None:
    slowest, least = least_clocks(first, layers, resources)
    if least * rate_hz > clock_hz:
        raise DoesNotFitError(
            f"{graph.name} folded takes {least:,} clocks an inference or more ({slowest}): at "
            f"{clock_hz / 1e6:g} MHz that is at most {clock_hz / least:,.0f} inferences per "
            f"second, {rate_hz:,.0f} are wanted",
            hint="lower the rate, raise the clock or make the layer smaller",
        )


def _comment(
    graph: Graph, layers: list[Layer], folds: tuple[Fold, ...], latency: int, interval: int
) -> list[str]:
    lines = [f"{graph.name}: folded, {interval} clocks an inference, {latency} from in to out.", ""]
    for layer, fold in zip(layers, folds, strict=True):
        how = f"{fold.lanes} outputs"
        if isinstance(layer, MatVec):
            what = "lists of weights" if fold.lists else "weights"
            how += f" x {fold.simd} inputs a clock, {what} in {fold.memory}"
        lines.append(f"{layer.label}: {type(layer).__name__}, {clocks(layer, fold)} clocks, {how}")
    return lines


def _kept_bytes(graph: Graph, first: Stream, between: Ends) -> tuple[int, ...]:
    """The place among the input's wire bytes of each byte of the beats."""
    tensor = graph.tensors[graph.inputs[0].tensor]
    if tensor.dtype is not DType.BINARY:
        size = between.in_bits // 8
        places: Ints = first.order[:, None] * size + np.arange(size)
        return tuple(int(place) for place in places.reshape(-1))
    columns = tensor.shape[-1]
    rows = tensor.size // columns
    stored = -(-columns // 32) * 4
    used = -(-columns // 8)
    places = np.arange(rows)[:, None] * stored + np.arange(used)
    return tuple(int(place) for place in places.reshape(-1))


def _loaded(units: list[Unit]) -> bytes:
    """The 16-bit words of all weights in SPRAM, in the order of the layers."""
    words: list[int] = []
    for unit in units:
        match unit:
            case Gather(memory="spram"):
                words += memory.lanes(memory.lists(unit), unit.list_width)
            case Product(memory="spram", lists=None):
                words += memory.lanes(memory.weights(unit), unit.spram_bits)
            case Product(memory="pair"):
                for each in memory.pair_of(units, unit):
                    words += memory.packed(memory.weights(each))
            case _:
                continue
    return np.array(words, "<u2").tobytes()
