"""Models at the edges of what int8 can hold: exact, or refused with the reason; never wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from writers.tflite_small import NONE, RELU, RELU6, SAME, VALID, Small, f32
from writers.tflite_writer import FLOAT32, INT8, INT32, UINT8, TensorSpec, constant, write

from edgekit import frontend
from edgekit.errors import UnsupportedError
from edgekit.ir.graph import Graph

Check = Callable[..., Graph]


def image(zero: int, channels: int = 3, side: int = 7) -> Small:
    return Small(5, (side, side, channels), scale=f32(0.03), zero=zero)


def output_zero(small: Small, zero: int) -> Small:
    """Move the last tensor's zero point."""
    small.now.zero_points = [zero]
    return small


def grown(small: Small, ratio: float) -> Small:
    """Give the last layer, a 1x1 convolution of one channel, few weights and a finer scale."""
    weight, bias = small.spec.ops[-1].inputs[1:]
    small.spec.tensors[weight].data = np.array([1, -1, 2], np.int8).tobytes()
    small.spec.tensors[weight].scales = [1.0]
    small.spec.tensors[bias].data = np.array([-9, 0, 5], np.int32).tobytes()
    small.spec.tensors[bias].scales = [small.quant[0]]
    source = small.spec.tensors[small.spec.ops[-1].inputs[0]]
    assert source.scales is not None
    small.now.scales = [f32(source.scales[0] / ratio)]
    small.now.zero_points = [0]
    return small


EXACT: dict[str, Callable[[], Small]] = {
    **{
        f"zero points {zero} and {end}, {activation}": lambda z=zero, e=end, a=activation: (
            output_zero(image(z).conv(4, (3, 3), activation=a), e)
        )
        for zero, end, activation in (
            (-128, 127, NONE),
            (127, -128, NONE),
            (127, 127, NONE),
            (-128, -128, RELU),
            (127, -128, RELU6),
        )
    },
    "zero points of a depthwise layer": lambda: output_zero(image(127).depthwise(2, (3, 3)), 127),
    "zero points of a dense layer": lambda: output_zero(image(127, 2, 4).dense(9), -128),
    "a scale ratio of 3": lambda: grown(image(3, 1).conv(3, (1, 1), per_channel=False), 3.0),
    "a scale ratio of 1000": lambda: grown(image(3, 1).conv(3, (1, 1), per_channel=False), 1000.0),
    "one pixel": lambda: image(5, 3, 1).conv(4, (1, 1)),
    "kernel larger than the input": lambda: image(5, 2, 5).conv(3, (9, 11)),
    "kernel as large as the input": lambda: image(5, 2, 9).conv(20, (9, 9), padding=VALID),
    "a kernel of 33 by 31": lambda: image(5, 1, 34).conv(2, (33, 31)),
    "a depthwise kernel of 21 by 1": lambda: image(5, 2, 24).depthwise(1, (21, 1), padding=VALID),
    "stride larger than the kernel": lambda: image(5).conv(4, (2, 1), (4, 5)),
    "stride larger than the input": lambda: image(5).conv(9, (3, 3), (8, 9), padding=SAME),
    "a pool's stride larger than its kernel": lambda: image(5, 6).pool(
        "AVERAGE_POOL_2D", (2, 2), (4, 3)
    ),
    "dilation beyond the input": lambda: image(5).conv(4, (3, 3), (1, 1), (9, 8)),
    **{
        f"{channels} channels": lambda c=channels: (
            image(-7, c).conv(8 - c, (3, 3)).depthwise(1, (3, 3)).conv(c, (1, 1))
        )
        for channels in range(1, 8)
    },
    "a scale of 1e-30": lambda: Small(5, (6, 6, 2), scale=f32(1e-30), zero=9).conv(3, (3, 3)),
    "a scale of 1e30": lambda: Small(5, (6, 6, 2), scale=f32(1e30), zero=9).conv(3, (3, 3)),
    "sums just within 32 bits": lambda: heavy(60_000),
}


def heavy(inputs: int) -> Small:
    """A dense layer whose weights are all 127 or -127."""
    small = Small(5, (inputs,), scale=f32(0.01), zero=0).dense(2)
    weight = small.spec.tensors[1]
    signs = np.where(np.arange(2 * inputs) % 2, 127, -127).astype(np.int8)
    weight.data = signs.tobytes()
    return small


