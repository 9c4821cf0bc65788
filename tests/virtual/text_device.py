"""Images that answer text commands, and the inputs that they are asked with."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.board import Board
from edgekit.ir import interp
from edgekit.ir.graph import Graph
from edgekit.pipeline import stages

KEYWORD_MODEL = Path("models/mlperf_tiny_ref/kws_ref_model.tflite")


@dataclass(frozen=True)
class Device:
    """An image, and inputs for it: int8 [n, bytes]."""

    name: str
    elf: Path
    graph: Graph
    inputs: np.ndarray

    def expected(self) -> np.ndarray:
        """Return what the graph makes of the inputs, int64 [n, outputs]."""
        edge = self.graph.inputs[0]
        shape = self.graph.tensors[edge.tensor].shape
        x = self.inputs.astype(np.int64).reshape(-1, *shape)
        y = interp.run(self.graph, {edge.tensor: x})[self.graph.outputs[0].tensor]
        return y.reshape(len(x), -1)


def build(model: Path, board: Board, work: Path, inputs: np.ndarray) -> Device:
    """Build `model` under the name of its file."""
    graph = stages.load(model)
    artifact = stages.build(stages.compile(graph, board, toolchain="gcc"), work)
    return Device(graph.name, artifact.products["elf"], graph, inputs)


def keyword_inputs(shared_data: Path, n: int) -> tuple[np.ndarray, list[list[str]]]:
    """Return the first `n` keyword inputs, int8 [n, 490], and their rows of labels."""
    with (shared_data / "datasets/mlperf_tiny_eval/kws01_y_labels.csv").open() as labels:
        rows = [row for _, row in zip(range(n), csv.reader(labels), strict=False)]
    with zipfile.ZipFile(shared_data / "datasets/mlperf_tiny_kws01/kws01_first600.zip") as archive:
        inputs = [np.frombuffer(archive.read(row[0]), np.int8) for row in rows]
    return np.stack(inputs), rows
