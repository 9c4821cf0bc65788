"""Between the bits of a tensor's wire bytes and words (`edgekit.ir.edges` has the layout)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.types import DType, Tensor
from edgekit.target.fpga.hardwired.circuit import FALSE, TRUE, Bit, Builder
from edgekit.target.fpga.hardwired.plan import Costs
from edgekit.target.fpga.hardwired.sums import full, row_of
from edgekit.target.fpga.hardwired.word import Word

Words = NDArray[Any]  # of Word, in the tensor's shape

_WORD_BITS = 32
_STORED_BITS = {DType.INT16: 16, DType.INT32: 32}


def stored_bits(tensor: Tensor) -> int:
    """Return how many bits the wire bytes of `tensor` have."""
    if tensor.dtype is DType.BINARY:
        rows = tensor.size // tensor.shape[-1]
        return rows * -(-tensor.shape[-1] // _WORD_BITS) * _WORD_BITS
    return tensor.size * _STORED_BITS.get(tensor.dtype, 8)


def words_from_wire(builder: Builder, tensor: Tensor) -> Words:
    """Return the words of `tensor` when input k of the circuit is bit k of its wire bytes."""
    words = np.empty(tensor.size, object)
    last = tensor.shape[-1]
    for k in range(tensor.size):
        if tensor.dtype is DType.BINARY:
            place = k // last * -(-last // _WORD_BITS) * _WORD_BITS + k % last
            words[k] = Word.binary(builder.input(place))
        else:
            place = k * _STORED_BITS.get(tensor.dtype, 8)
            words[k] = Word.signed(
                tuple(builder.input(place + i) for i in range(tensor.dtype.bits))
            )
    return words.reshape(tensor.shape)


def wire_from_words(builder: Builder, tensor: Tensor, words: Words, costs: Costs) -> list[Bit]:
    """Return the bits of the wire bytes of `words`."""
    if tensor.dtype is not DType.BINARY:
        width = _STORED_BITS.get(tensor.dtype, 8)
        return [bit for word in words.flat for bit in signed_bits(builder, word, width, costs)]
    bits: list[Bit] = []
    for row in words.reshape(-1, tensor.shape[-1]):
        bits += [binary_bit(word) for word in row]
        bits += [FALSE] * (-len(row) % _WORD_BITS)
    return bits


def binary_bit(word: Word) -> Bit:
    """Return the bit of a word that is -1 or +1."""
    if not word.bits:
        return TRUE if word.offset > 0 else FALSE
    if (word.bits[1:], word.offset, word.scale) != ((), -1, 2):
        raise AssertionError(f"{word} is not a word of -1 and +1")
    return word.bits[0]


def signed_bits(builder: Builder, word: Word, width: int, costs: Costs) -> tuple[Bit, ...]:
    """Return `word` in two's complement of `width` bits, which hold it."""
    bits = word.twos_complement(width)
    if bits is None:
        (summed,) = full(builder, [row_of(0, [(1, word)])], costs)
        bits = summed.twos_complement(width)
    if bits is None:
        raise AssertionError(f"the sum {summed} has a plain form")
    return bits
