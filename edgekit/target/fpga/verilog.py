"""Values as Verilog writes them."""

from __future__ import annotations

import re

# Words that a tool obeys where they begin a comment.
_OBEYED = re.compile(
    r"\W*(verilator|synopsys|synthesis|pragma|ambit|cadence|xilinx)", re.IGNORECASE
)
_LONGEST = 240


def plain(text: str) -> str:
    """Return `text`, which is from the user's model file, fit to stand inside a comment."""
    kept = "".join(c if " " <= c <= "~" and c not in "\\`" else "?" for c in text)
    return kept if len(kept) <= _LONGEST else f"{kept[:_LONGEST]}..."


def comment(text: str) -> str:
    """Return `text` as a comment to the end of its line, which no tool obeys."""
    kept = plain(text)
    return f"// {'name ' if _OBEYED.match(kept) else ''}{kept}".rstrip()


def number(value: int) -> str:
    """Return a parameter's value with its width, which a number of its own has not."""
    return f"32'd{value}"


def vector(data: bytes, size: int) -> str:
    """Return `data`, padded with zeros, as a Verilog number whose lowest byte is the first."""
    return f"{8 * size}'h{data.ljust(size, bytes(1))[::-1].hex().upper()}"
