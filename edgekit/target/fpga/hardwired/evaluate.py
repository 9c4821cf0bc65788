"""What a circuit computes, 64 samples in a word: no simulator and no clock."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.target.fpga.hardwired.circuit import Adder, Bit, Circuit, Lut

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def evaluate(circuit: Circuit, inputs: Bits) -> Bits:
    """Return the output bits [samples, outputs], 0 or 1, of input bits [samples, inputs]."""
    samples = inputs.shape[0]
    words = -(-samples // 64)
    values: dict[int, Words] = {0: np.zeros(words, np.uint64)}
    packed = np.zeros((inputs.shape[1], words * 8), np.uint8)
    packed[:, : -(-samples // 8)] = np.packbits(inputs.T, axis=1, bitorder="little")
    for k, row in enumerate(packed.view("<u8")):
        values[1 + k] = row.astype(np.uint64)
    for cell in circuit.cells:
        if isinstance(cell, Lut):
            arguments = [values[signal] for signal in cell.inputs]
            values[cell.signal] = _table(cell.table, arguments, words)
        else:
            _add(cell, values)
    outputs = np.stack([_value(bit, values) for bit in circuit.outputs])
    bits = np.unpackbits(outputs.astype("<u8").view(np.uint8), axis=1, bitorder="little")
    return np.ascontiguousarray(bits[:, :samples].T)


def _value(bit: Bit, values: dict[int, Words]) -> Words:
    return values[bit >> 1] ^ _ALL if bit & 1 else values[bit >> 1]


def _table(table: int, arguments: list[Words], words: int) -> Words:
    """Return the function by Shannon expansion from the last input."""
    if not arguments:
        return np.full(words, _ALL if table else 0, np.uint64)
    half = 1 << (len(arguments) - 1)
    low = _table(table & ((1 << half) - 1), arguments[:-1], words)
    high = _table(table >> half, arguments[:-1], words)
    return np.asarray(low ^ (arguments[-1] & (low ^ high)))


def _add(cell: Adder, values: dict[int, Words]) -> None:
    carry = _value(cell.carry_in, values)
    for i, (a_bit, b_bit) in enumerate(zip(cell.a, cell.b, strict=True)):
        a, b = _value(a_bit, values), _value(b_bit, values)
        sum_ = a ^ b ^ carry
        values[cell.signal + i] = sum_ ^ _ALL if cell.inverted >> i & 1 else sum_
        carry = (a & b) | (carry & (a ^ b))
    values[cell.signal + len(cell.a)] = carry
