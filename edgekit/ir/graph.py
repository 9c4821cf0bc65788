"""The graph: frozen data with an exact integer meaning (docs/SPEC.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.ir.nodes import Node
from edgekit.ir.types import Edge, Tensor

Constants = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class NotCompared:
    """A source operator whose arithmetic is float and therefore outside the equality chain."""

    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """Which file the graph came from; `reference` names the runtime it must equal."""

    format: Literal["tflite", "onnx-qdq", "onnx-qoperator", "qonnx", "keras", "brevitas", "edgekit"]
    reference: Literal["tflite-ref", "onnxruntime", "qonnx", "keras", "brevitas", "none"]
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A straight list of nodes in execution order. Passes return a new graph.

    `tensors` holds every activation and constant by name (names are C identifiers);
    `constants` holds read-only int64 arrays whose stored width is the tensor's dtype.
    """

    name: str
    source: Source
    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    constants: Constants
    not_compared: tuple[NotCompared, ...] = ()
