"""What the source model itself computes, run in another process under limits."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError, ToolError
from edgekit.frontend import read, tflite
from edgekit.frontend.bounded import TIME_LIMIT_S, BoundedProcess, Form
from edgekit.ir import edges
from edgekit.ir.graph import Graph

_FORMS: dict[str, Form] = {
    "onnx-qdq": "onnx",
    "onnx-qoperator": "onnx",
    "qonnx": "qonnx",
    "keras": "keras",
}
_SEEN = 2.0**-22  # of the largest score: the smallest step that float32 still shows
_NEAR = 2.0**-20  # of the largest input: how far rounding moves a value of the grid


def run_reference(
    path: Path, graph: Graph, x: NDArray[Any], *, time_limit_s: float = TIME_LIMIT_S
) -> NDArray[np.int64]:
    """Return the reference's last integer tensor as graph integers, [samples, *shape].

    Args:
        path: the model file that `graph` was loaded from.
        graph: names the tensor and its shape.
        x: [samples, *source shape without batch], the source's own input data.
        time_limit_s: for all samples together.

    Raises:
        ConfigError: `x` is not what the model takes.
        ToolError: the runtime is missing, refuses the model, crashed, or ran past a limit.
    """
    with Reference() as worker:
        return worker.run(path, graph, x, time_limit_s=time_limit_s)


class Reference(BoundedProcess):
    """A worker process for many runs; started when needed, and again after a crash."""

    def run(
        self, path: Path, graph: Graph, x: NDArray[Any], *, time_limit_s: float = TIME_LIMIT_S
    ) -> NDArray[np.int64]:
        """Do what `run_reference` does, in this worker."""
        output = graph.outputs[0].tensor
        if graph.source.format == "tflite":
            return self.tensors(path, graph, x, (output,), time_limit_s=time_limit_s)[output]
        _unchanged(path, graph)
        form = _FORMS[graph.source.format]
        source = _source_input(graph, x)
        if form in ("qonnx", "keras"):
            source = _on_grid(graph, source)
        extra = _scale_bits(graph) if form == "keras" else ()
        found = self.request(path, form, source, extra, time_limit_s=time_limit_s)
        if form == "qonnx":
            return _from_scores(graph, found["output"])
        return _graph_integers(graph, found["output"])

    def tensors(
        self,
        path: Path,
        graph: Graph,
        x: NDArray[Any],
        names: Sequence[str],
        *,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> dict[str, NDArray[np.int64]]:
        """Return activations of a TFLite model by graph name, [samples, *shape].

        The reference adds in place: a tensor that feeds an ADD may read as the ADD's result.
        """
        data = _unchanged(path, graph)
        places = tflite.tensor_indices(data)
        indices = [places[name] for name in names]
        with tempfile.TemporaryDirectory(prefix="edgekit-model-") as folder:
            repaired = tflite.without_stray_axes(data)
            if repaired != data:
                path = Path(folder) / path.name
                path.write_bytes(repaired)
            source = _source_input(graph, x)
            found = self.request(path, "tflite", source, indices, time_limit_s=time_limit_s)
        return {
            name: found[str(index)].astype(np.int64).reshape(len(x), *graph.tensors[name].shape)
            for name, index in zip(names, indices, strict=True)
        }


def _graph_integers(graph: Graph, found: NDArray[Any]) -> NDArray[np.int64]:
    """Return source integers of the output, in the source's layout, as graph integers."""
    edge = graph.outputs[0]
    integers = found.astype(np.int64) - edge.source_offset
    if edge.transpose is not None:
        integers = integers.transpose(edge.transpose)
    return integers.reshape(len(found), *graph.tensors[edge.tensor].shape)


def _on_grid(graph: Graph, x: NDArray[Any]) -> NDArray[Any]:
    """Return `x` as the float32 numbers of the edge's integers, if it is these but for rounding."""
    edge = graph.inputs[0]
    if edge.thresholds:
        return x
    meant = edges.dequantize(edge, edges.quantize(edge, x)).reshape(x.shape)
    near = np.abs(meant - x).max(initial=0) <= _NEAR * np.abs(x).max(initial=0)
    return meant if near else x


def _scale_bits(graph: Graph) -> tuple[int]:
    """Return the bits of the float32 that a step of the input is worth."""
    return (int(np.float32(graph.inputs[0].scale).view(np.int32)),)


def _from_scores(graph: Graph, found: NDArray[Any]) -> NDArray[np.int64]:
    """Return the integers that float scores of the source stand for.

    Raises:
        ToolError: a score is none of an integer, within a quarter of the distance of two.
    """
    edge = graph.outputs[0]
    scores = found.astype(np.float64)
    if edge.transpose is not None:
        scores = scores.reshape(-1, *edge.source_shape[1:]).transpose(edge.transpose)
    scores = scores.reshape(len(found), *graph.tensors[edge.tensor].shape)
    scale = np.array(edge.scale if edge.channel_scale is None else edge.channel_scale)
    offset = np.array(0.0 if edge.channel_offset is None else edge.channel_offset)
    # A step that float32 loses beside the scores' own size says nothing of the integer.
    if (np.abs(scale) < _SEEN * max(float(np.abs(scores).max(initial=0)), 2.0**-100)).any():
        raise ToolError(
            "a score of the model does not show its integer: the last scale is too small",
            hint="check the scales and batch norm after the last layer of the model",
        )
    places = (scores - offset) / scale
    integers = np.rint(places)
    away = float(np.abs(places - integers).max(initial=0))
    if not away <= 0.25:
        raise ToolError(
            f"a score of the source is no integer's: it lies {away:.3g} of a step away from one",
            hint="the sums of the last layer are too large for float32 scores",
        )
    return np.asarray(integers.astype(np.int64) + edge.zero_point)


def _unchanged(path: Path, graph: Graph) -> bytes:
    """Return the file's bytes, which must be those that `graph` was loaded from."""
    data = read(path)
    if hashlib.sha256(data).hexdigest() != graph.source.sha256:
        raise ConfigError(
            f"{path} changed since the graph was loaded from it", hint="load the model again"
        )
    return data


def _source_input(graph: Graph, x: NDArray[Any]) -> NDArray[Any]:
    """Return `x` in the source's own dtype, after the data rules of SPEC section 5."""
    edge = graph.inputs[0]
    edges.quantize(edge, x)
    with np.errstate(over="ignore"):  # beyond float32 becomes infinite, as the edge says
        return x.astype(np.dtype(edge.source_dtype))
