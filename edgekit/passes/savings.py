"""What a pass saved, counted on the graph before and after it."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.ir.check import macs
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import Weighted

_WORDS = {
    "macs": "MACs",
    "weights": "weights",
    "nodes": "nodes",
    "arena_bytes": "bytes of arena",
}


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
    arena_bytes: tuple[int, int] | None = None  # before and after, of the one pass that counts it

    def as_json(self) -> dict[str, list[int]]:
        """Return each figure as [before, after]."""
        found = {
            "macs": [self.macs_before, self.macs_after],
            "weights": [self.weights_before, self.weights_after],
            "nodes": [self.nodes_before, self.nodes_after],
        }
        if self.arena_bytes is not None:
            found["arena_bytes"] = list(self.arena_bytes)
        return found

    @property
    def is_empty(self) -> bool:
        """Whether the graph costs as much as before."""
        return all(before == after for before, after in self.as_json().values())

    def sentence(self) -> str:
        """Return in words what changed, for a reader of a report."""
        changed = [
            f"{before:,} → {after:,} {_WORDS[what]}"
            for what, (before, after) in self.as_json().items()
            if before != after
        ]
        return f"{self.name}: {', '.join(changed) or 'nothing to save'}"


def saving(
    name: str, before: Graph, after: Graph, arena_bytes: tuple[int, int] | None = None
) -> Saving:
    """Return what pass `name` saved."""
    return Saving(
        name,
        *(_macs(before), _macs(after)),
        *(_weights(before), _weights(after)),
        *(len(before.nodes), len(after.nodes)),
        arena_bytes,
    )


def _macs(graph: Graph) -> int:
    return sum(macs(graph, node) for node in graph.nodes)


def _weights(graph: Graph) -> int:
    """Return how many weights are stored; a constant that two nodes read is stored once."""
    weighted = (n for n in graph.nodes if isinstance(n, Weighted))
    return sum(graph.tensors[name].size for name in {node.weight for node in weighted})
