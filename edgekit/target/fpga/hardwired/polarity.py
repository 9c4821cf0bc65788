"""Which signals are kept inverted, so that carry chains need few inverters.

A carry cell takes its operands as they are: a negated operand costs a look-up table of its own,
unless the cell before gives it inverted. A table can do that for nothing, and an adder whose
operands are all negated gives all its results negated (so does a full adder).
"""

from __future__ import annotations

from collections import defaultdict

from edgekit.target.fpga.hardwired.circuit import (
    TRUE,
    Adder,
    Bit,
    Cell,
    Circuit,
    Lut,
    width_of,
)


def with_few_inverters(circuit: Circuit) -> Circuit:
    """Return an equal circuit; adders are turned over one by one while that saves inverters."""
    adders = [cell for cell in circuit.cells if isinstance(cell, Adder)]
    maker = {cell.signal + i: k for k, cell in enumerate(adders) for i in range(width_of(cell))}
    carries = {cell.signal + len(cell.a) for cell in adders}
    turned = [0] * (len(adders) + 1)  # the last one stands for whoever compares outputs
    uses: dict[int, list[tuple[int, int]]] = defaultdict(list)  # by signal: (adder, negated)
    for k, bits in enumerate([*map(_operands, adders), circuit.compared]):
        for bit in bits:
            uses[bit >> 1].append((k, bit & 1))

    def polarities(signal: int) -> set[int]:
        own = turned[maker[signal]] if signal in maker else 0
        return {negated ^ turned[k] ^ own for k, negated in uses[signal]}

    def inverters(signals: set[int]) -> int:
        found = [(signal, polarities(signal)) for signal in signals]
        return sum(
            1 in wanted if signal <= circuit.inputs or signal in carries else len(wanted) == 2
            for signal, wanted in found
        )

    touched = [
        {bit >> 1 for bit in _operands(cell)}
        | set(range(cell.signal, cell.signal + width_of(cell)))
        for cell in adders
    ]
    better = True
    while better:
        better = False
        for k, signals in enumerate(touched):
            before = inverters(signals)
            turned[k] ^= 1
            if inverters(signals) < before:
                better = True
            else:
                turned[k] ^= 1
    fixed = set(range(circuit.inputs + 1)) | carries
    turned_over = {signal for signal, k in maker.items() if turned[k]}
    alone = {s for s in uses if s not in fixed and polarities(s) == {1}}
    return _inverted(circuit, turned_over, alone)


def _operands(cell: Adder) -> list[Bit]:
    return [bit for bit in (*cell.a, *cell.b, cell.carry_in) if bit > TRUE]


def _inverted(circuit: Circuit, turned: set[int], alone: set[int]) -> Circuit:
    """Return the circuit with the adders of signals `turned` over, then `alone` inverted."""
    signals = turned ^ alone

    def turn(bit: Bit) -> Bit:
        return bit ^ ((bit >> 1) in signals)

    cells: list[Cell] = []
    for cell in circuit.cells:
        if isinstance(cell, Lut):
            mask = sum(1 << i for i, signal in enumerate(cell.inputs) if signal in signals)
            size = 1 << len(cell.inputs)
            table = sum((cell.table >> (index ^ mask) & 1) << index for index in range(size))
            table ^= (cell.signal in signals) * ((1 << size) - 1)
            cells.append(Lut(cell.signal, cell.layer, table, cell.inputs))
            continue
        own = int(cell.signal in turned)
        a, b = (tuple(turn(bit) ^ own for bit in operand) for operand in (cell.a, cell.b))
        inverted = sum(1 << i for i in range(len(a)) if cell.signal + i in alone)
        carry_in = turn(cell.carry_in) ^ own
        cells.append(Adder(cell.signal, cell.layer, a, b, carry_in, inverted))
    outputs = tuple(turn(bit) for bit in circuit.outputs)
    return Circuit(circuit.inputs, tuple(cells), outputs, tuple(map(turn, circuit.compared)))
