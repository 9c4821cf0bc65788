"""A truth table of at most four inputs as a short Verilog expression."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product

Cube = tuple[int, ...]  # for each input 0, 1 or 2 (does not matter)


def expression(table: int, names: Sequence[str]) -> str:
    """Return `table` over `names` as sums of products and exclusive ors; needs no brackets."""
    count = len(names)
    for place in range(count):
        low, high = _cofactors(table, count, place)
        if low == high ^ ((1 << (1 << (count - 1))) - 1):
            rest = [name for k, name in enumerate(names) if k != place]
            inner = expression(low, rest) if rest else str(low)
            if inner in ("0", "1"):
                return ("~" if inner == "1" else "") + names[place]
            return f"{names[place]} ^ " + (inner if _is_plain(inner) else f"({inner})")
    on, off = _cover(table, count), _cover(table ^ ((1 << (1 << count)) - 1), count)
    if _size(off) < _size(on):
        return "~(" + _sum(off, names) + ")"
    return _sum(on, names)


def _is_plain(text: str) -> bool:
    return "&" not in text and "|" not in text


def _sum(cubes: tuple[Cube, ...], names: Sequence[str]) -> str:
    products = []
    for cube in cubes:
        literals = [("", "~")[v == 0] + name for v, name in zip(cube, names, strict=True) if v < 2]
        text = " & ".join(literals)
        products.append(f"({text})" if len(literals) > 1 and len(cubes) > 1 else text)
    return " | ".join(products)


def _size(cubes: tuple[Cube, ...]) -> int:
    return sum(1 + sum(v < 2 for v in cube) for cube in cubes)


def _cofactors(table: int, count: int, place: int) -> tuple[int, int]:
    halves = [0, 0]
    for index in range(1 << count):
        rest = (index & ((1 << place) - 1)) | (index >> (place + 1) << place)
        halves[index >> place & 1] |= (table >> index & 1) << rest
    return halves[0], halves[1]


@cache
def _cover(table: int, count: int) -> tuple[Cube, ...]:
    """Return few cubes that cover exactly the ones of `table`: largest gain first."""
    left = {index for index in range(1 << count) if table >> index & 1}
    implicants = [
        (cube, members)
        for cube in product((2, 0, 1), repeat=count)
        if (members := _members(cube)) <= left
    ]
    cubes = []
    while left:
        cube, members = max(implicants, key=lambda entry: len(entry[1] & left))
        cubes.append(cube)
        left -= members
    return tuple(cubes)


def _members(cube: Cube) -> set[int]:
    choices = [(0, 1) if v == 2 else (v,) for v in cube]
    return {sum(v << k for k, v in enumerate(values)) for values in product(*choices)}
