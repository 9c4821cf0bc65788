"""Take nodes out of a trained network's last layer, of each digit as many.

    python prune.py build/train/mnist_luts/graph.safetensors --nodes 36 -o mnist_luts.safetensors

Greedy: of each digit in turn the node goes without which the training images' cross entropy is
smallest. Popcount and arg max cost more than the nodes themselves, so the last layer pays most.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import serialize
from edgekit.ir.graph import Graph
from edgekit.ir.lowbit import LutLayer
from edgekit.train import data
from edgekit.train.config import IdxData

CLASSES = 10
IMAGES = 12_000  # of the training part; more choose alike
Bits = NDArray[np.bool_]
Ints = NDArray[np.int64]


def layers(graph: Graph) -> list[tuple[Ints, Bits]]:
    """Return connections (M, k) and tables (M, 2**k) of both layers."""
    found = [node for node in graph.nodes if isinstance(node, LutLayer)]
    return [
        (graph.constants[n.connections].astype(np.int64), graph.constants[n.tables] > 0)
        for n in found
    ]


def answers(bits: Bits, layer: tuple[Ints, Bits]) -> Bits:
    """Return (B, M) for bits (B, N)."""
    connections, tables = layer
    address = sum(bits[:, places].astype(np.int8) << j for j, places in enumerate(connections.T))
    return tables[np.arange(len(tables)), address]


def chosen(last: Bits, labels: Ints, nodes: int, temperature: float) -> list[int]:
    """Return the places of the nodes that stay, `nodes` of each digit."""
    groups = np.split(np.arange(last.shape[1]), CLASSES)
    counts = np.stack([last[:, group].sum(axis=1) for group in groups], axis=1) / temperature
    kept = [list(group) for group in groups]
    rows = np.arange(len(labels))
    for _ in range(len(kept[0]) - nodes):
        for digit, group in enumerate(kept):
            powers = np.exp(counts - counts.max(axis=1, keepdims=True))
            rest = powers.sum(axis=1) - powers[:, digit]
            less = powers[:, digit] * np.exp(-1 / temperature)
            own = counts[rows, labels] - counts.max(axis=1)
            costs = []
            for node in group:
                is_one = last[:, node]
                own_now = own - is_one * (labels == digit) / temperature
                total = rest + np.where(is_one, less, powers[:, digit])
                costs.append(float((np.log(total) - own_now).mean()))
            gone = group.pop(int(np.argmin(costs)))
            counts[:, digit] -= last[:, gone] / temperature
    return [node for group in kept for node in group]


def smaller(graph: Graph, stays: list[int]) -> Graph:
    """Return the graph with those nodes of the last layer, and of the first those they read."""
    first, second = (node for node in graph.nodes if isinstance(node, LutLayer))
    constants = dict(graph.constants)
    constants[second.tables] = constants[second.tables][stays]
    reads = constants[second.connections][stays]
    used, places = np.unique(reads, return_inverse=True)
    constants[second.connections] = places.reshape(reads.shape).astype(reads.dtype)
    for name in (first.connections, first.tables):
        constants[name] = constants[name][used]
    sizes = {first.y: len(used), second.y: len(stays)}
    tensors = dict(graph.tensors)
    for name, count in sizes.items():
        tensors[name] = replace(tensors[name], shape=(count,))
    for name in (first.connections, first.tables, second.connections, second.tables):
        tensors[name] = replace(tensors[name], shape=constants[name].shape)
    return replace(graph, tensors=tensors, constants=constants)


def accuracy(graph: Graph, x: NDArray[np.uint8], y: Ints) -> float:
    """Return the share of images told right."""
    bits = x.reshape(len(x), -1) >= graph.inputs[0].thresholds[0]
    for layer in layers(graph):
        bits = answers(bits, layer)
    counts = bits.reshape(len(bits), CLASSES, -1).sum(axis=2)
    return float((counts.argmax(axis=1) == y).mean())


def main() -> None:
    """Prune, print accuracies, write the graph."""
    parser = argparse.ArgumentParser()
    parser.add_argument("graph", type=Path)
    parser.add_argument("--nodes", type=int, default=36, help="of each digit that stay")
    parser.add_argument("--data", type=Path, default=Path(__file__).parent / "../mnist/data")
    parser.add_argument("--test", action="store_true", help="read the test part, at the end")
    parser.add_argument("-o", "--output", type=Path, default=Path("pruned.safetensors"))
    args = parser.parse_args()
    graph = serialize.load_bytes(args.graph.read_bytes(), str(args.graph))
    samples = data.load(IdxData(kind="idx", path=args.data, validation=1 / 12))
    bits = samples.train_x[:IMAGES].reshape(IMAGES, -1) >= graph.inputs[0].thresholds[0]
    for layer in layers(graph):
        bits = answers(bits, layer)
    labels = samples.train_y[:IMAGES].astype(np.int64)
    pruned = smaller(graph, chosen(bits, labels, args.nodes, 1 / graph.outputs[0].scale))
    parts = {"validation": (samples.val_x, samples.val_y)}
    if args.test:
        parts["test"] = (samples.test_x, samples.test_y)
    for name, (x, y) in parts.items():
        before, after = (100 * accuracy(g, x, y) for g in (graph, pruned))
        print(f"{name}: {before:.2f} % before, {after:.2f} % after")
    print("nodes:", *(len(tables) for _, tables in layers(pruned)))
    serialize.save(pruned, args.output)


if __name__ == "__main__":
    main()
