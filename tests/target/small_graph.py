"""One small graph with every node kind, for golden files and command lines."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from writers.random_graphs import GraphBuilder  # noqa: E402

from edgekit.ir.graph import Graph  # noqa: E402
from edgekit.ir.types import Padding, Rounding  # noqa: E402


def small_graph(rounding: Rounding = Rounding.DOUBLE) -> Graph:
    """Return it; its values are fixed by the seed."""
    builder = GraphBuilder(11, rounding)
    x = builder.input(6, 5, 2)
    x = builder.conv(x, 3, (3, 3), (2, 1), padding=Padding(1, 1, 1, 1))
    wide = builder.conv(x, 1, (3, 3), padding=Padding(1, 1, 1, 1), depthwise=True)
    x = builder.add(wide, x)
    x = builder.pad(x, (0, 1, 0), (1, 0, 0))
    x = builder.max_pool(x, (2, 2), (1, 2))
    x = builder.clamp(x)
    x = builder.requantize(x)
    x = builder.average_pool(x, (2, 2))
    x = builder.reshape(x, builder.tensors[x].size)
    x = builder.dense(x, 5)
    x = builder.softmax(x)
    return builder.graph(x)


if __name__ == "__main__":
    from native_model import plan_of

    sys.stdout.write(plan_of(small_graph(), trace=False).digest())
