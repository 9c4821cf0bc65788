"""Run the HLS C++ of a graph and compare it with the interpreter, sample by sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.target.fpga.hls import csim

Ints = NDArray[np.int64]


def answers(graph: Graph, x: Ints, work: Path, **options: int) -> Ints:
    """Return the integers that the HLS C++ computes, (n, elements)."""
    source = graph.tensors[graph.inputs[0].tensor]
    found = csim(graph, edges.to_bytes(source, x), work, **options)
    return edges.from_bytes(graph.tensors[graph.outputs[0].tensor], found)


def meant(graph: Graph, x: Ints) -> Ints:
    """Return what the interpreter computes, (n, elements)."""
    outputs = interp.run(graph, {graph.inputs[0].tensor: x})
    return outputs[graph.outputs[0].tensor].reshape(len(x), -1)
