"""The equality chain: all links give the same integers; the first that does not is named."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import interp
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import inputs_of
from edgekit.report.types import Accuracy, Equality, FirstDifference, NotCompared

# Gives the output tensor of node k of the lowered graph, flat, for one input.
LayerReader = Callable[[int], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """One executor of the model and what it answered: (n, elements) graph integers."""

    name: str
    outputs: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first sample on which two neighbouring links disagree."""

    reference: str
    wrong: str
    sample: int
    element: int
    expected: int
    actual: int


def compare(graph: Graph, links: Sequence[Link]) -> tuple[Equality, Difference | None]:
    """Compare every link with the first and return the result with the first difference.

    A sample counts once as a mismatch however many links and elements differ.
    """
    first = links[0].outputs
    wrong = np.zeros(first.shape[0], dtype=bool)
    for link in links[1:]:
        wrong |= (link.outputs != first).any(axis=1)
    equality = Equality(
        samples=int(first.shape[0]),
        mismatches=int(wrong.sum()),
        chain=tuple(link.name for link in links),
        not_compared=tuple(NotCompared(n.label, n.reason) for n in graph.not_compared),
    )
    return equality, _first(links)


def _first(links: Sequence[Link]) -> Difference | None:
    for before, after in itertools.pairwise(links):
        rows, columns = np.nonzero(before.outputs != after.outputs)
        if rows.size:
            sample, element = int(rows[0]), int(columns[0])
            expected = int(before.outputs[sample, element])
            actual = int(after.outputs[sample, element])
            return Difference(before.name, after.name, sample, element, expected, actual)
    return None


def at_output(graph: Graph, found: Difference) -> FirstDifference:
    """Return `found` as it shows at the model's output, where no layer can be looked at."""
    edge = graph.outputs[0]
    shape = graph.tensors[edge.tensor].shape
    return FirstDifference(
        between=(found.reference, found.wrong),
        sample=found.sample,
        layer="output",
        tensor=edge.tensor,
        index=_index(found.element, shape),
        expected=found.expected,
        actual=found.actual,
    )


def bisect(
    graph: Graph, sample: NDArray[np.int64], read: LayerReader, found: Difference
) -> FirstDifference | None:
    """Return the first layer whose tensor differs from the interpreter's, or None if none does.

    `sample` is (1, *input shape). A wrong layer is taken to stay visible up to the output, as it
    does on one path at least; log2(nodes) layers are read, and then what feeds the one found:
    it may be a sum that sees, past a branch of right layers, one that was wrong before.
    """
    expected = interp.run(graph, {graph.inputs[0].tensor: sample}, keep=True)
    makers = {node.y: index for index, node in enumerate(graph.nodes)}

    @functools.cache
    def difference(index: int) -> tuple[int, int] | None:
        wanted, found = expected[graph.nodes[index].y].reshape(-1), read(index)
        (places,) = np.nonzero(wanted != found)
        return (int(places[0]), int(found[places[0]])) if places.size else None

    low, high = 0, len(graph.nodes) - 1
    if difference(high) is None:
        return None
    while low < high:
        middle = (low + high) // 2
        if difference(middle) is None:
            low = middle + 1
        else:
            high = middle
    while wrong := [
        makers[name]
        for name in inputs_of(graph.nodes[low])
        if name in makers and difference(makers[name]) is not None
    ]:
        low = min(wrong)
    seen = difference(low)
    assert seen is not None  # `low` was seen to differ
    place, actual = seen
    node = graph.nodes[low]
    return FirstDifference(
        between=(found.reference, found.wrong),
        sample=found.sample,
        layer=node.label,
        tensor=node.y,
        index=_index(place, graph.tensors[node.y].shape),
        expected=int(expected[node.y].reshape(-1)[place]),
        actual=actual,
    )


def top1(outputs: NDArray[Any], labels: NDArray[np.int64] | None) -> Accuracy | None:
    """Return the share of samples whose largest output is the label's; ties: lowest index."""
    if labels is None or outputs.shape[1] < 2:
        return None
    right = int((outputs.argmax(axis=1) == labels).sum())
    return Accuracy("top1", right / labels.size, int(labels.size))


def _index(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(place, shape))
