"""An ONNX graph under construction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edgekit.ir.graph import Graph

_IR_VERSION = 8  # read by every onnxruntime since 1.13


def channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a tensor's shape, (H, W, C) or (N,), with a batch axis and channels first."""
    return (1, shape[2], shape[0], shape[1]) if len(shape) == 3 else (1, *shape)


class OnnxNodes:
    """Nodes in order and constants, with fresh names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._output: onnx.ValueInfoProto | None = None

    def add(self, kind: str, inputs: Sequence[str], *, domain: str = "", **attributes: Any) -> str:  # noqa: ANN401
        """Append a node with one output and return the output's name."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(
            onnx.helper.make_node(kind, inputs, [name], name, domain=domain, **attributes)
        )
        return name

    def constant(self, values: NDArray[Any] | np.generic | float) -> str:
        """Return the name of a new constant; a plain number is float32."""
        array = np.asarray(values, np.float32) if isinstance(values, float) else np.array(values)
        name = f"constant_{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(array, name))
        return name

    def finish(
        self, name: str, shape: tuple[int, ...], dtype: int = onnx.TensorProto.FLOAT
    ) -> None:
        """Say which tensor is the output."""
        self._output = onnx.helper.make_tensor_value_info(name, dtype, shape)

    def model(
        self,
        graph: Graph,
        source: str,
        shape: tuple[int, ...],
        imports: Sequence[onnx.OperatorSetIdProto],
        dtype: int = onnx.TensorProto.FLOAT,
    ) -> onnx.ModelProto:
        """Return the model; its input is `source` of `shape`."""
        made = onnx.helper.make_graph(
            self.nodes,
            graph.name,
            [onnx.helper.make_tensor_value_info(source, dtype, shape)],
            [] if self._output is None else [self._output],
            self.constants,
        )
        return onnx.helper.make_model(made, opset_imports=imports, ir_version=_IR_VERSION)
