"""Tensors as 32-bit words of an AXI stream: the bytes of SPEC section 7, filled up to words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.types import DType, Tensor

_WORD_BYTES = 4
_BITS = {DType.INT16: 16, DType.INT32: 32}  # of an element; BINARY has rows of bits, others bytes


def call(tensor: Tensor, verb: str) -> str:
    """Return the function of ek_stream.hpp that receives or sends `tensor`."""
    if tensor.dtype is DType.BINARY:
        columns = tensor.shape[-1]
        return f"ek::{verb}_bits<{tensor.size // columns}, {columns}>"
    return f"ek::{verb}_integers<{tensor.size}, {_BITS.get(tensor.dtype, 8)}>"


def size_bytes(tensor: Tensor) -> int:
    """Return the bytes of `tensor` as a board stores it."""
    if tensor.dtype is DType.BINARY:
        columns = tensor.shape[-1]
        return tensor.size // columns * -(-columns // 32) * _WORD_BYTES
    return tensor.size * _BITS.get(tensor.dtype, 8) // 8


def size_words(tensor: Tensor) -> int:
    """Return the words of `tensor` on the stream."""
    return -(-size_bytes(tensor) // _WORD_BYTES)


def to_hex(stored: NDArray[np.int8]) -> str:
    """Return the rows of `stored`, (n, bytes), as words, eight hexadecimal digits a line."""
    spare = -stored.shape[1] % _WORD_BYTES
    filled = np.ascontiguousarray(np.pad(stored, ((0, 0), (0, spare))))
    return filled.view("<u4").astype(">u4").tobytes().hex("\n", _WORD_BYTES) + "\n"


def from_hex(text: str, count: int, row_bytes: int) -> NDArray[np.int8]:
    """Return `count` rows, (count, row_bytes), of words that `to_hex` writes.

    Raises:
        ValueError: other text, or another number of words.
    """
    words = np.frombuffer(bytes.fromhex(text), ">u4").astype("<u4")
    return words.reshape(count, -(-row_bytes // _WORD_BYTES)).view(np.int8)[:, :row_bytes]
