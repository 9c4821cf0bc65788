"""A sum's linear form equals the sum for every pair of integers."""

from dataclasses import replace

import numpy as np
import pytest
from writers.random_graphs import GraphBuilder

from edgekit.ir.arithmetic import quantize_multiplier
from edgekit.ir.interp.add import add
from edgekit.ir.nodes import Add
from edgekit.ir.types import Requant, Rounding
from edgekit.passes.linear_add import LinearAdd, linear_form

PAIRS = np.array([(a, b) for a in range(-128, 128) for b in range(-128, 128)], np.int64)


def drawn(seed: int, rounding: Rounding) -> Add:
    builder = GraphBuilder(seed, rounding, samples=1)
    x = builder.input(2)
    builder.add(x, x)
    return builder.nodes[-1]


def fixed(scale_a: float, scale_b: float, rounding: Rounding) -> Add:
    """Return a sum at the given real scales, as TFLite sets it up."""
    top = 2 * max(scale_a, scale_b)
    out = quantize_multiplier(top / 2**20)
    requant = Requant((out[0],), (out[1],), 3, -128, 127, rounding)
    pair = [quantize_multiplier(scale / top) for scale in (scale_a, scale_b)]
    return Add("ADD", "a", "b", "y", 5, -7, 20, *pair, requant)


def assert_equal(node: Add, form: LinearAdd) -> None:
    """Compare in int32, every partial sum, as the kernel computes it."""
    a, b = PAIRS.T
    parts = [form.a_factor * a, form.b_factor * b, form.b_factor * b + form.offset]
    total = parts[0] + parts[2]
    assert max(int(np.abs(part).max()) for part in (*parts, total)) < 2**31
    got = np.clip(total >> form.shift, node.requant.low, node.requant.high)
    np.testing.assert_array_equal(got, add(node, a, b))


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("seed", range(15))
def test_usual_sums_have_a_linear_form(seed, rounding):
    node = drawn(seed, rounding)
    form = linear_form(node)
    assert form is not None
    assert_equal(node, form)


@pytest.mark.parametrize("rounding", [Rounding.DOUBLE, Rounding.TIES_UP, Rounding.SINGLE])
@pytest.mark.parametrize("scales", [(0.5, 0.5), (1.0, 1.0), (0.25, 0.5), (1.5, 0.5), (0.01, 0.9)])
def test_ties_round_as_the_model_rounds_them(scales, rounding):
    node = fixed(*scales, rounding)
    form = linear_form(node)
    if form is not None:
        assert_equal(node, form)
    # Halves away from zero need a form that leans outward; one that floors would be wrong.
    plain = LinearAdd(round(scales[0] * 2**20), round(scales[1] * 2**20), 0, 20)
    with pytest.raises(AssertionError):
        assert_equal(node, plain)


def test_a_step_that_no_line_makes_has_no_form():
    # Scales this large: the factors leave int32 at any precision that tells the pairs apart.
    assert linear_form(fixed(4.0e5, 3.0e5, Rounding.DOUBLE)) is None


def test_a_sum_that_is_one_number_has_no_form():
    node = drawn(1, Rounding.DOUBLE)
    assert linear_form(replace(node, requant=replace(node.requant, low=4, high=4))) is None
