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
CHANNELS = (1, 3, 16, 31, 32, 33, 64, 70, 96, 130)


def _pick(draw: Draw, values: tuple[int, ...]) -> int:
    return int(draw.choice(values))


def _pair(draw: Draw, low: int, high: int) -> tuple[int, int]:
    first, second = draw.integers(low, high + 1, 2)
    return int(first), int(second)


def sums(builder: BinaryBuilder, draw: Draw) -> None:
    """A fully connected layer in one of three cases, else a convolution."""
    result = RESULTS[builder.seed % len(RESULTS)] if draw.random() < 0.6 else DType.BINARY
    outputs = _pick(draw, CHANNELS)
    if draw.random() < 0.33:
        shape = (int(draw.integers(1, 900)),) if draw.random() < 0.7 else (2, 3, 7)
        builder.binary_dense(builder.bits(*shape), outputs, result)
    else:
        convolution(builder, draw, outputs, result)


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


BINARY_CASES: dict[str, Callable[[BinaryBuilder, Draw], None]] = {
    "ek_bin_conv2d": sums,
}


def build_binary(kernel: str, seed: int) -> BinaryBuilder:
    """Return case number `seed` of `kernel`."""
    builder = BinaryBuilder(seed, samples=2)
    BINARY_CASES[kernel](builder, np.random.default_rng([seed, 11]))
    return builder


def code_of_binary(builder: BinaryBuilder, kernel: str) -> NodeCode:
    """Return what is emitted for a builder's only node where `kernel` may serve it."""
    graph = builder.graph(builder.nodes[-1].y)
    code = emit_node(Context(graph, 0, features_of(kernel)), graph.nodes[0])
    assert code is not None
    return code


def wrong_bytes(kernels: Kernels, builder: BinaryBuilder, kernel: str) -> int:
    """Run the node on each sample; return how many bytes of the outputs differ."""
    code, wrong = code_of_binary(builder, kernel), 0
    for sample in range(builder.samples):
        inputs = [stored(builder.tensors[x], builder.values[x][sample]) for x in code.inputs]
        y = builder.tensors[code.output]
        wanted = stored(y, builder.values[y.name][sample])
        wrong += int((kernels.run_bytes(code, inputs, wanted.size) != wanted).sum())
    return wrong
