"""The example: its graph, its figures, and that training anew is quick and as good."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edgekit.ir import edges, interp
from edgekit.ir.serialize import load_bytes
from edgekit.progress import Silent
from edgekit.train import config, data, run


@pytest.fixture
def example(root: Path) -> Path:
    return root / "examples" / "digits_binary"


def test_the_graph_has_the_accuracy_that_the_page_says(example: Path) -> None:
    graph = load_bytes((example / "digits_binary.safetensors").read_bytes(), "graph")
    held_out = np.load(example / "held_out.npz")
    (source,), (scores,) = graph.inputs, graph.outputs
    integers = edges.quantize(source, held_out["x"])
    found = interp.run(graph, {source.tensor: integers})[scores.tensor].argmax(axis=1)
    percent = f"{100 * np.mean(found == held_out['y']):.1f} %"
    text = (example / "README.md").read_text(encoding="utf-8")
    assert f"is seed 0, {percent}" in text
    weights = {node.weight for node in graph.nodes if hasattr(node, "weight")}
    bits = sum(graph.tensors[name].size * graph.tensors[name].dtype.bits for name in weights)
    assert re.search(r"Its weights take ([\d,]+) bits", text)[1] == f"{bits:,}"


def test_the_held_out_images_are_the_test_part(example: Path) -> None:
    held_out = np.load(example / "held_out.npz")
    dataset = data.load(config.load(example / "train.yaml").data)
    assert np.array_equal(held_out["x"], dataset.test_x)
    assert np.array_equal(held_out["y"], dataset.test_y)


@pytest.mark.torch
@pytest.mark.nightly
def test_training_anew_takes_less_than_30_seconds_of_one_core(
    example: Path, tmp_path: Path
) -> None:
    result = run.train(config.load(example / "train.yaml"), tmp_path, Silent()).result
    assert result["cpu_seconds"] < 30
    assert result["accuracy"]["validation"] > 0.96
