"""QONNX models that cannot be represented exactly: the operator and what is wrong are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import ConfigError, UnsupportedError
from edgekit.frontend import load
from tests.writers.qonnx_writer import Net

SIGNS = np.where(np.random.default_rng(0).random((4, 6)) < 0.5, -1, 1).astype(np.float32)


def net() -> Net:
    return Net((1, 6)).bipolar()


def activation_scales() -> Net:
    return Net((1, 6)).quant(scale=np.linspace(0.1, 0.6, 6)[np.newaxis]).dense(SIGNS)


def weight_scales_by_input() -> Net:
    scales = np.linspace(0.1, 0.6, 6)[np.newaxis]
    return net().dense(SIGNS, {"scale": scales})


def scale_of_zero() -> Net:
    return net().dense(SIGNS, {"scale": 0.0})


def scale_not_a_number() -> Net:
    return Net((1, 6)).quant(scale=np.nan).dense(SIGNS)


def nan_weights() -> Net:
    weights = SIGNS.copy()
    weights[1, 2] = np.nan
    return net().dense(weights)


def float_weights() -> Net:
    chain = net()
    return chain.add("MatMul", chain.constant(SIGNS.T * 0.3))


def nan_norm() -> Net:
    one = np.ones(4, np.float32)
    return net().dense(SIGNS).norm(one, one * np.nan, one, one).bipolar()


def negative_variance() -> Net:
    one = np.ones(4, np.float32)
    return net().dense(SIGNS).norm(one, one, one, -one).bipolar()


def no_quantizer_at_the_input() -> Net:
    return Net((1, 6)).dense(SIGNS).bipolar()


def no_quantizer_between_layers() -> Net:
    return net().dense(SIGNS).add("Relu").dense(SIGNS[:, :4])


def wide_activation() -> Net:
    return net().dense(SIGNS).quant(bits=16.0)


def half_a_bit() -> Net:
    return net().dense(SIGNS).quant(bits=2.5)


def fractional_zero_point() -> Net:
    return net().dense(SIGNS).quant(zero=0.5, bits=4.0, signed=0)


def unknown_rounding() -> Net:
    return net().dense(SIGNS).quant(rounding="STOCHASTIC")


def two_branches() -> Net:
    chain = net()
    start = chain.top
    return chain.dense(SIGNS).add("Add", start)


def threshold_offset() -> Net:
    return net().dense(SIGNS).thresholds(np.zeros((1, 3)), 0.5, 0.3).dense(SIGNS[:, :4])


def rises_and_falls() -> Net:
    chain = net().dense(SIGNS)
    top = chain.node("Identity", chain.top)
    return chain.add("Mul", top)


def moved_axes() -> Net:
    return Net((1, 2, 3, 4)).bipolar().add("Transpose", perm=[0, 2, 3, 1])


def float_norm_on_channels_last() -> Net:
    chain = Net((1, 2, 3, 4)).bipolar()
    return chain.add("Mul", chain.constant(np.ones((1, 1, 1, 4), np.float32) * 2)).bipolar()


def unknown_operator() -> Net:
    return net().dense(SIGNS).add("Erf")


def finn_hardware() -> Net:
    chain = net()
    return chain.add("MVAU", chain.constant(SIGNS), domain=chain.domain)


CASES: dict[Callable[[], Net], str] = {
    activation_scales: r"Quant 0 \(t0\): its scales of an activation do not fold: .* 0\.100000001",
    weight_scales_by_input: r"MatMul 3 \(t3\): the scales of Quant 1 \(t1\) do not fold",
    scale_of_zero: r"Quant 1 \(t1\): scale 'c2' is 0; a positive number",
    scale_not_a_number: r"Quant 0 \(t0\): input 1 \('c0'\) holds NaN or infinity",
    nan_weights: r"BipolarQuant 1 \(t1\): input 0 \('c2'\) holds NaN or infinity",
    float_weights: r"MatMul 1 \(t1\): its weights are not quantized",
    nan_norm: r"BatchNormalization 4 \(t4\): input 2 \('c4'\) holds NaN",
    negative_variance: r"BatchNormalization 4 \(t4\): a variance is below 0",
    no_quantizer_at_the_input: r"MatMul 2 \(t2\): it reads real numbers, with no quantizer",
    no_quantizer_between_layers: r"MatMul 7 \(t7\): what follows its sums is no multiple",
    wide_activation: r"Quant 4 \(t4\): bit width 16; a whole number from 1 to 8",
    half_a_bit: r"Quant 4 \(t4\): bit width 2\.5",
    fractional_zero_point: r"Quant 4 \(t4\): zero point 0\.5 \('c4'\); an integer from 0 to 15",
    unknown_rounding: r"Quant 4 \(t4\): rounding mode 'STOCHASTIC'",
    two_branches: r"has another reader, or is joined with another branch",
    threshold_offset: r"MultiThreshold 4 \(t4\): out_scale 0\.5 and out_bias 0\.3.* do not fold",
    rises_and_falls: r"Mul 5 \(t5\): it joins two activations",
    moved_axes: r"Transpose 1 \(t1\): it moves the elements of an activation",
    float_norm_on_channels_last: r"Mul 1 \(t1\): a constant of shape \(1, 1, 1, 4\)",
    unknown_operator: r"Erf 4 \(t4\): operator Erf is not supported in a QONNX model",
    finn_hardware: r"MVAU 1 \(t1\): operator MVAU is not supported",
}


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_the_operator_is_named(make: Callable[[], Net], tmp_path: Path):
    with pytest.raises(UnsupportedError, match=CASES[make]):
        load(make().save(tmp_path / "m.onnx"))


def test_a_damaged_file_is_no_model(tmp_path: Path):
    path = net().dense(SIGNS).save(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises((ConfigError, UnsupportedError)):
        load(path)


def test_gamma_of_zero_is_a_constant(tmp_path: Path):
    zero, one = np.zeros(4, np.float32), np.ones(4, np.float32)
    beta = np.array([-0.5, 0.0, 0.5, -0.0], np.float32)
    chain = net().dense(SIGNS).norm(zero, beta, one, one).bipolar()
    graph = load(chain.dense(SIGNS[:, :4]).save(tmp_path / "m.onnx"))
    node = graph.nodes[0]
    low, high = np.abs(SIGNS).sum(1), np.abs(SIGNS).sum(1)
    thresholds = graph.constants[node.thresholds][:, 0]
    np.testing.assert_array_equal(thresholds > high, beta < 0)
    np.testing.assert_array_equal(thresholds <= -low, beta >= 0)


def test_an_older_and_a_newer_domain(tmp_path: Path):
    for domain in ("onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general"):
        chain = Net((1, 6), domain).bipolar().dense(SIGNS)
        assert load(chain.save(tmp_path / "m.onnx", opset=9)).source.format == "qonnx"
