"""Random single nodes on bits for each kernel of bits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from kernel_cases import features_of
from kernel_driver import Kernels
from stored import stored
from writers.random_binary import RESULTS, BinaryBuilder

from edgekit.ir.types import DType, Padding
from edgekit.target.mcu.code import Context, NodeCode
from edgekit.target.mcu.ops import emit_node

Draw = np.random.Generator
CHANNELS = (1, 3, 16, 28, 31, 32, 33, 64, 70, 96, 130)


def _pick(draw: Draw, values: tuple[int, ...]) -> int:
    return int(draw.choice(values))


def _pair(draw: Draw, low: int, high: int) -> tuple[int, int]:
    first, second = draw.integers(low, high + 1, 2)
    return int(first), int(second)


def sums(builder: BinaryBuilder, draw: Draw, channels: tuple[int, ...] = CHANNELS) -> None:
    """A fully connected layer in one of three cases, else a convolution."""
    result = RESULTS[builder.seed % len(RESULTS)] if draw.random() < 0.6 else DType.BINARY
    outputs = _pick(draw, channels)
    if draw.random() < 0.33:
        shape = (int(draw.integers(1, 900)),) if draw.random() < 0.7 else (2, 3, 7)
        builder.binary_dense(builder.bits(*shape), outputs, result)
    else:
        convolution(builder, draw, outputs, result)


def many_sums(builder: BinaryBuilder, draw: Draw) -> None:
    """Enough channels for vectors, whole ones and others."""
    sums(builder, draw, (60, 70, 96, 124, 128, 130, 230, 256))


def convolution(
    builder: BinaryBuilder, draw: Draw, outputs: int, result: DType, *, depthwise: bool = False
) -> None:
    kernel, dilation, stride = _pair(draw, 1, 4), _pair(draw, 1, 2), _pair(draw, 1, 2)
    around = [int(v) for v in draw.integers(0, 3, 4)]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    extra = _pair(draw, 0, 4)
    height = max(reach[0] - around[0] - around[2], 1) + extra[0]
    width = max(reach[1] - around[1] - around[3], 1) + extra[1]
    builder.binary_conv(
        builder.bits(height, width, _pick(draw, CHANNELS)),
        outputs,
        kernel,
        stride=stride,
        dilation=dilation,
        padding=Padding(*around),
        padding_value=int(draw.integers(-1, 2)),
        result=result,
        depthwise=depthwise,
    )


def depthwise(builder: BinaryBuilder, draw: Draw) -> None:
    result = RESULTS[builder.seed % len(RESULTS)] if draw.random() < 0.6 else DType.BINARY
    outputs = 1 if draw.random() < 0.7 else int(draw.integers(2, 4))
    convolution(builder, draw, outputs, result, depthwise=True)


def _shape(draw: Draw) -> tuple[int, ...]:
    """An image, a vector in one of three cases."""
    channels = _pick(draw, (*CHANNELS, 4, 36, 784))
    return (channels,) if draw.random() < 0.33 else (*_pair(draw, 1, 4), channels)


def bytes_to_bits(builder: BinaryBuilder, draw: Draw) -> None:
    dtype = DType.INT8 if draw.random() < 0.8 else DType.INT4
    x = builder.bytes(*_shape(draw), dtype=dtype)
    shared = bool(draw.random() < 0.6)
    if draw.random() < 0.5:
        builder.threshold(x, DType.BINARY, shared=shared)
    else:
        builder.thermometer(x, int(draw.integers(1, 6)), shared=shared)


def steps(builder: BinaryBuilder, draw: Draw) -> None:
    shape, shared = _shape(draw), bool(draw.random() < 0.5)
    kind = draw.random()
    if kind < 0.25:
        builder.threshold(builder.bits(*shape), RESULTS[builder.seed % 4], shared=shared)
    elif kind < 0.75:
        source = (DType.INT8, DType.INT16, DType.INT32)[builder.seed % 3]
        result = RESULTS[1 + builder.seed % 3]
        builder.threshold(builder.bytes(*shape, dtype=source), result, shared=shared)
    else:
        builder.thermometer(builder.bytes(*shape, dtype=DType.INT16), 3, shared=shared)


def max_of_bits(builder: BinaryBuilder, draw: Draw) -> None:
    kernel, stride = _pair(draw, 1, 3), _pair(draw, 1, 2)
    around = Padding(
        *(int(min(v, k - 1)) for v, k in zip(draw.integers(0, 3, 4), kernel * 2, strict=True))
    )
    x = builder.bits(*(k + int(e) for k, e in zip(kernel, draw.integers(0, 4, 2), strict=True)), 37)
    builder.max_of_bits(x, kernel, stride, around)


def reshape(builder: BinaryBuilder, draw: Draw) -> None:
    height, width, channels = (int(v) for v in draw.integers(1, 9, 3))
    channels *= _pick(draw, (1, 4, 8))
    shape = (height * width * channels,) if draw.random() < 0.6 else (width, channels, height)
    if draw.random() < 0.5:
        builder.reshape(builder.bits(height, width, channels), *shape)
    else:
        builder.reshape(builder.bits(*shape), height, width, channels)


def copy(builder: BinaryBuilder, draw: Draw) -> None:
    x = builder.bits(*_pair(draw, 1, 6), _pick(draw, CHANNELS))
    if draw.random() < 0.5:
        builder.transpose(x, *(int(v) for v in draw.permutation(3)))
    else:
        builder.slice(x)


def concat(builder: BinaryBuilder, draw: Draw) -> None:
    height, width = _pair(draw, 1, 4)
    parts = [builder.bits(height, width, _pick(draw, CHANNELS)) for _ in range(3)]
    builder.concat(2, *parts)


def pad(builder: BinaryBuilder, draw: Draw) -> None:
    x = builder.bits(*_pair(draw, 1, 4), _pick(draw, CHANNELS))
    before, after = (tuple(int(v) for v in draw.integers(0, 3, 3)) for _ in range(2))
    if draw.random() < 0.5:
        before, after = (*before[:2], 0), (*after[:2], 40)
    builder.pad(x, before, after, int(draw.choice([-1, 1])))


BINARY_CASES: dict[str, Callable[[BinaryBuilder, Draw], None]] = {
    "ek_bin_conv2d": sums,
    "ek_bin_conv2d_mve": many_sums,
    "ek_bin_depthwise": depthwise,
    "ek_bin_threshold": bytes_to_bits,
    "ek_threshold": steps,
    "ek_bin_maxpool": max_of_bits,
    "ek_bin_reshape": reshape,
    "ek_bin_copy": copy,
    "ek_bin_concat": concat,
    "ek_bin_pad": pad,
}


def build_binary(kernel: str, seed: int) -> BinaryBuilder:
    """Return case number `seed` of `kernel`."""
    builder = BinaryBuilder(seed, samples=2)
    BINARY_CASES[kernel](builder, np.random.default_rng([seed, 11]))
    return builder


def code_of_binary(builder: BinaryBuilder, kernel: str) -> NodeCode | None:
    """Return what is emitted for a builder's only node where `kernel` may serve it."""
    graph = builder.graph(builder.nodes[-1].y)
    return emit_node(Context(graph, 0, features_of(kernel)), graph.nodes[0])


def wrong_bytes(kernels: Kernels, builder: BinaryBuilder, kernel: str) -> int:
    """Run the node on each sample; return how many bytes of the outputs differ."""
    code, wrong = code_of_binary(builder, kernel), 0
    if code is None or code.kernel != kernel:
        return 0
    for sample in range(builder.samples):
        inputs = [stored(builder.tensors[x], builder.values[x][sample]) for x in code.inputs]
        y = builder.tensors[code.output]
        wanted = stored(y, builder.values[y.name][sample])
        wrong += int((kernels.run_bytes(code, inputs, wanted.size) != wanted).sum())
    return wrong
