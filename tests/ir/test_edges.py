"""Edges: the source's own data to graph integers and back, and the rules for data."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import ConfigError, UnsupportedError
from edgekit.ir.check import verify
from edgekit.ir.edges import dequantize, quantize, representative, to_source_integers
from edgekit.ir.graph import Graph, Source
from edgekit.ir.nodes import GroupCount
from edgekit.ir.types import DType, Edge, Tensor


def edge(**changes: object) -> Edge:
    fields = {
        "tensor": "x",
        "source_name": "image",
        "source_shape": (1, 4),
        "source_dtype": "float32",
        "scale": 0.25,
        "zero_point": -3,
    }
    return Edge(**{**fields, **changes})


def test_float_rounding_half_away_and_half_even():
    x = np.array([[0.125, -0.125, 0.375, -0.375]], np.float32)
    assert quantize(edge(), x).tolist() == [[-2, -4, -1, -5]]
    assert quantize(edge(rounding="half_even"), x).tolist() == [[-3, -3, -1, -5]]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=4, max_size=4),
    st.floats(2**-14, 2**6, width=32),
    st.integers(-128, 127),
    st.sampled_from(["half_away", "half_even"]),
)
def test_float_quantizer_is_exact(values, scale, zero_point, rounding):
    got = quantize(
        edge(scale=scale, zero_point=zero_point, rounding=rounding), np.float32([values])
    )
    for value, q in zip(values, got[0].tolist(), strict=True):
        real = Fraction(float(np.float32(value) / np.float32(scale)))
        if rounding == "half_even":
            nearest = round(real)
        else:
            whole = int(abs(real) + Fraction(1, 2))
            nearest = whole if real >= 0 else -whole
        assert q == max(-128, min(127, nearest + zero_point))


def test_largest_float_below_a_half_is_not_rounded_up():
    x = np.full((1, 4), np.nextafter(np.float32(0.5), np.float32(0)), np.float32)
    assert quantize(edge(scale=1.0, zero_point=0), x).tolist() == [[0] * 4]


def test_infinities_and_huge_doubles_saturate():
    x = np.array([[np.inf, -np.inf, 1e300, -1e300]])
    assert quantize(edge(), x).tolist() == [[127, -128, 127, -128]]


def test_transposed_uint8_source_round_trips():
    wide = edge(
        source_shape=(1, 3, 2, 4), source_dtype="uint8", source_offset=128, transpose=(0, 2, 3, 1)
    )
    x = np.random.default_rng(1).integers(0, 256, (5, 3, 2, 4)).astype(np.uint8)
    q = quantize(wide, x)
    assert q.shape == (5, 2, 4, 3)
    assert q[2, 1, 3, 0] == int(x[2, 0, 1, 3]) - 128
    back = to_source_integers(wide, q)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, x)
    np.testing.assert_array_equal(to_source_integers(wide, q.reshape(5, 24)), x)


def test_int8_source_round_trips():
    plain = edge(source_dtype="int8")
    x = np.array([[-128, -1, 0, 127]], np.int8)
    assert quantize(plain, x).tolist() == x.tolist()
    assert quantize(plain, x.astype(np.int32)).tolist() == x.tolist()
    assert to_source_integers(plain, x.astype(np.int64)).dtype == np.int8


def test_dequantize_is_float32_in_source_layout():
    out = edge(source_shape=(1, 2, 2), scale=float(np.float32(0.1)), transpose=(0, 2, 1))
    real = dequantize(out, np.array([[[1, 2], [3, 4]]]))
    assert real.dtype == np.float32
    wanted = np.float32(0.1) * np.array([[[4, 6], [5, 7]]], np.float32)
    np.testing.assert_array_equal(real, wanted)


def test_dequantize_applies_the_sources_float_softmax():
    out = edge(host_ops=("dequantize", "softmax"))
    real = dequantize(out, np.array([[0, 4, 8, 8]]))
    wanted = np.exp([0, 1, 2, 2]) / np.exp([0, 1, 2, 2]).sum()
    np.testing.assert_allclose(real[0], wanted, rtol=1e-6)
    assert real.dtype == np.float32


def test_dequantize_applies_the_sources_log_softmax():
    q = np.array([[0, 4, 8, 8]])
    plain = dequantize(edge(host_ops=("dequantize", "softmax")), q)
    logarithm = dequantize(edge(host_ops=("dequantize", "log_softmax")), q)
    np.testing.assert_allclose(np.exp(logarithm), plain, rtol=1e-6)


def test_integer_data_for_a_float_input_needs_its_meaning():
    x = np.array([[0, 1, 2, 200]], np.uint8)
    with pytest.raises(ConfigError) as caught:
        quantize(edge(), x)
    assert caught.value.message == "x is uint8; input image takes float32"
    assert caught.value.hint == "store real values, or add x_scale and x_zero_point to the file"
    with pytest.raises(ConfigError):
        quantize(edge(), x, x_scale=0.5)
    assert quantize(edge(), x, x_scale=0.5, x_zero_point=1).tolist() == [[-5, -3, -1, 127]]


def test_wrong_data_is_refused():
    integers = edge(source_dtype="int8")
    cases = [
        (
            edge(),
            np.zeros((3, 5), np.float32),
            "x has shape [3, 5]; input image takes [samples, 4]",
        ),
        (edge(), np.zeros(4, np.float32), "x has shape [4]; input image takes [samples, 4]"),
        (
            edge(),
            np.array([[0, np.nan, 1, np.nan]], np.float32),
            "x holds 2 NaN; input image takes numbers",
        ),
        (edge(), np.zeros((1, 4), bool), "x is bool; input image takes float32"),
        (integers, np.zeros((1, 4), np.float32), "x is float32; input image takes int8"),
        (integers, np.zeros((1, 4), np.uint8), "x is uint8; input image takes int8"),
        (
            integers,
            np.array([[0, 1, 2, 200]], np.int16),
            "x reaches 0 to 200; input image takes int8, -128 to 127",
        ),
        (
            edge(source_dtype="uint8", source_offset=128),
            np.zeros((1, 4), np.int8),
            "x is int8; input image takes uint8",
        ),
    ]
    for where, x, message in cases:
        with pytest.raises(ConfigError) as caught:
            quantize(where, x)
        assert caught.value.message == message


def test_the_hint_names_the_sources_own_zero_point():
    where = edge(source_dtype="uint8", source_offset=128)
    with pytest.raises(ConfigError) as caught:
        quantize(where, np.zeros((1, 4)))
    assert caught.value.hint == "store x as uint8, quantized with scale 0.25 and zero point 125"


def compared(thresholds: tuple[float, ...], **changes: object) -> Graph:
    """Counts of four pixels' bits, which the host makes."""
    bits = 4 * len(thresholds)
    source = edge(
        **{
            "source_dtype": "uint8",
            "source_offset": 128,
            "source_shape": (1, 2, 2),
            "scale": 1.0,
            "zero_point": 0,
            "dtype": DType.BINARY,
            "thresholds": thresholds,
            **changes,
        }
    )
    return Graph(
        name="bits",
        source=Source("test", "none", ""),
        inputs=(source,),
        outputs=(
            edge(tensor="y", source_shape=(1, 2), zero_point=0, dtype=DType.INT16, scale=1.0),
        ),
        nodes=(GroupCount("count", "x", "y"),),
        tensors={"x": Tensor("x", (bits,), source.dtype), "y": Tensor("y", (2,), DType.INT16)},
        constants={},
    )


