"""Models at the edges of what can be represented: exact against onnxruntime, or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from writers.onnx_writer import LOW, Net

from edgekit import frontend
from edgekit.errors import UnsupportedError
from edgekit.ir.graph import Graph

Check = Callable[..., Graph]
DTYPES = ("int8", "uint8")


class Ends(Net):
    """Every zero point is at an end of its type."""

    def _zero(self) -> int:
        return LOW[self.dtype] + 255 * int(self.rng.integers(0, 2))


@pytest.mark.parametrize("form", ["qdq", "qoperator"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(3))
def test_zero_points_at_the_ends(check: Check, seed: int, dtype: str, form: str) -> None:
    net = Ends(seed, (1, 3, 8, 7), dtype=dtype, form=form)
    net.conv(5, (3, 3), (1, 1), (1, 1, 1, 1))
    first = net.branch()
    net.conv(5, (1, 1)).add(first)
    check(net, varied=6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scale_ratios_above_one(check: Check, dtype: str) -> None:
    """One weight of 1 and an output scale far below the accumulator's."""
    net = Net(3, (1, 1, 6, 6), dtype=dtype).conv(1, (1, 1), per_channel=False, bias=False)
    stored = {tensor.name: tensor for tensor in net.constants}
    weights = next(t for t in net.constants if list(t.dims) == [1, 1, 1, 1])
    weights.CopyFrom(numpy_helper.from_array(np.full((1, 1, 1, 1), 1, np.int8), weights.name))
    quantizer = next(n for n in reversed(net.nodes) if n.op_type == "QuantizeLinear")
    scale = np.asarray(net.const(np.float32(3e-5), "float32"))
    for user in net.nodes:
        for place, name in enumerate(user.input):
            if name == quantizer.input[1] and name in stored:
                user.input[place] = str(scale)
    readers = [n for n in net.nodes if n.op_type == "DequantizeLinear" and n is not net.nodes[1]]
    readers[-1].input[1] = str(scale)
    graph = check(net, varied=3)
    requant = graph.nodes[-1].requant  # type: ignore[union-attr]
    assert requant.multiplier[0] * 2.0 ** requant.shift[0] > 1


@pytest.mark.parametrize("channels", range(1, 8))
@pytest.mark.parametrize("dtype", DTYPES)
def test_few_channels(check: Check, dtype: str, channels: int) -> None:
    net = Net(channels, (1, channels, 7, 6), dtype=dtype)
    net.conv(1, (3, 3), (1, 1), (1, 1, 1, 1), depthwise=True).conv(8 - channels, (1, 1))
    check(net)


@pytest.mark.parametrize("kernel", [(1, 1), (13, 12), (13, 1), (1, 12)])
@pytest.mark.parametrize("stride", [(1, 1), (5, 4)])
def test_kernels_of_all_sizes_and_strides_beyond_them(
    check: Check, kernel: tuple[int, int], stride: tuple[int, int]
) -> None:
    net = Net(4, (1, 3, 13, 12)).conv(9, kernel, stride)
    check(net)
    check(Net(5, (1, 3, 13, 12)).conv(9, (2, 2), (3, 4)).max_pool((1, 2), (2, 3)))


def hybrid_weights(net: Net) -> None:
    """Quantized weights, float activations."""
    conv = next(n for n in net.nodes if n.op_type == "Conv")
    conv.input[0] = "x"


def hybrid_activations(net: Net) -> None:
    """Quantized activations, float weights."""
    conv = next(n for n in net.nodes if n.op_type == "Conv")
    net.constants.append(numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w"))
    conv.input[1] = "w"


def overflowing(net: Net) -> None:
    """A bias that leaves no room in 32 bits."""
    bias = next(t for t in net.constants if t.data_type == onnx.TensorProto.INT32 and t.dims == [4])
    bias.CopyFrom(numpy_helper.from_array(np.full(4, 2**31 - 1, np.int32), bias.name))


def batch_of_two(net: Net) -> None:
    net.input_info.type.tensor_type.shape.dim[0].dim_value = 2


def open_height(net: Net) -> None:
    net.input_info.type.tensor_type.shape.dim[2].dim_param = "h"


def one_name_twice(net: Net) -> None:
    net.nodes[-1].output[0] = net.nodes[0].output[0]


def cycle(net: Net) -> None:
    net.nodes[0].input[0] = net.nodes[-2].output[0]


def sixteen_bits(net: Net) -> None:
    for tensor in net.constants:
        if tensor.data_type == onnx.TensorProto.INT8 and not tensor.dims:
            value = numpy_helper.to_array(tensor).astype(np.int16)
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))


REFUSED: tuple[tuple[Callable[[Net], None], str], ...] = (
    (hybrid_weights, r"Conv \d+ .*input 0 is the float input, not quantized yet"),
    (hybrid_activations, r"Conv \d+ .*input 1 is a constant; a dequantized constant is wanted"),
    (overflowing, r"Conv \d+ .*partial sums of channel \d reach 21\d+; less than 2147483648"),
    (batch_of_two, "has shape 2x3x8x8; a batch axis of 1"),
    (open_height, r"has shape 1x3x\?x8; a batch axis of 1"),
    (one_name_twice, "is produced twice"),
    (cycle, "not in order, or form a cycle"),
    (sixteen_bits, "an activation of int16 is not supported|zero point of int16"),
)


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[c.__name__ for c, _ in REFUSED])
def test_refused(tmp_path: Path, change: Callable[[Net], None], message: str) -> None:
    net = Net(1, (1, 3, 8, 8)).conv(4)
    model_before = replace(net.current)
    change(net)
    assert net.current == model_before
    path = tmp_path / "net_hard.onnx"
    path.write_bytes(net.model().SerializeToString())
    with pytest.raises(UnsupportedError, match=message) as caught:
        frontend.load(path)
    assert caught.value.exit_code == 3
