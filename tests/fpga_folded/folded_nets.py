"""Small networks for the folded style, and their answers as wire bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from writers.random_binary import BinaryBuilder

from edgekit import board
from edgekit.ir import interp
from edgekit.ir.edges import to_bytes
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Pad
from edgekit.ir.types import DType, Edge
from edgekit.target.fpga.core import Core, Resources
from edgekit.virtual.fpga.bench import CoreRun, run_core

BLOCKS = Path(__file__).parents[2] / "fpga" / "rtl"
UP5K = Resources(lut=5280, ff=5280, carry=5280, bram=30, spram=4, dsp=8)

ICEBREAKER = board.find("icebreaker")
assert isinstance(ICEBREAKER, board.FpgaBoard)


@dataclass
class FoldedBuilder(BinaryBuilder):
    """Grows low-bit graphs whose weights are of any type."""

    weight_type: DType = DType.BINARY
    kept: float = 1.0  # share of the weights that are not pruned

    def _bits_and_bias(self, shape: tuple[int, ...], channels: int) -> tuple[str, str]:
        if self.weight_type is DType.BINARY:
            return super()._bits_and_bias(shape, channels)
        low, high = self.weight_type.low, self.weight_type.high
        values = self.rng.integers(low, high + 1, shape)
        if self.kept < 1:
            values[self.rng.random(shape) >= self.kept] = 0
        weight = self.constant("weight", values, self.weight_type)
        return weight, self.constant("bias", self.rng.integers(-9, 10, channels), DType.INT32)

    def _edge(self, name: str) -> Edge:
        found = super()._edge(name)
        return replace(found, source_dtype="int32") if found.dtype is DType.INT32 else found

    def pad_by(self, x: str, before: tuple[int, ...], after: tuple[int, ...], value: int) -> str:
        source = self.tensors[x]
        sizes = zip(source.shape, before, after, strict=True)
        shape = tuple(size + low + high for size, low, high in sizes)
        y = self._tensor("pad", shape, source.dtype)
        return self.append(Pad(f"PAD {y}", x, y, before, after, value))


def stored(graph: Graph, integers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Wire bytes (n, bytes) of the input's integers."""
    return to_bytes(graph.tensors[graph.inputs[0].tensor], integers).view(np.uint8)


def answers(graph: Graph, integers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Wire bytes (n, bytes) of what the interpreter computes."""
    name = graph.outputs[0].tensor
    out = interp.run(graph, {graph.inputs[0].tensor: integers})[name]
    return to_bytes(graph.tensors[name], out).view(np.uint8)


def simulate(
    core: Core, graph: Graph, x: NDArray[np.int64], work: Path, stress: int = 0
) -> CoreRun:
    """Run the core on integers under Icarus Verilog."""
    return run_core(core, BLOCKS, stored(graph, x), "iverilog", work, stress=stress)
