"""16-bit activations against the reference kernels, exactly: every operator that takes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from writers.tflite_small import NONE, RELU, RELU6, SAME, VALID
from writers.tflite_wide import Wide
from writers.tflite_writer import INT8, INT16, INT32, INT64, write

from edgekit import frontend
from edgekit.errors import UnsupportedError
from edgekit.ir.graph import Graph
from edgekit.ir.types import DType

Check = Callable[..., Graph]


@pytest.mark.parametrize("activation", [NONE, RELU, RELU6])
@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("seed", range(4))
def test_conv(check: Check, seed: int, padding: int, activation: int) -> None:
    wide = Wide(seed, (9, 8, 1 + 3 * seed))
    more = {"padding": padding, "activation": activation}
    wide.conv(1 + seed, (3, 1 + seed % 3), stride=1 + seed % 2, dilation=1 + seed // 2, **more)
    graph = check(wide, distinct=40)
    assert {tensor.dtype for tensor in graph.tensors.values()} == {
        DType.INT16,
        DType.INT8,
        DType.INT32,
    }
    assert graph.outputs[0].source_dtype == "int16"


@pytest.mark.parametrize("code", ["ADD", "SUB"])
@pytest.mark.parametrize("seed", range(4))
def test_sums(check: Check, seed: int, code: str) -> None:
    wide = Wide(seed, (6, 5, 3))
    wide.conv(4, (1, 1))
    first = wide.at
    check(wide.conv(4, (3, 3), padding=SAME).join(code, first), distinct=60)


@pytest.mark.parametrize("seed", range(8))
def test_leaky_relu(check: Check, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ratio = 1.0 if seed == 0 else float(rng.uniform(0.3, 3.0))
    check(Wide(seed, (6, 5, 3)).leaky(float(rng.uniform(0, 1.2)), ratio), distinct=60)


@pytest.mark.parametrize("ratio", [0.4, 1.0, 2.7])
def test_a_change_of_scale(check: Check, ratio: float) -> None:
    check(Wide(3, (6, 5, 3)).rescale(ratio), distinct=60)


def test_moves(check: Check) -> None:
    wide = Wide(4, (6, 5, 3)).around([[0, 0], [1, 2], [0, 3], [0, 0]])
    first = wide.part([0, 1, 2, 0], [1, 4, 4, 3]).at
    wide.concat(first, 3).concat(wide.at, 1).turn([0, 2, 1, 3])
    check(wide.conv(2, (2, 2)), distinct=60)


def test_float_ends(check: Check) -> None:
    wide = Wide(5, (6, 5, 3)).from_float().conv(3, (2, 2))
    graph = check(wide.dequantize(), distinct=60)
    assert graph.inputs[0].dtype is graph.outputs[0].dtype is DType.INT16


def test_a_network(check: Check) -> None:
    wide = Wide(6, (12, 10, 4)).conv(8, (3, 3), padding=SAME).leaky(0.3, 0.8)
    first = wide.at
    wide.around([[0, 0], [1, 1], [1, 1], [0, 0]]).conv(8, (3, 3)).leaky(0.3, 1.0)
    check(wide.join("ADD", first).conv(5, (3, 3), stride=2), distinct=60)


REFUSED: list[tuple[str, Callable[[Wide], object], str]] = [
    ("zero point", lambda w: setattr(w.now, "zero_points", [5]), "zero point 5, 0 is wanted"),
    ("8-bit output", lambda w: setattr(w.now, "type_code", INT8), "int8, int16 is wanted"),
    (
        "32-bit bias",
        lambda w: setattr(w.spec.tensors[3], "type_code", INT32),
        "int32, int64 is wanted",
    ),
    (
        "bias beyond 32 bits",
        lambda w: setattr(w.spec.tensors[3], "data", np.full(2, 2**31, "<i8").tobytes()),
        "reaches 2147483648, 32 bits are wanted",
    ),
    (
        "weights of 16 bits",
        lambda w: setattr(w.spec.tensors[1], "type_code", INT16),
        "int16, int8 is wanted",
    ),
    ("relu", lambda w: w.unary("RELU"), "int16, int8 is wanted"),
]
IDS = [case[0] for case in REFUSED]


@pytest.mark.parametrize(("change", "message"), [c[1:] for c in REFUSED], ids=IDS)
def test_refused(tmp_path: Path, change: Callable[[Wide], object], message: str) -> None:
    wide = Wide(7, (6, 5, 3)).conv(2, (2, 2))
    assert wide.spec.tensors[3].type_code == INT64
    change(wide)
    path = tmp_path / "model.tflite"
    path.write_bytes(write(wide.spec))
    with pytest.raises(UnsupportedError, match=message) as caught:
        frontend.load(path)
    assert caught.value.hint


def test_accumulators_beyond_32_bits_are_refused(tmp_path: Path) -> None:
    wide = Wide(8, (6, 5, 120)).conv(2, (5, 5))
    path = tmp_path / "model.tflite"
    path.write_bytes(write(wide.spec))
    with pytest.raises(UnsupportedError, match=r"CONV_2D 0: partial sums of channel \d reach"):
        frontend.load(path)
