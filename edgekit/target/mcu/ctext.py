"""C source text: arrays, nested initializers, comments. Deterministic, 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = "int | str | Mapping[str, Value]"

_COLUMNS = 100
_INT32_MIN = -(2**31)


def integer(value: int) -> str:
    """Return an int32 literal; the lowest one has no literal of its own in C."""
    return "(-2147483647 - 1)" if value == _INT32_MIN else str(value)


def float32(value: float) -> str:
    """Return a literal that every correctly rounding compiler reads as the float32 `value`."""
    digits = f"{value:.9g}"
    return f"{digits}F" if "." in digits or "e" in digits else f"{digits}.0F"


def array(values: Sequence[int]) -> str:
    """Return a brace-enclosed initializer, wrapped at 100 columns."""
    return "{\n" + _wrapped([integer(v) for v in values]) + "}"


def _wrapped(items: Sequence[str]) -> str:
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > _COLUMNS:
            lines.append(line)
            line = "   "
        line += f" {item},"
    lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def total(to: str, values: str, added: Sequence[int], taken: Sequence[int]) -> str:
    """Return the statement that sets `to` to the sum of elements of `values`, some taken away."""
    terms = [f"+ {values}[{i}]" for i in added] + [f"- {values}[{i}]" for i in taken]
    if not terms:
        return f"    {to} = 0;\n"
    first = terms[0].removeprefix("+ ").replace("- ", "-")
    lines, line = [], f"    {to} = {first}"
    for term in terms[1:]:
        if len(line) + len(term) + 2 > _COLUMNS:
            lines.append(line)
            line = "       "
        line += f" {term}"
    return "\n".join([*lines, f"{line};\n"])


def initializer(fields: Mapping[str, Value], depth: int = 0) -> str:
    """Return a designated initializer, one field a line, nested ones indented."""
    indent = "    " * (depth + 1)
    rows = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            text = initializer(value, depth + 1)
        else:
            text = integer(value) if isinstance(value, int) else value
        rows.append(f"{indent}.{name} = {text},\n")
    return "{\n" + "".join(rows) + "    " * depth + "}"


def comment(text: str) -> str:
    """Return `text` made safe inside a C comment: labels come from the user's model file."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in text)
    # Backslashes go first: what replaces them must not end the comment.
    plain = plain.replace("\\", "/").replace("?/", "? /")
    return plain.replace("*/", "* /").replace("/*", "/ *")


def string(text: str) -> str:
    """Return a C string literal."""
    plain = comment(text).replace('"', "'")
    return f'"{plain}"'
