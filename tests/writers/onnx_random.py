"""Random small int8 and uint8 ONNX networks."""

from __future__ import annotations

import numpy as np
from writers.onnx_writer import Net


def random_net(seed: int) -> Net:
    """A network of three to eight operators in a random form, type and opset."""
    rng = np.random.default_rng([seed, 99])
    dtype = ("int8", "uint8")[int(rng.integers(2))]
    form = ("qdq", "qdq", "qoperator")[int(rng.integers(3))]
    opset = int(rng.choice([13, 14, 15, 17, 19, 21]))
    shape = (1, int(rng.integers(1, 7)), int(rng.integers(6, 15)), int(rng.integers(6, 15)))
    net = Net(seed, shape, dtype=dtype, form=form, opset=opset, float_input=rng.random() < 0.7)
    net.conv(int(rng.integers(1, 9)), (1, 1))
    for _ in range(int(rng.integers(1, 6))):
        _step(net, rng)
    if rng.random() < 0.5:
        net.average_pool(None)
    if rng.random() < 0.7:
        net.flatten().gemm(int(rng.integers(2, 12)), per_channel=rng.random() < 0.4)
    return net


def _step(net: Net, rng: np.random.Generator) -> None:
    _, channels, height, width = net.current.shape
    kernel = (int(rng.integers(1, min(4, height + 1))), int(rng.integers(1, min(4, width + 1))))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    relu = "relu" if net.form == "qdq" and rng.random() < 0.4 else None
    match int(rng.integers(10)):
        case 0 | 1:
            pads = tuple(int(rng.integers(0, k)) for k in (*kernel, *kernel))
            net.conv(
                int(rng.integers(1, 10)),
                kernel,
                stride,
                pads,
                per_channel=rng.random() < 0.6,
                relu=relu,
            )
        case 2 if channels > 1:
            net.conv(1, kernel, stride, depthwise=True, relu=relu, bias=rng.random() < 0.7)
        case 3:
            net.max_pool(kernel, stride)
        case 4:
            net.pad((0, 0, 1, 0), (0, 0, 0, 2))
        case 5:
            first = net.branch()
            net.conv(channels, (3, 3), (1, 1), (1, 1, 1, 1), relu=relu)
            net.add(first, relu=relu is not None)
        case 6:
            kind = ("Sigmoid", "LeakyRelu")[int(rng.integers(2))]
            net.unary(kind, *((0.0, 1.0) if kind == "Sigmoid" else (-0.1, 1.5)))
        case 7:
            first = net.branch()
            net.conv(channels, (3, 3), (1, 1), (1, 1, 1, 1), relu=relu)
            net.concat(first, axis=int(rng.integers(1, 4)), same=rng.random() < 0.3)
        case 8:
            first = net.branch()
            net.conv(channels, (3, 3), (1, 1), (1, 1, 1, 1), relu=relu)
            net.mul(first)
        case 9 if height * width < 200:
            net.resize(height + int(rng.integers(0, 4)), width * 2)
