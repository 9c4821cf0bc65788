"""The README's table of few-bit networks is what `edgekit bench` counts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit import board as boards
from edgekit.ir.types import InputGrid
from edgekit.pipeline.bench import bench

pytestmark = [pytest.mark.virtual, pytest.mark.gcc, pytest.mark.nightly]

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {
    "examples/mnist/convolutional": "examples/mnist/convolutional.safetensors",
    "examples/mnist/small": "examples/mnist/small.safetensors",
    "examples/digits_binary": "examples/digits_binary/digits_binary.safetensors",
    "examples/keywords/int4": "examples/keywords/int4.safetensors",
}


def written(name: str) -> tuple[int, int, int]:
    """Return MACs, instructions and bytes of weights as README.md has them."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| {re.escape(name)}[ ,|].*$", text, re.MULTILINE)
    assert row is not None
    macs, instructions, weights = row[0].split("|")[3:6]
    return (
        int(macs.replace(",", "")),
        int(instructions.replace(",", "")),
        int(weights.replace(",", "")),
    )


def counted(path: Path, grid: InputGrid | None) -> tuple[int, int, int]:
    figures = bench([path], boards.find("nucleo-l4r5zi"), virtual=True, grid=grid)
    (row,) = figures["models"]
    return row["macs"], row["instructions"], row["weights_bytes"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name: str) -> None:
    assert counted(ROOT / EXAMPLES[name], None) == written(name)


@pytest.mark.data
@pytest.mark.qonnx
@pytest.mark.parametrize("name", ["TFC_1W1A", "TFC_2W2A"])
def test_published_networks(name: str, shared_data: Path) -> None:
    path = shared_data / "models" / "qonnx_zoo" / f"{name}.onnx"
    assert counted(path, InputGrid(1 / 255, 0, "uint8")) == written(f"{name} (QONNX)")
