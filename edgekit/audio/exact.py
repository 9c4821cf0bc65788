"""Tables whose rounded values are the same on every machine: decimal arithmetic, 50 digits.

Python's decimal module rounds each operation and `ln` correctly whatever the machine; a C library's
cosine does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import cache

_DIGITS = 50
_CONTEXT = Context(prec=_DIGITS, rounding=ROUND_HALF_EVEN)
_SMALL = Decimal(10) ** -(_DIGITS + 5)  # where a series ends
# Far above the error of a series, far below the distance of any other value to a half.
_TIE = Decimal("1e-30")


def cosine(turns: Decimal) -> Decimal:
    """Return cos(2 pi * turns) by its Taylor series, after reduction to an eighth of a turn."""
    with localcontext(_CONTEXT):
        x = abs(turns) % 1
        x = min(x, 1 - x)
        if x > Decimal("0.25"):
            return -cosine(Decimal("0.5") - x)
        if x > Decimal("0.125"):
            return _taylor(2 * _pi() * (Decimal("0.25") - x), first=1)
        return _taylor(2 * _pi() * x, first=0)


def sine(turns: Decimal) -> Decimal:
    """Return sin(2 pi * turns)."""
    return cosine(turns - Decimal("0.25"))


def ln(x: Decimal) -> Decimal:
    """Return the natural logarithm of a positive number."""
    with localcontext(_CONTEXT):
        return x.ln()


def log2(x: Decimal) -> Decimal:
    """Return the logarithm to base 2 of a positive number."""
    with localcontext(_CONTEXT):
        return x.ln() / Decimal(2).ln()


def integers(values: Iterable[Decimal]) -> tuple[int, ...]:
    """Return the nearest integers, and of two equally near ones the even one."""
    return tuple(map(_integer, values))


def _integer(value: Decimal) -> int:
    """Round a value that carries the error of a series: what should be a half counts as one."""
    with localcontext(_CONTEXT):
        half = (2 * value).to_integral_value() / 2
        nearest = half if abs(value - half) < _TIE else value
        return int(nearest.to_integral_value())


def _taylor(x: Decimal, first: int) -> Decimal:
    """Return the sum of (-1)^k x^(2k + first) / (2k + first)!: a cosine, or for 1 a sine."""
    term = x if first else Decimal(1)
    total, n = term, first
    while abs(term) > _SMALL:
        term = -term * x * x / ((n + 1) * (n + 2))
        total, n = total + term, n + 2
    return total


@cache
def _pi() -> Decimal:
    """Return pi by Machin's formula, 16 arctan(1/5) - 4 arctan(1/239)."""
    with localcontext(_CONTEXT):
        return 16 * _arctan_of_inverse(5) - 4 * _arctan_of_inverse(239)


def _arctan_of_inverse(n: int) -> Decimal:
    power, total, k = 1 / Decimal(n), Decimal(0), 1
    sign = 1
    while power > _SMALL:
        total += sign * power / k
        power, k, sign = power / (n * n), k + 2, -sign
    return total
