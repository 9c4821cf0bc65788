"""From a TFLite file to the integer graph."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from edgekit.errors import UnsupportedError
from edgekit.frontend.tflite.context import Context, HostTensor, identifier
from edgekit.frontend.tflite.model import Model, Operator, TensorInfo
from edgekit.frontend.tflite.ops import HINTS, OPS
from edgekit.frontend.tflite.ops.quantize import UINT8_OFFSET
from edgekit.frontend.tflite.parse import parse
from edgekit.frontend.tflite.schema import TensorType
from edgekit.ir.check import is_name
from edgekit.ir.graph import Graph, NotCompared, Source
from edgekit.ir.nodes import Node, constants_of, inputs_of
from edgekit.ir.types import Edge, SourceType, Tensor

_SOURCE_TYPES: Final[dict[TensorType, SourceType]] = {
    TensorType.FLOAT32: "float32",
    TensorType.UINT8: "uint8",
    TensorType.INT8: "int8",
    TensorType.INT16: "int16",
}


def load_bytes(data: bytes, name: str) -> Graph:
    """Return the graph of a TFLite file's bytes; not verified yet.

    Args:
        data: the file.
        name: what to call the graph; made a C identifier.

    Raises:
        ConfigError: the container is damaged.
        UnsupportedError: the model cannot be represented exactly; names operator and node.
    """
    model = parse(data)
    _check_names(model)
    context = Context(model)
    _check_operators(context)
    sources, target = _ends(model)
    for source in sources:
        _enter(context, source)
    nodes: list[Node] = []
    for op in model.operators:
        nodes.extend(OPS[op.name](context, op))
    output, not_compared = _output_edge(context, target)
    live = _live(nodes, output.tensor)
    entries = tuple(_input_edge(context, source) for source in sources)
    read = {name for node in live for name in inputs_of(node)}
    if not read.issuperset(entry.tensor for entry in entries):
        raise UnsupportedError(
            "the model's output does not depend on its input",
            hint="export the model again; it must compute something on the board",
        )
    used = {*read, *(node.y for node in live)}
    used.update(constant for node in live for constant in constants_of(node))
    return Graph(
        name=_identifier(name),
        source=Source("tflite", "tflite-ref", hashlib.sha256(data).hexdigest()),
        inputs=entries,
        outputs=(output,),
        nodes=live,
        tensors={key: tensor for key, tensor in context.tensors.items() if key in used},
        constants={key: array for key, array in context.constants.items() if key in used},
        not_compared=not_compared,
    )


def tensor_indices(data: bytes) -> dict[str, int]:
    """Return the file's tensor index of every activation name that a graph may use."""
    return {identifier(tensor): tensor.index for tensor in parse(data).tensors}


def _identifier(name: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "model"
    return words if is_name(words) else f"model_{words}"


def _check_names(model: Model) -> None:
    seen: dict[str, int] = {}
    for tensor in model.tensors:
        if tensor.name and tensor.name in seen:
            raise UnsupportedError(
                f"tensors {seen[tensor.name]} and {tensor.index} are both named {tensor.name!r}",
                hint="give every layer its own name and export again",
            )
        seen[tensor.name] = tensor.index


def _check_operators(context: Context) -> None:
    """Refuse what no operator function exists for before anything else is looked at."""
    for op in context.model.operators:
        if op.name not in OPS:
            hint = HINTS.get(op.name, f"these are supported: {', '.join(OPS)}")
            context.refuse(op, "operator is not supported", hint)


def _ends(model: Model) -> tuple[tuple[TensorInfo, ...], TensorInfo]:
    if not model.inputs or len(model.outputs) != 1:
        raise UnsupportedError(
            f"the model has {len(model.inputs)} inputs and {len(model.outputs)} outputs, "
            "one each is wanted",
            hint="export one input and one output",
        )
    return tuple(model.tensors[index] for index in model.inputs), model.tensors[model.outputs[0]]


def _end(name: str, tensor: TensorInfo) -> Operator:
    """Return a stand-in operator for messages about an end of the model."""
    return Operator(-1, -1, name, 1, (tensor.index,), (), 0, None)


def _enter(context: Context, source: TensorInfo) -> None:
    end = _end("model input", source)
    context.info(end, source.index)
    if source.data is not None or source.shape[:1] != (1,) or len(source.shape) < 2:
        context.refuse(
            end,
            f"shape {source.shape_text} found, 1x... and no stored data wanted",
            "export with batch size 1 on the first axis",
        )
    if source.type_code in (TensorType.FLOAT32, TensorType.UINT8):
        return  # the QUANTIZE that reads it becomes the edge
    context.need_activation(end, source)
    entry = context.quantized(end, source)
    context.available.add(source.index)
    context.entry[source.index] = source.index
    context.tensors[entry.name] = Tensor(entry.name, entry.shape, entry.dtype)


def _input_edge(context: Context, source: TensorInfo) -> Edge:
    end = _end("model input", source)
    if source.index not in context.entry:
        context.refuse(end, "nothing quantizes it", "convert with full integer quantization")
    entry = context.quantized(end, context.model.tensors[context.entry[source.index]])
    is_float = source.type_code == TensorType.FLOAT32
    is_uint8 = source.type_code == TensorType.UINT8
    return Edge(
        tensor=entry.name,
        source_name=source.name,
        source_shape=source.shape,
        source_dtype=_SOURCE_TYPES[TensorType(source.type_code)],
        scale=float(entry.scale),
        zero_point=entry.zero_point,
        source_offset=UINT8_OFFSET if is_uint8 else 0,
        rounding="half_away",
        host_ops=("quantize",) if is_float else (),
        dtype=entry.dtype,
    )


def _output_edge(context: Context, target: TensorInfo) -> tuple[Edge, tuple[NotCompared, ...]]:
    end = _end("model output", target)
    if target.index not in context.available:
        context.refuse(end, "no operator produces it", "export the model again")
    default = HostTensor(target.index, ())
    host = context.host.get(target.index, default)
    result = context.quantized(end, context.model.tensors[host.origin])
    is_uint8 = target.type_code == TensorType.UINT8
    edge = Edge(
        tensor=result.name,
        source_name=target.name,
        source_shape=target.shape,
        source_dtype=_SOURCE_TYPES[TensorType(target.type_code)],
        scale=float(result.scale),
        zero_point=result.zero_point,
        source_offset=UINT8_OFFSET if is_uint8 else 0,
        host_ops=host.ops,
        dtype=result.dtype,
    )
    # Quantizers at the ends are exact on the host; a float function is not.
    reason = "computed on the host, in float32"
    skipped = [NotCompared(op.upper(), reason) for op in host.ops if op.endswith("softmax")]
    return edge, tuple(skipped)


def _live(nodes: list[Node], output: str) -> tuple[Node, ...]:
    """Return the nodes that `output` depends on, in order."""
    needed = {output}
    kept: list[Node] = []
    for node in reversed(nodes):
        if node.y in needed:
            needed.update(inputs_of(node))
            kept.append(node)
    return tuple(reversed(kept))
