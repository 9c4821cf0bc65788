"""The reference itself: what it refuses to call a reference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from writers.onnx_writer import Net

from edgekit.errors import ConfigError, ToolError, UnsupportedError
from edgekit.frontend.onnx import reference
from edgekit.frontend.onnx.convert import convert
from edgekit.frontend.onnx.model import Model
from edgekit.ir.graph import Graph


def saved(tmp_path: Path, net: Net) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(net.model(), str(path))
    return path


def test_float_operators_that_nobody_listed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Net(1, (1, 3, 8, 8)).conv(4).flatten().gemm(3)
    # Take the quantizers around the Flatten away: the Gemm behind it is then float.
    flatten = next(node for node in net.nodes if node.op_type == "Flatten")
    gemm = next(node for node in net.nodes if node.op_type == "Gemm")
    gemm.input[0] = flatten.output[0]
    net.nodes = [n for n in net.nodes if flatten.output[0] not in n.input or n is gemm]
    produced = {name for node in net.nodes for name in node.output}
    known = produced | {"x"} | {c.name for c in net.constants}
    net.nodes = [n for n in net.nodes if all(name in known for name in n.input)]
    path = saved(tmp_path, net)
    assert reference.float_operators(path, "int8") == (f"Gemm {gemm.name}",)
    x = net.inputs(2)
    assert reference.run(path, x).shape == (2, 3)  # listed by the loader

    def unlisted(model: Model) -> Graph:
        return replace(convert(model), not_compared=())

    monkeypatch.setattr(reference, "convert", unlisted)
    with pytest.raises(UnsupportedError, match="onnxruntime computes Gemm"):
        reference.run(path, x)


def test_a_processor_that_saturates_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Saturating:
        def run(self, *_: object) -> list[np.ndarray]:
            return [np.array([[64]], np.int8)]

    net = Net(2, (1, 8)).gemm(3)
    path = saved(tmp_path, net)
    monkeypatch.setattr(reference, "_session", lambda *_: (Saturating(), ()))
    with pytest.raises(ToolError, match="saturate at 16 bits"):
        reference.run(path, net.inputs(1))


def test_no_samples(tmp_path: Path) -> None:
    net = Net(3, (1, 8)).gemm(3)
    with pytest.raises(ConfigError, match="no samples"):
        reference.run(saved(tmp_path, net), np.zeros((0, 8), np.float32))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_integers_are_the_sources_own(tmp_path: Path, dtype: str) -> None:
    net = Net(4, (1, 3, 6, 6), dtype=dtype).conv(4)
    found = reference.run(saved(tmp_path, net), net.inputs(8))
    low = -128 if dtype == "int8" else 0
    assert found.shape == (8, 4, 4, 4)
    assert low <= found.min() < found.max() <= low + 255
    assert (found.max() > 127) == (dtype == "uint8")
