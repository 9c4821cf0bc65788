"""Plain operators around QONNX's own: each in a network that equals what qonnx computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qonnx_check import data, same
from writers.qonnx_writer import Net

from edgekit.frontend.reference import Reference

pytestmark = pytest.mark.qonnx


def ints(net: Net, *values: int) -> str:
    return net.constant(values, np.int64)


def arithmetic(rng: np.random.Generator) -> Net:
    net = Net((1, 8))
    net.add("Sub", net.constant(0.25)).add("Div", net.constant(2.0)).add("Identity")
    net.add("Max", net.constant(-0.75)).add("Min", net.constant(0.75)).quant(scale=0.25, bits=3.0)
    net.dense(rng.choice([-1.0, 1.0], (6, 8)).astype(np.float32))
    return net.add("Clip", net.constant(-1.0), net.constant(1.0)).quant(scale=0.5, bits=3.0)


def shapes(rng: np.random.Generator) -> Net:
    net = Net((1, 2, 6, 6)).bipolar()
    net.add("Pad", ints(net, 0, 0, 1, 1, 0, 0, 1, 1), net.constant(0.0), mode="constant")
    net.conv(rng.normal(0, 1, (4, 2, 3, 3)).astype(np.float32), kernel_shape=[3, 3]).add("Sign")
    net.add("Reshape", ints(net, 1, -1))
    return net.add("Unsqueeze", ints(net, 2)).add("Squeeze", ints(net, 2)).add("Dropout")


def last(net: Net, rng: np.random.Generator, inputs: int) -> Net:
    weights = net.quantized(net.constant(rng.normal(0, 1, (5, inputs))), scale=0.5, bits=3.0)
    return net.add("Gemm", weights, net.constant(rng.integers(-3, 4, 5) * 0.25), transB=1)


@pytest.mark.parametrize("tail", [None, "Softmax", "LogSoftmax"])
def test_arithmetic(tail: str | None, tmp_path: Path, reference: Reference) -> None:
    rng = np.random.default_rng(3)
    net = last(arithmetic(rng), rng, 6)
    net = net.add(tail, axis=-1) if tail else net
    same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))


def test_shapes(tmp_path: Path, reference: Reference) -> None:
    rng = np.random.default_rng(4)
    net = last(shapes(rng), rng, 144)
    same(net.save(tmp_path / "m.onnx"), reference, data(rng, net))
