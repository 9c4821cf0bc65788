"""Values as Verilog writes them."""

from __future__ import annotations


def number(value: int) -> str:
    """Return a parameter's value with its width, which a number of its own has not."""
    return f"32'd{value}"


def vector(data: bytes, size: int) -> str:
    """Return `data`, padded with zeros, as a Verilog number whose lowest byte is the first."""
    return f"{8 * size}'h{data.ljust(size, bytes(1))[::-1].hex().upper()}"
