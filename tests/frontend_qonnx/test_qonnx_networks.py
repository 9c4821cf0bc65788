"""Random QONNX networks: the graph gives what the qonnx package computes, integer by integer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qonnx_check import data, same
from writers.qonnx_writer import Net, random_dense, random_image, random_norm

from edgekit.frontend.reference import Reference
from edgekit.ir import edges
from edgekit.ir.nodes import Conv2D, Dense
from edgekit.ir.types import InputGrid

pytestmark = pytest.mark.qonnx


@pytest.mark.parametrize("seed", range(12))
def test_random_dense_networks(seed: int, tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(seed)
    net = random_dense(rng)
    same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))


@pytest.mark.parametrize("seed", range(12))
def test_random_convolutional_networks(seed: int, tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(seed)
    net = random_image(rng)
    same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))


def eight_bits(rng: np.random.Generator, scales: tuple[float, float, float]) -> Net:
    """A convolution and a dense layer of 8-bit activations, with a bias within the sums."""
    x, w, y = scales
    net = Net((1, 2, 6, 6)).quant(scale=x, bits=8.0)
    eight = {"scale": w, "bits": 8.0, "narrow": 1}
    kernel = net.quantized(net.constant(rng.normal(0, 20 * w, (4, 2, 3, 3))), **eight)
    bias = net.constant(np.rint(rng.normal(0, 200, 4)) * x * w)
    net.add("Conv", kernel, bias, kernel_shape=[3, 3]).add("Relu")
    net.quant(scale=y, bits=8.0, signed=0).add("Flatten")
    return net.dense(rng.normal(0, 0.1, (3, 64)).astype(np.float32), {"scale": 0.01, "bits": 8.0})


@pytest.mark.parametrize("seed", range(2))
def test_eight_bits_are_scaled_exactly(seed: int, tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(seed)
    net = eight_bits(rng, (2.0**-5, 2.0**-6, 2.0**-4))
    graph = same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))
    assert isinstance(graph.nodes[0], Conv2D)
    assert not [each for each in graph.not_compared if "near a threshold" in each.reason]


def test_scales_whose_sums_are_rounded_are_listed(tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(7)
    net = eight_bits(rng, (0.031, 0.017, 0.063))
    graph = same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))
    assert [each for each in graph.not_compared if "near a threshold" in each.reason]


def test_a_norm_after_eight_bits_keeps_its_thresholds(tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(8)
    weights = rng.choice([-1.0, 1.0], (6, 12)).astype(np.float32)
    net = Net((1, 12)).quant(scale=0.5, bits=8.0).dense(weights)
    net.norm(*(np.float32(rng.uniform(0.5, 2, 6)) for _ in range(4))).quant(scale=0.25, bits=8.0)
    net.dense(weights[:4, :6])
    graph = same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))
    assert not isinstance(graph.nodes[0], Dense)


@pytest.mark.parametrize(
    "rounding", ["ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"]
)
def test_rounding_modes(rounding: str, tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(9)
    weights = rng.choice([-1.0, 1.0], (5, 8)).astype(np.float32)
    net = Net((1, 8)).quant(scale=0.5, bits=4.0, rounding=rounding)
    net.dense(weights).quant(
        scale=2.0, zero=3.0, bits=3.0, signed=0, rounding=rounding, kind="IntQuant"
    )
    same(net.dense(weights[:3, :5]).save(tmp_path / "m.onnx"), reference, data(rng, net))


@pytest.mark.parametrize("version", [1, 2])
def test_trunc_of_a_mean(version: int, tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(10)
    net = Net((1, 3, 4, 4)).quant(scale=0.25, bits=4.0)
    net.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    constants = [net.constant(value) for value in (0.0625, 0.0, 8.0)]
    constants += [net.constant(0.25)] if version == 2 else []
    net.add("Trunc", *constants, net.constant(5.0), domain=net.domain, rounding_mode="FLOOR")
    weights = rng.choice([-1.0, 1.0], (3, 12)).astype(np.float32)
    path = net.add("Flatten").dense(weights).model()
    path.opset_import[1].version = version
    (tmp_path / "m.onnx").write_bytes(path.SerializeToString())
    same(tmp_path / "m.onnx", reference, data(rng, net))


def test_a_grid_moves_thresholds_to_its_integers(tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(11)
    weights = rng.choice([-1.0, 1.0], (3, 8)).astype(np.float32)
    net = Net((1, 2, 2, 2))
    net.add("Mul", net.constant(-2.0)).add("Add", net.constant(1.0)).bipolar()
    path = net.add("Flatten").dense(weights).save(tmp_path / "m.onnx")
    integers = rng.integers(0, 256, (40, 2, 2, 2))
    x = integers.astype(np.float32) * np.float32(1 / 255)
    graph = same(path, reference, x, InputGrid(1 / 255, 0, "uint8"))
    found = edges.quantize(graph.inputs[0], x)
    np.testing.assert_array_equal(found, integers.transpose(0, 2, 3, 1) - 128)


def test_signals_are_images_of_one_row(tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(12)
    net = Net((1, 3, 20)).bipolar()
    kernel = rng.normal(0, 1, (4, 3, 5)).astype(np.float32)
    net.conv(kernel, kernel_shape=[5], pads=[2, 2]).bipolar()
    net.add("MaxPool", kernel_shape=[2], strides=[2]).add("Flatten")
    net.dense(rng.choice([-1.0, 1.0], (3, 40)).astype(np.float32))
    same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))


def test_means_of_scores(tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(13)
    net = Net((1, 3, 5, 5)).bipolar()
    net.conv(rng.normal(0, 1, (4, 3, 2, 2)).astype(np.float32), kernel_shape=[2, 2])
    net.add("GlobalAveragePool").add("Flatten")
    same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_quantizer_ends_the_model(bits: int, tmp_path: Path, reference: Reference):
    rng = np.random.default_rng(14)
    net = Net((1, 9)).quant(scale=0.5, bits=4.0)
    net.dense(rng.choice([-1.0, 1.0], (5, 9)).astype(np.float32))
    net.norm(*random_norm(rng, 5, 20.0))
    net = net.bipolar(0.5) if bits == 1 else net.quant(scale=0.25, bits=float(bits))
    same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))


def test_a_negative_gamma_behind_a_pool_reverses_what_is_stored(
    tmp_path: Path, reference: Reference
):
    rng = np.random.default_rng(15)
    net = Net((1, 2, 6, 6)).bipolar()
    net.conv(rng.normal(0, 1, (4, 2, 3, 3)).astype(np.float32), kernel_shape=[3, 3])
    net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    gamma = np.array([1.0, -1.0, -0.5, 2.0], np.float32)
    one, beta = np.ones(4, np.float32), np.array([0.2, 0.3, -0.1, 0.0], np.float32)
    net.norm(gamma, beta, 2 * one, 9 * one).add("Relu").quant(scale=0.25, bits=2.0, signed=0)
    net.add("Flatten").dense(rng.choice([-1.0, 1.0], (3, 16)).astype(np.float32))
    graph = same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))
    assert graph.constants[graph.nodes[-1].bias].any()
    # A padded reader sees cells that hold 0: the order is put right before it.
    padded = Net((1, 2, 6, 6)).bipolar()
    padded.conv(rng.normal(0, 1, (4, 2, 3, 3)).astype(np.float32), kernel_shape=[3, 3])
    padded.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    padded.norm(gamma, beta, 2 * one, 9 * one).add("Relu").quant(scale=0.25, bits=2.0, signed=0)
    kernel = rng.normal(0, 1, (2, 4, 3, 3)).astype(np.float32)
    padded.conv(kernel, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    same(padded.save(tmp_path / "padded.onnx"), reference, data(rng, padded))
