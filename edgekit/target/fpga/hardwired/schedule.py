"""In which register stage each cell of a circuit works, and what crosses from stage to stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.target.fpga.hardwired.circuit import (
    TRUE,
    Adder,
    Cell,
    Circuit,
    Lut,
    inputs_of,
    width_of,
)

# Of iCE40 UP5K as nextpnr 0.4 times it, rounded: a table and the wires to it; onto a carry chain,
# along it for each bit, and off it.
_LUT_NS = 3.0
_ONTO_CHAIN_NS = 2.6
_CHAIN_BIT_NS = 0.28
_SUM_NS = 1.3
_OFF_CHAIN_NS = 1.6


@dataclass(frozen=True, slots=True)
class Schedule:
    """`stage[k]` of each cell; `last_use` of each signal: the last stage that reads it.

    Stages count from 0; outputs are read in stage `stages`, behind the last registers.
    """

    stages: int
    stage: tuple[int, ...]
    ready: dict[int, int]  # by signal: the stage in which it is computed, 0 for inputs
    last_use: dict[int, int]

    @property
    def registers(self) -> int:
        """Flip-flops of all signals that cross stages."""
        return sum(last - self.ready[signal] for signal, last in self.last_use.items())


def by_layer(circuit: Circuit) -> Schedule:
    """Return the schedule with one stage a layer."""
    layers = sorted({cell.layer for cell in circuit.cells})
    place = {layer: k for k, layer in enumerate(layers)}
    return _schedule(circuit, [place[cell.layer] for cell in circuit.cells], max(len(layers), 1))


def in_stages(circuit: Circuit, stages: int) -> Schedule:
    """Return the schedule in `stages` stages of nearly equal delay, registers inside layers."""
    low, high = 0.0, sum(_delay_ns(cell) for cell in circuit.cells) + 1
    best = _within(circuit, high)
    while high - low > 0.05:
        period_ns = (low + high) / 2
        found = _within(circuit, period_ns)
        if found is not None and max(found, default=0) < stages:
            best, high = found, period_ns
        else:
            low = period_ns
    return _schedule(circuit, best or [], stages)


def critical_path_ns(circuit: Circuit, schedule: Schedule) -> float:
    """Return the longest delay within one stage by the rounded figures above."""
    arrival: dict[int, float] = {}
    longest = 0.0
    for cell, stage in zip(circuit.cells, schedule.stage, strict=True):
        at = [arrival.get(s, 0.0) if schedule.ready[s] == stage else 0.0 for s in inputs_of(cell)]
        for signal, moment in _outputs_ns(cell, max(at, default=0.0)):
            arrival[signal] = moment
            longest = max(longest, moment)
    return longest


def _within(circuit: Circuit, period_ns: float) -> list[int] | None:
    """Return the earliest stage of each cell with this period; None: a cell alone is slower."""
    ready: dict[int, tuple[int, float]] = {}
    stages: list[int] = []
    for cell in circuit.cells:
        if _delay_ns(cell) > period_ns:
            return None
        stage, at = max((ready.get(s, (0, 0.0)) for s in inputs_of(cell)), default=(0, 0.0))
        if at + _delay_ns(cell) > period_ns:
            stage, at = stage + 1, 0.0
        stages.append(stage)
        for signal, moment in _outputs_ns(cell, at):
            ready[signal] = (stage, moment)
    return stages


def _outputs_ns(cell: Cell, at: float) -> list[tuple[int, float]]:
    if isinstance(cell, Lut):
        return [(cell.signal, at + _LUT_NS)]
    onto = at + _ONTO_CHAIN_NS
    sums = [onto + i * _CHAIN_BIT_NS + _SUM_NS for i in range(len(cell.a))]
    sums.append(onto + len(cell.a) * _CHAIN_BIT_NS + _OFF_CHAIN_NS)
    return [(cell.signal + i, moment) for i, moment in enumerate(sums)]


def _delay_ns(cell: Cell) -> float:
    if isinstance(cell, Adder):
        return _ONTO_CHAIN_NS + len(cell.a) * _CHAIN_BIT_NS + _OFF_CHAIN_NS
    return _LUT_NS


def _schedule(circuit: Circuit, stage: Sequence[int], stages: int) -> Schedule:
    ready = {signal: 0 for signal in range(1, circuit.inputs + 1)}
    last_use: dict[int, int] = {}
    for cell, at in zip(circuit.cells, stage, strict=True):
        for signal in range(cell.signal, cell.signal + width_of(cell)):
            ready[signal] = at
        for signal in inputs_of(cell):
            last_use[signal] = max(last_use.get(signal, 0), at)
    for bit in circuit.outputs:
        if bit > TRUE:
            last_use[bit >> 1] = stages
    return Schedule(stages, tuple(stage), ready, last_use)
