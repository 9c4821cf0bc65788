"""Text from model files and tools, made safe to show on a terminal, in XML and in HTML."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return `text` with everything that does not print written as \xNN or \uNNNN.

    Line ends and tabs become one space: a name from a model file never moves the cursor, never
    makes XML ill-formed and never begins a line of its own.
    """
    return "".join(_one(c) for c in text)


def _one(char: str) -> str:
    if char in "\n\r\t":
        return " "
    if char.isprintable():
        return char
    return char.encode("unicode_escape").decode("ascii")
