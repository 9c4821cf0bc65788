"""Binary decision diagrams: two functions are equal just where their nodes are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Node: TypeAlias = int
ZERO: Node = 0
ONE: Node = 1


@dataclass(slots=True)
class Bdd:
    """Nodes of one order of variables: (variable, low, high); 0 and 1 are the constants."""

    _nodes: list[tuple[int, Node, Node]] = field(default_factory=lambda: [(1 << 30, 0, 0)] * 2)
    _unique: dict[tuple[int, Node, Node], Node] = field(default_factory=dict)
    _memo: dict[tuple[Node, Node, Node], Node] = field(default_factory=dict)

    def make(self, variable: int, low: Node, high: Node) -> Node:
        """Return `variable ? high : low`; both only depend on higher variables."""
        if low == high:
            return low
        key = (variable, low, high)
        node = self._unique.get(key)
        if node is None:
            node = self._unique[key] = len(self._nodes)
            self._nodes.append(key)
        return node

    def variable(self, index: int) -> Node:
        """Return the function that is variable `index`."""
        return self.make(index, ZERO, ONE)

    def choose(self, condition: Node, then: Node, otherwise: Node) -> Node:
        """Return `condition ? then : otherwise`."""
        if condition <= ONE:
            return then if condition else otherwise
        if then == otherwise or (then, otherwise) == (ONE, ZERO):
            return then if then == otherwise else condition
        key = (condition, then, otherwise)
        found = self._memo.get(key)
        if found is not None:
            return found
        nodes = self._nodes
        top = min(nodes[condition][0], nodes[then][0], nodes[otherwise][0])
        halves = [
            nodes[node][1:] if nodes[node][0] == top else (node, node)
            for node in (condition, then, otherwise)
        ]
        low = self.choose(halves[0][0], halves[1][0], halves[2][0])
        high = self.choose(halves[0][1], halves[1][1], halves[2][1])
        found = self._memo[key] = self.make(top, low, high)
        return found

    def invert(self, node: Node) -> Node:
        """Return the negated function."""
        return self.choose(node, ZERO, ONE)

    def table(self, table: int, inputs: Sequence[Node]) -> Node:
        """Return the function of `inputs` whose truth table is `table`."""
        if not inputs:
            return table & 1
        half = 1 << (len(inputs) - 1)
        low = self.table(table & ((1 << half) - 1), inputs[:-1])
        high = self.table(table >> half, inputs[:-1])
        return self.choose(inputs[-1], high, low)

    def weighted(self, weights: Sequence[int], start: int, wanted: Callable[[int], bool]) -> Node:
        """Return `wanted(start + sum of weights of the variables that are set)`.

        Variable i weighs `weights[i]`.
        """
        totals = [{start}]
        for weight in weights:
            totals.append(totals[-1] | {total + weight for total in totals[-1]})
        layer: dict[int, Node] = {total: int(wanted(total)) for total in totals[-1]}
        for index in reversed(range(len(weights))):
            weight = weights[index]
            layer = {t: self.make(index, layer[t], layer[t + weight]) for t in totals[index]}
        return layer[start]