def bias_of(value: int) -> Small:
    small = image(5).conv(4, (3, 3))
    small.spec.tensors[2].data = np.full(4, value, np.int32).tobytes()
    return small


def tensor(small: Small, place: int, **fields: object) -> Small:
    for name, value in fields.items():
        setattr(small.spec.tensors[place], name, value)
    return small


def legacy() -> Small:
    """All activations and weights uint8, as converters wrote them before 2020."""
    small = image(5).conv(4, (3, 3), per_channel=False)
    for spec in small.spec.tensors:
        if spec.type_code == INT8:
            spec.type_code = UINT8
            spec.zero_points = [z + 128 for z in spec.zero_points or []]
    return small


def hybrid() -> Small:
    """Float activations around int8 weights."""
    small = image(5).conv(4, (3, 3))
    for place in (0, 2, 3):
        small.spec.tensors[place].type_code = FLOAT32
        small.spec.tensors[place].scales = small.spec.tensors[place].zero_points = None
    return small


def cycle() -> Small:
    small = image(5).conv(3, (3, 3)).add(0)
    small.spec.ops[0].inputs[0] = small.at
    return small


def batch() -> Small:
    small = image(5).conv(4, (3, 3))
    for place in (0, 3):
        small.spec.tensors[place].shape[0] = 2
    return small


def later_batch() -> Small:
    return image(5).reshape((7, 7, 3))


def state() -> Small:
    """A variable that an inference leaves for the next one."""
    return tensor(image(5).add(0), 1, variable=True)


def fine_mean() -> Small:
    small = Small(5, (40, 40, 2), scale=f32(1e30))
    y = small.activation((1, 2), 1e-8, 0)
    axes = small.tensor(constant("axes", np.array([1, 2]), INT32))
    return small.op("MEAN", [small.at, axes], y, ("ReducerOptions", {}))


REFUSED: dict[str, tuple[Callable[[], Small], str]] = {
    "sums beyond 32 bits": (lambda: heavy(70_000), "partial sums of channel . reach"),
    "a bias at the end of 32 bits": (lambda: bias_of(2**31 - 1), "partial sums of channel"),
    "a bias at the other end": (
        lambda: bias_of(-(2**31)),
        "reaches 2147483648",
    ),
    "scaled sums beyond 32 bits": (
        lambda: grown(image(3, 1).conv(3, (1, 1), per_channel=False), 2.0**25),
        "accumulators reach .* before they are scaled",
    ),
    "batch of two": (batch, "model input .*2x7x7x3"),
    "a batch that appears later": (later_batch, r"RESHAPE \(node 0.*a first axis of 1 is wanted"),
    "dynamic height": (
        lambda: tensor(image(5).conv(4, (3, 3)), 0, signature=[1, -1, 7, 3]),
        "of dynamic shape",
    ),
    "two tensors of one name": (
        lambda: tensor(image(5).conv(4, (3, 3)), 3, name="layer/0;act"),
        "are both named",
    ),
    "a cycle": (cycle, r"CONV_2D \(node 0.*read before it is produced"),
    "uint8 of old": (legacy, r"nothing quantizes it|uint8, int8 is wanted"),
    "hybrid": (hybrid, r"float32, int8 is wanted|nothing quantizes it"),
    "a variable": (state, "is variable"),
    "a mean whose scale leaves its format": (fine_mean, "scale 1.*cannot be represented"),
    "a kernel of nothing": (
        lambda: tensor(image(5).conv(4, (3, 3)), 1, shape=[4, 0, 3, 3], data=b""),
        r"CONV_2D \(node 0",
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_exact(check: Check, name: str) -> None:
    small = EXACT[name]()
    few = {"a scale ratio of 1000": 1, "sums just within 32 bits": 1}
    check(small, samples=8, distinct=few.get(name, 3))


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    build, message = REFUSED[name]
    path = tmp_path / "extreme.tflite"
    path.write_bytes(write(build().spec))
    with pytest.raises(UnsupportedError, match=message) as caught:
        frontend.load(path)
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_no_case_is_in_both_tables() -> None:
    assert not set(EXACT) & set(REFUSED)
    assert isinstance(legacy().now, TensorSpec)
