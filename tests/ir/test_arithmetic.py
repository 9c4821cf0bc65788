"""Requantization against exact rational arithmetic, written from docs/SPEC.md section 3."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import UnsupportedError
from edgekit.ir.arithmetic import (
    divide_by_power,
    float32_scale,
    float32_value,
    fused_multiply_add,
    high_product,
    quantize_multiplier,
    requantize,
    rescale,
    softmax_table,
)
from edgekit.ir.types import Requant, Rounding


def away(value: Fraction) -> int:
    """Nearest integer, ties away from zero."""
    whole = math.floor(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def f32(value: Fraction) -> Fraction:
    """Round to 24 significant bits, ties to even: float32 without exponent limits."""
    if value == 0:
        return value
    exponent = math.frexp(abs(value.numerator) / value.denominator)[1]
    for guess in (exponent - 1, exponent, exponent + 1):
        if Fraction(2) ** (guess - 1) <= abs(value) < Fraction(2) ** guess:
            unit = Fraction(2) ** (guess - 24)
            return round(value / unit) * unit  # Fraction rounds halves to even
    raise AssertionError(value)


def exact(acc: int, multiplier: int, shift: int, rounding: Rounding) -> int:
    if rounding is Rounding.FLOAT32_RNE:
        return round(f32(f32(Fraction(acc)) * multiplier * Fraction(2) ** shift))
    if rounding is Rounding.SINGLE:
        return half_up(Fraction(acc * multiplier) * Fraction(2) ** (shift - 31))
    value = half_up(Fraction(acc * 2 ** max(shift, 0) * multiplier, 2**31))
    rest = Fraction(value, 2 ** max(-shift, 0))
    return away(rest) if rounding is Rounding.DOUBLE else half_up(rest)


def run(acc: int, multiplier: int, shift: int, rounding: Rounding) -> int:
    result = rescale(np.array([acc]), np.array([multiplier]), np.array([shift]), rounding)
    return int(result[0])


@st.composite
def fixed_cases(draw: st.DrawFn) -> tuple[int, int, int]:
    """(acc, multiplier, shift) whose results spread over about [-300, 300], with many ties."""
    shift = draw(st.integers(-20, 6))
    multiplier = draw(
        st.one_of(
            st.integers(2**30, 2**31 - 1),
            st.sampled_from([2**30, 2**30 + 1, 2**31 - 1, 3 * 2**29]),
        )
    )
    target = draw(st.integers(-600, 600))  # twice the result: odd ones aim at ties
    centre = Fraction(target, 2) / (Fraction(multiplier) * Fraction(2) ** (shift - 31))
    acc = round(centre) + draw(st.integers(-2, 2))
    limit = (2**31 - 1) >> max(shift, 0)
    return max(-limit, min(limit, acc)), multiplier, shift


@pytest.mark.parametrize("rounding", [Rounding.DOUBLE, Rounding.TIES_UP, Rounding.SINGLE])
@settings(max_examples=600, deadline=None)
@given(case=fixed_cases())
def test_fixed_point_rounding_is_exact(rounding, case):
    assert run(*case, rounding) == exact(*case, rounding)


@settings(max_examples=1000, deadline=None)
@given(
    target=st.integers(-600, 600),
    mantissa=st.one_of(st.integers(2**23, 2**24 - 1), st.sampled_from([2**23, 2**23 + 1])),
    exponent=st.integers(-50, -20),
    offset=st.integers(-3, 3),
)
def test_float32_rounding_is_exact(target, mantissa, exponent, offset):
    centre = Fraction(target, 2) / (mantissa * Fraction(2) ** exponent)
    acc = max(-(2**31) + 1, min(2**31 - 1, round(centre) + offset))
    wanted = exact(acc, mantissa, exponent, Rounding.FLOAT32_RNE)
    assert run(acc, mantissa, exponent, Rounding.FLOAT32_RNE) == wanted


@settings(max_examples=300, deadline=None)
@given(acc=st.integers(-(2**31) + 1, 2**31 - 1), mantissa=st.integers(2**23, 2**24 - 1))
def test_float32_integer_form_of_the_specification(acc, mantissa):
    def shifted(value: int, bits: int) -> int:
        return round(Fraction(value, 2**bits)) if bits > 0 else value << -bits

    exponent = -46
    k1 = max(acc.bit_length() - 24, 0)
    product = shifted(acc, k1) * mantissa
    k2 = max(product.bit_length() - 24, 0)
    result = shifted(shifted(product, k2), -(k1 + k2 + exponent))
    assert run(acc, mantissa, exponent, Rounding.FLOAT32_RNE) == result


def test_float32_rounds_large_accumulators_first():
    # 2**24 + 1 is no float32 number: it becomes 2**24, so the tie 2**24 + 1 / 2 never arises.
    scale = (2**23, -24)  # one half
    assert run(2**24 + 1, *scale, Rounding.FLOAT32_RNE) == 2**23
    assert run(2**24 + 3, *scale, Rounding.FLOAT32_RNE) == 2**23 + 2


def test_the_four_roundings_differ():
    # v is -3 and the rest is -1.5.
    results = {r: run(-3, 2**30, 0, r) for r in (Rounding.DOUBLE, Rounding.SINGLE)}
    assert results == {Rounding.DOUBLE: -1, Rounding.SINGLE: -1}
    tie = [run(-6, 2**30, -1, rounding) for rounding in list(Rounding)[:3]]
    assert tie == [-2, -1, -1]
    assert run(-6, 2**23, -25, Rounding.FLOAT32_RNE) == -2
    assert run(-10, 2**23, -25, Rounding.FLOAT32_RNE) == -2
    assert run(5, 2**30, -1, Rounding.DOUBLE) == 2
    assert run(5, 2**30, -1, Rounding.SINGLE) == 1


@settings(max_examples=600, deadline=None)
@given(acc=st.integers(-(2**30) + 1, 2**30 - 1), m=st.integers(2**30, 2**31 - 1), n=st.data())
def test_smmulr_form_equals_double(acc, m, n):
    shift = n.draw(st.integers(max(0, acc.bit_length() - 10), 20).filter(lambda s: s > 0))
    v = (2 * acc * m + 2**31) >> 32  # SMMULR(2 * acc, m)
    short = (v + (v >> 31) + (1 << (shift - 1))) >> shift
    assert short == run(acc, m, -shift, Rounding.DOUBLE)


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.integers(-5000, 5000), min_size=3, max_size=3),
    shifts=st.lists(st.integers(-8, 0), min_size=3, max_size=3),
)
def test_requantize_per_channel(values, shifts):
    multipliers = (2**30 + 7, 2**31 - 1, 1500000001)
    requant = Requant(multipliers, tuple(shifts), -5, -100, 90, Rounding.DOUBLE)
    wanted = [
        max(-100, min(90, exact(v, m, e, Rounding.DOUBLE) - 5))
        for v, m, e in zip(values, multipliers, shifts, strict=True)
    ]
    acc = np.array(values)
    np.testing.assert_array_equal(requantize(acc[np.newaxis], requant)[0], wanted)
    np.testing.assert_array_equal(requantize(acc[:, np.newaxis], requant, 0)[:, 0], wanted)


def test_zero_multiplier_gives_the_zero_point():
    for rounding in Rounding:
        requant = Requant((0,), (0,), 7, -128, 127, rounding)
        np.testing.assert_array_equal(requantize(np.array([-(2**31), 0, 2**30]), requant), 7)


@settings(max_examples=400, deadline=None)
@given(
    x=st.integers(-255, 255),
    scale=st.floats(2**-20, 2**10, width=32),
    tie=st.integers(-(2**24), 2**24),
    exponent=st.integers(-40, 10),
)
def test_fused_multiply_add_rounds_once(x, scale, tie, exponent):
    addend = np.float32(math.ldexp(tie, exponent))
    got = fused_multiply_add(np.array([x]), np.float32(scale), np.array([addend]))[0]
    assert Fraction(float(got)) == f32(x * Fraction(scale) + Fraction(float(addend)))


def test_fused_multiply_add_beyond_float64():
    # The exact sum lies one part in 2**60 above a float32 tie; float64 rounds to the tie.
    scale = np.float32(1 + 2**-23)
    addend = np.array([np.float32(2**-60)])
    tie = np.float32(2**24)
    near = fused_multiply_add(np.array([2**24 + 1]), np.float32(1), addend)[0]
    assert near == tie + 2
    assert fused_multiply_add(np.array([2**24 + 1]), np.float32(1), -addend)[0] == tie
    assert fused_multiply_add(np.array([3]), scale, np.zeros(1, np.float32))[0] == np.float32(
        3 + 3 * 2**-23
    )


@settings(max_examples=300, deadline=None)
@given(st.floats(2**-31, 2**29))
def test_quantize_multiplier_is_the_nearest(real):
    multiplier, shift = quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    unit = Fraction(2) ** (shift - 31)
    assert abs(multiplier * unit - Fraction(real)) <= unit / 2


def test_quantize_multiplier_limits():
    assert quantize_multiplier(0.0) == (0, 0)
    assert quantize_multiplier(1.0) == (2**30, 1)
    assert quantize_multiplier(1 - 2**-40) == (2**30, 1)
    assert quantize_multiplier(2.0**-32) == (2**30, -31)
    assert quantize_multiplier(2.0**-33) == (0, 0)
    assert quantize_multiplier((2**30 + 0.5) / 2**31) == (2**30 + 1, 0)  # halves go up
    with pytest.raises(UnsupportedError, match=r"^scale -1.0 cannot be represented: a finite"):
        quantize_multiplier(-1.0)
    with pytest.raises(UnsupportedError, match=r"^scale nan cannot be represented: a finite"):
        quantize_multiplier(math.nan)
    with pytest.raises(UnsupportedError, match=r"cannot be represented: below 2\*\*30 is wanted$"):
        quantize_multiplier(2.0**30)


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_float32_scale_round_trips(value):
    mantissa, exponent = float32_scale(np.float32(value))
    assert abs(mantissa) < 2**24
    assert Fraction(mantissa) * Fraction(2) ** exponent == Fraction(value)
    assert float32_value(mantissa, exponent) == np.float32(value)


def test_float32_scale_refuses_infinity():
    with pytest.raises(UnsupportedError, match=r"^scale inf cannot be represented: a finite"):
        float32_scale(np.float32(np.inf))


# The softmax of the reference, one value at a time, with its own truncating division.


def doubling_high_mul(a: int, b: int) -> int:
    product = a * b
    nudge = 2**30 if product >= 0 else 1 - 2**30
    total = product + nudge
    return total // 2**31 if total >= 0 else -(-total // 2**31)


def rounding_divide(value: int, exponent: int) -> int:
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (1 if value < 0 else 0)
    return (value >> exponent) + (1 if (value & mask) > threshold else 0)


def exp_on_negative(x: int) -> int:
    quarter = 1 << 24
    a = (x & (quarter - 1)) - quarter
    remainder = a - x
    z = a * 32 + (1 << 28)
    z2 = doubling_high_mul(z, z)
    z3 = doubling_high_mul(z2, z)
    z4 = doubling_high_mul(z2, z2)
    poly = rounding_divide(doubling_high_mul(rounding_divide(z4, 2) + z3, 715827883) + z2, 1)
    result = 1895147668 + doubling_high_mul(1895147668, z + poly)
    for k in range(-2, 5):
        if remainder & (1 << (26 + k)):
            factor = round(2**31 * math.exp(-(2.0**k)))
            result = doubling_high_mul(result, factor)
    return 2**31 - 1 if x == 0 else result


def scalar_entry(d: int, beta: float, scale: float) -> int:
    fraction, shift = math.frexp(min(beta * scale * 2**26, 2.0**31 - 1))
    multiplier = math.floor(fraction * 2**31 + 0.5)  # never 2**31 for the scales drawn
    if d < -math.floor(31 * 2**26 / 2**shift):
        return -1
    return exp_on_negative(doubling_high_mul(d << shift, multiplier))


@settings(max_examples=60, deadline=None)
@given(st.floats(2**-20, 40.0, width=32), st.sampled_from([1.0, 0.5, 2.0]))
def test_softmax_table_equals_the_scalar_algorithm(scale, beta):
    table = softmax_table(beta, scale)
    assert table.tolist() == [scalar_entry(-k, beta, scale) for k in range(256)]


def test_softmax_table_approximates_exp():
    table = softmax_table(1.0, 0.05)
    d = np.arange(256)
    np.testing.assert_allclose(table / 2**31, np.exp(-0.05 * d), atol=2e-7)
    assert not table.flags.writeable


def test_softmax_table_refuses_tiny_scales():
    message = (
        r"^softmax with beta 1.0 and input scale 1e-09: "
        r"their product must be above 2\*\*-26$"
    )
    with pytest.raises(UnsupportedError, match=message):
        softmax_table(1.0, 1e-9)


@settings(max_examples=300, deadline=None)
@given(st.integers(-(2**31) + 1, 2**31 - 1), st.integers(0, 31), st.integers(-(2**31), 2**31 - 1))
def test_helpers_equal_the_truncating_forms(value, exponent, other):
    assert int(divide_by_power(np.array(value), exponent)) == rounding_divide(value, exponent)
    assert int(divide_by_power(np.array(value), exponent)) == away(Fraction(value, 2**exponent))
    assert int(high_product(np.array(value), other)) == doubling_high_mul(value, other)