def test_integers_that_the_host_compares_become_runs_of_bits():
    graph = compared((3.0, 99.5))
    verify(graph)
    bits = quantize(graph.inputs[0], np.uint8([[[2, 3], [99, 100]]]))
    assert bits.tolist() == [[-1, 1, 1, 1, -1, -1, -1, 1]]
    shown = representative(graph.inputs[0], bits)
    assert shown.dtype == np.uint8
    assert shown.tolist() == [[[2, 3], [3, 100]]]


def test_one_threshold_keeps_the_sources_shape():
    source = compared((100.0,)).inputs[0]
    assert quantize(source, np.uint8([[[99, 100], [0, 255]]])).tolist() == [[[-1, 1], [-1, 1]]]
    shown = representative(source, np.array([[[-1, 1], [1, 1]]]))
    assert shown.tolist() == [[[99, 100], [100, 100]]]


@pytest.mark.parametrize(
    ("thresholds", "changes", "message"),
    [
        ((0.0,), {}, "thresholds 0 to 0; above 0 and not above 255 is wanted for uint8"),
        ((9.0, 256.0), {}, "thresholds 9 to 256; above 0 and not above 255"),
        ((9.0, 3.0), {}, "its thresholds fall"),
        ((9.0, 10.0), {"transpose": (0, 2, 1)}, "a flat tensor without a transpose is wanted"),
        ((9.0,), {"dtype": DType.INT8}, "a source of float32, or BINARY values are wanted"),
        ((9.0,), {"source_shape": (1, 3)}, "does not hold one"),
    ],
)
def test_comparisons_that_make_no_bits_are_refused(thresholds, changes, message):
    with pytest.raises(UnsupportedError, match=message):
        verify(compared(thresholds, **changes))
