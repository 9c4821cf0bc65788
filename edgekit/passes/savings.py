"""What a pass saved, counted on the graph before and after it."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.ir.check import macs
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Conv2D, Dense, DepthwiseConv2D


@dataclass(frozen=True, slots=True)
class Saving:
    """Multiplications of one inference, weights (without biases) and nodes around one pass."""

    name: str
    macs_before: int
    macs_after: int
    weights_before: int
    weights_after: int
    nodes_before: int
    nodes_after: int

    @property
    def is_empty(self) -> bool:
        """Whether the pass found nothing to save."""
        return (
            self.macs_before == self.macs_after
            and self.weights_before == self.weights_after
            and self.nodes_before == self.nodes_after
        )


def saving(name: str, before: Graph, after: Graph) -> Saving:
    """Return what pass `name` saved."""
    return Saving(
        name,
        *(_macs(before), _macs(after)),
        *(_weights(before), _weights(after)),
        *(len(before.nodes), len(after.nodes)),
    )


def _macs(graph: Graph) -> int:
    return sum(macs(graph, node) for node in graph.nodes)


def _weights(graph: Graph) -> int:
    """Return how many weights are stored; a constant that two nodes read is stored once."""
    weighted = (n for n in graph.nodes if isinstance(n, Conv2D | DepthwiseConv2D | Dense))
    return sum(graph.tensors[name].size for name in {node.weight for node in weighted})
