"""Parameters of a BNN-PYNQ fully connected network, as the layers that its hardware computes.

File format (github.com/Xilinx/BNN-PYNQ: finnthesizer.py, hw/config.h and library/hls of lfcW1A1):
`L-P-weights.bin` holds the rows of layer L that processing element P computes: row r belongs to
element r % PE, a row is a run of 64-bit little-endian words, each with SIMD weights, lowest bit
first, 1 meaning +1. `L-P-thres.bin` holds one int64 for each of these rows. A neuron counts the
inputs that agree with their weights and is 1 where that count is above its threshold. Rows are
padded with weights 1, the input with bits 0: they never agree. The input's bit is 1 where the
pixel, from -1 to 1, is at least 0. The host takes the highest bit that is set among those of the
classes, or class 0 where none is.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgekit.frontend.lowering import (
    Elementwise,
    Flatten,
    InputSpec,
    Layer,
    Quantizer,
    Weighted,
    lower,
)
from edgekit.ir.graph import Graph, Source
from edgekit.ir.types import DType, InputGrid

# (SIMD, PE, rows, inputs) of each layer of lfcW1A1; rows and inputs without their padding.
LFC = ((64, 32, 1024, 784), (32, 64, 1024, 1024), (64, 32, 1024, 1024), (8, 16, 10, 1024))


def read(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (weights of 0 and 1 [rows, inputs], thresholds [rows]) of each layer."""
    with zipfile.ZipFile(path) as archive:
        return [
            _layer(archive, number, *shape[:2], shape[2], shape[3])
            for number, shape in enumerate(LFC)
        ]


def _layer(
    archive: zipfile.ZipFile, number: int, simd: int, elements: int, rows: int, inputs: int
) -> tuple[np.ndarray, np.ndarray]:
    padded = -(-inputs // 64) * 64
    weights: dict[int, np.ndarray] = {}
    thresholds: dict[int, int] = {}
    for element in range(elements):
        stem = f"{number}-{element}"
        words = np.frombuffer(archive.read(f"{stem}-weights.bin"), "<u8").reshape(
            -1, padded // simd
        )
        limits = np.frombuffer(archive.read(f"{stem}-thres.bin"), "<i8")
        bits = (words[:, :, np.newaxis] >> np.arange(simd, dtype=np.uint64)) & np.uint64(1)
        for fold, limit in enumerate(limits):
            weights[fold * elements + element] = bits[fold].reshape(-1)[:inputs]
            thresholds[fold * elements + element] = int(limit)
    found = np.stack([weights[row] for row in range(rows)]).astype(np.int64)
    return found, np.array([thresholds[row] for row in range(rows)])


def classes(layers: list[tuple[np.ndarray, np.ndarray]], images: np.ndarray) -> np.ndarray:
    """Return what hardware and host answer for images of 0 to 255, [n, ...]."""
    bits = images.reshape(len(images), -1) / 255 * 2 - 1 >= 0
    for weights, thresholds in layers:
        same = bits.astype(np.float32) @ weights.T + (~bits).astype(np.float32) @ (1 - weights).T
        bits = same > thresholds
    places = np.arange(bits.shape[1])
    return np.where(bits, places, 0).max(axis=1)


def graph(layers: list[tuple[np.ndarray, np.ndarray]], grid: InputGrid | None) -> Graph:
    """Return the network with a last layer whose largest sum is the class that the host takes.

    Score c is +(c + 1) where bit c is set and -(c + 1) where it is not.
    """
    chain: list[Layer] = [
        Flatten("image", channels_first=True),
        Elementwise("scale", lambda x: x * np.float32(2) - np.float32(1)),
        _bits("input", lambda x: x >= 0),
    ]
    one = np.ones(1, np.float32)
    for number, (weights, thresholds) in enumerate(layers):
        label, inputs = f"layer {number}", weights.shape[1]
        chain.append(Weighted(label, "dense", 2 * weights - 1, DType.BINARY, one))
        # What agrees less what does not is twice the count less the number of inputs.
        limits = (2 * thresholds - inputs).astype(np.float32)
        chain.append(_bits(f"threshold {number}", lambda x, limits=limits: x > limits))
    chain.append(Weighted("class", "dense", np.diag(np.arange(1, 11)), DType.INT8, one))
    source = Source("edgekit", "none", "")
    spec = InputSpec("image", (1, 1, 28, 28), channels_first=True)
    return lower("lfc_w1a1", source, spec, chain, grid)


def _bits(label: str, above: Callable[[np.ndarray], np.ndarray]) -> Quantizer:
    return Quantizer(
        label, lambda x: np.where(above(x), 1, -1), DType.BINARY, np.float32(1), 0, -1, 1
    )
