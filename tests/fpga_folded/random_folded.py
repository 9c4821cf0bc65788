"""Random chains of low-bit layers, and random folds of them."""

from __future__ import annotations

import numpy as np
from folded_nets import FoldedBuilder

from edgekit.ir.types import DType, Padding

TYPES = (DType.BINARY, DType.TERNARY, DType.INT2, DType.INT4, DType.INT8)
_RESULTS = (DType.BINARY, DType.BINARY, DType.TERNARY, DType.INT4, DType.INT8)


def random_net(seed: int, samples: int = 4) -> tuple[FoldedBuilder, str]:
    """Return a builder with a chain of layers, and the name of its output."""
    rng = np.random.default_rng([seed, 5])
    builder = FoldedBuilder(seed, samples=samples)
    kind = int(rng.integers(3))
    if kind == 0:
        x = builder.bits(int(rng.integers(4, 70)))
    else:
        height = 1 if kind == 1 else int(rng.integers(3, 8))
        shape = (height, int(rng.integers(4, 9)), int(rng.choice([1, 3, 4, 8, 16, 40])))
        x = _input(builder, rng, shape)
        for _ in range(int(rng.integers(1, 4))):
            x = _image_layer(builder, rng, x)
    if rng.random() < 0.6 or kind == 0:
        builder.weight_type = _weights(builder, rng, x, padded=False)
        x = builder.binary_dense(x, int(rng.integers(1, 13)), DType(rng.choice(_RESULTS)))
    builder.weight_type = _weights(builder, rng, x, padded=False)
    return builder, builder.binary_dense(x, int(rng.integers(1, 11)), DType.INT32)


def _input(builder: FoldedBuilder, rng: np.random.Generator, shape: tuple[int, ...]) -> str:
    if rng.random() < 0.4:
        return builder.bits(*shape)
    x = builder.bytes(*shape, dtype=DType(rng.choice([DType.INT8, DType.INT4])))
    choice = rng.random()
    if choice < 0.4:
        return builder.thermometer(x, int(rng.integers(1, 4)), shared=bool(rng.integers(2)))
    if choice < 0.7:
        result = DType(rng.choice([DType.BINARY, DType.TERNARY, DType.INT4]))
        return builder.threshold(x, result, shared=bool(rng.integers(2)))
    return x


def _weights(builder: FoldedBuilder, rng: np.random.Generator, x: str, *, padded: bool) -> DType:
    if padded and builder.tensors[x].dtype is DType.BINARY:
        return DType.BINARY
    return DType(rng.choice(TYPES))


def _image_layer(builder: FoldedBuilder, rng: np.random.Generator, x: str) -> str:
    height, width, _ = builder.tensors[x].shape
    kernel = (int(rng.integers(1, min(height, 3) + 1)), int(rng.integers(1, min(width, 3) + 1)))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    sides = [int(rng.integers(0, size)) for size in (kernel[0], kernel[1], kernel[0], kernel[1])]
    padding = Padding(*sides) if rng.random() < 0.5 else Padding()
    if rng.random() < 0.1:
        before, after = ((*map(int, rng.integers(0, 4, 2)), 0) for _ in range(2))
        return builder.pad_by(x, before, after, int(rng.choice([-1, 1])))
    if rng.random() < 0.25:
        return builder.max_of_bits(x, kernel, stride, padding)
    padded = padding != Padding()
    builder.weight_type = _weights(builder, rng, x, padded=padded)
    depthwise = bool(rng.random() < 0.3)
    value = int(rng.choice([-1, 0, 1]))
    roomy = kernel[0] < height and kernel[1] < width and rng.random() < 0.3
    room = [height + padding.top + padding.bottom, width + padding.left + padding.right]
    reach = [2 * (k - 1) + 1 for k in kernel]
    dilation = (2, 2) if roomy and reach[0] <= room[0] and reach[1] <= room[1] else (1, 1)
    return builder.binary_conv(
        x,
        int(rng.integers(1, 3)) if depthwise else int(rng.choice([1, 4, 6, 8])),
        kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
        padding_value=value if padded else 0,
        result=DType(rng.choice(_RESULTS)),
        depthwise=depthwise,
    )
