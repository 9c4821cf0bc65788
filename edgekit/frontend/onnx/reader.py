"""Bounded reading of an ONNX file: every size, type and name is checked before it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray

from edgekit.errors import ConfigError, UnsupportedError
from edgekit.frontend import limits
from edgekit.frontend.onnx.model import Attribute, Model, Operator, TensorInfo
from edgekit.frontend.onnx.tensors import Budget, array_of, dtype_name

# Smaller than limits.MAX_FILE_BYTES: a protobuf can take 16 times its size once parsed.
MAX_FILE_BYTES = 32 * 1024 * 1024
MIN_OPSET, MAX_OPSET = 10, 25
QONNX = "qonnx"  # what the domains of QONNX's and FINN's own operators are called here
_MIN_OPSET_QONNX = 9
_DOMAINS = {
    "": "",
    "ai.onnx": "",
    "com.microsoft": "com.microsoft",
    "onnx.brevitas": QONNX,
    "qonnx.custom_op.general": QONNX,
    "finn.custom_op.general": QONNX,
    "finn": QONNX,
}


def read(path: Path, *, oldest: int = MIN_OPSET) -> Model:
    """Return the decoded model in `path`; `oldest` is the lowest opset that is taken.

    Raises:
        ConfigError: the file cannot be read, or is damaged or no ONNX.
        UnsupportedError: it is over a limit, or uses what edgekit has no meaning for
            (external data, functions, subgraphs, sparse tensors, other domains).
    """
    data = _bytes(path)
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
        return _model(proto, hashlib.sha256(data).hexdigest(), path.stem, oldest)
    except (DecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"{path.name} is not an ONNX file: {str(exc)[:200]}", hint="export the model again"
        ) from exc


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise UnsupportedError(
                f"{path.name} has {size} bytes; at most {MAX_FILE_BYTES} are read",
                hint="an int8 model for a microcontroller is far smaller: quantize it first",
            )
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"model {path} cannot be read: {exc.strerror}") from exc


def _model(proto: onnx.ModelProto, sha256: str, stem: str, oldest: int) -> Model:
    graph = proto.graph
    _refuse_containers(proto)
    budget = Budget()
    constants = {}
    for tensor in graph.initializer:
        name = _name(tensor.name)
        if not name or name in constants:
            raise UnsupportedError(f"initializer {name!r} is unnamed or appears twice")
        constants[name] = array_of(tensor, f"initializer {name}", budget)
    operators = []
    for index, node in enumerate(graph.node):
        operator = _operator(node, index, budget)
        if operator.kind == "Constant":
            constants[_fresh(operator.outputs, constants)] = _constant_value(operator)
        else:
            operators.append(operator)
    inputs = [_info(value) for value in graph.input if value.name not in constants]
    outputs = [_info(value) for value in graph.output]
    if len(inputs) != 1 or len(outputs) != 1:
        raise UnsupportedError(
            f"the model has {len(inputs)} inputs and {len(outputs)} outputs; one of each is wanted",
            hint="export the part of the model that runs on the device",
        )
    _check_names(inputs[0], outputs[0], operators, constants)
    if any(operator.domain == QONNX for operator in operators):
        oldest = min(oldest, _MIN_OPSET_QONNX)
    opset = _opset(proto, oldest)
    for operator in operators:
        _check_schema(operator, opset)
    return Model(
        name=stem,
        sha256=sha256,
        opset=opset,
        input=inputs[0],
        output=outputs[0],
        operators=tuple(operators),
        constants=constants,
    )


def _refuse_containers(proto: onnx.ModelProto) -> None:
    graph = proto.graph
    if len(proto.functions):
        raise UnsupportedError(
            f"the model defines function {_name(proto.functions[0].name)!r}, which is not read",
            hint="inline the functions: onnx.inliner.inline_local_functions",
        )
    if len(graph.sparse_initializer):
        raise UnsupportedError("the model has sparse initializers; dense ones are wanted")
    if not len(graph.node):
        raise UnsupportedError("the file holds no ONNX graph: it has no nodes")
    if len(graph.node) > limits.MAX_NODES:
        raise UnsupportedError(
            f"the model has {len(graph.node)} nodes; at most {limits.MAX_NODES} are read"
        )
    # A QDQ model has about four small constants to a tensor.
    if len(graph.initializer) > 4 * limits.MAX_TENSORS:
        raise UnsupportedError(
            f"the model has {len(graph.initializer)} initializers; "
            f"at most {4 * limits.MAX_TENSORS} are read"
        )


def _opset(proto: onnx.ModelProto, oldest: int) -> int:
    versions = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    # QOperator models of com.microsoft operators alone may leave the standard domain out.
    version = int(versions[0]) if versions else MIN_OPSET
    if len(versions) > 1 or not oldest <= version <= MAX_OPSET:
        raise UnsupportedError(
            f"the model imports opset {', '.join(map(str, versions))}; "
            f"one of {oldest} to {MAX_OPSET} is wanted",
            hint="convert it: onnx.version_converter.convert_version",
        )
    return version


def _operator(node: onnx.NodeProto, index: int, budget: Budget) -> Operator:
    kind, domain = _name(node.op_type), _name(node.domain)
    where = f"{kind} {index}"
    if domain not in _DOMAINS:
        raise UnsupportedError(
            f"{where}: operator of domain {domain!r} is not supported",
            hint="ai.onnx, the quantized operators of com.microsoft, and QONNX's are",
        )
    if max(len(node.input), len(node.output), len(node.attribute)) > limits.MAX_NODE_OPERANDS:
        raise UnsupportedError(f"{where}: more than {limits.MAX_NODE_OPERANDS} operands")
    attributes = {}
    for attribute in node.attribute:
        name = _name(attribute.name)
        if name in attributes:
            raise UnsupportedError(f"{where}: attribute {name} appears twice")
        attributes[name] = _attribute(attribute, f"{where}: attribute {name}", budget)
    return Operator(
        index=index,
        kind=kind,
        domain=_DOMAINS[domain],
        name=_name(node.name),
        inputs=tuple(_name(name) for name in node.input),
        outputs=tuple(_name(name) for name in node.output),
        attributes=attributes,
    )


def _attribute(attribute: onnx.AttributeProto, where: str, budget: Budget) -> Attribute:
    kinds = onnx.AttributeProto
    if attribute.ref_attr_name:
        raise UnsupportedError(f"{where} refers to a function's attribute")
    match attribute.type:
        case kinds.INT:
            return int(attribute.i)
        case kinds.FLOAT:
            return float(attribute.f)
        case kinds.STRING:
            return str(attribute.s[: limits.MAX_NAME_BYTES].decode("utf-8"))
        case kinds.INTS:
            budget.take(len(attribute.ints), where)
            return tuple(int(value) for value in attribute.ints)
        case kinds.FLOATS:
            budget.take(len(attribute.floats), where)
            return tuple(float(value) for value in attribute.floats)
        case kinds.TENSOR:
            return array_of(attribute.t, where, budget)
        case kinds.GRAPH | kinds.GRAPHS:
            raise UnsupportedError(
                f"{where} is a subgraph; control flow is not supported",
                hint="export the model with its loops and branches unrolled",
            )
    raise UnsupportedError(f"{where} has type {attribute.type}, which is not supported")


def _constant_value(operator: Operator) -> NDArray[Any]:
    value = operator.attributes.get("value")
    if value is None or isinstance(value, int | float | str | tuple):
        raise operator.refuse("only constants with a tensor `value` are supported")
    return value


def _fresh(names: Iterable[str], taken: Iterable[str]) -> str:
    found = [name for name in names if name]
    if len(found) != 1 or found[0] in taken:
        raise UnsupportedError(f"constant {found} is unnamed or appears twice")
    return found[0]


def _info(value: onnx.ValueInfoProto) -> TensorInfo:
    name = _name(value.name)
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        raise UnsupportedError(f"{name!r} is not a tensor of known rank")
    tensor = value.type.tensor_type
    if len(tensor.shape.dim) > limits.MAX_RANK:
        raise UnsupportedError(f"{name!r} has more than {limits.MAX_RANK} axes")
    shape = tuple(
        int(dim.dim_value) if dim.HasField("dim_value") else None for dim in tensor.shape.dim
    )
    return TensorInfo(name=name, shape=shape, dtype=dtype_name(tensor.elem_type))


def _name(value: str | bytes) -> str:
    if isinstance(value, bytes):  # protobuf's answer for a string that is not UTF-8
        raise UnsupportedError(f"a name is not text: {value[:40]!r}")
    if len(value) > limits.MAX_NAME_BYTES:
        raise UnsupportedError(f"a name has more than {limits.MAX_NAME_BYTES} characters")
    return value


def _check_schema(operator: Operator, opset: int) -> None:
    if operator.domain or not onnx.defs.has(operator.kind):
        return  # com.microsoft has no schema here; an unknown operator is refused by name later
    try:
        schema = onnx.defs.get_schema(operator.kind, opset)
    except onnx.defs.SchemaError as exc:
        raise operator.refuse(f"opset {opset} has no such operator") from exc
    count = len(operator.inputs)
    if not schema.min_input <= count <= schema.max_input:
        raise operator.refuse(
            f"it has {count} inputs; opset {opset} gives it {schema.min_input} to "
            f"{schema.max_input}"
        )
    unknown = sorted(set(operator.attributes) - set(schema.attributes))
    if unknown:
        raise operator.refuse(f"opset {opset} gives it no attribute {unknown[0][:80]!r}")


def _check_names(
    source: TensorInfo, sink: TensorInfo, operators: list[Operator], constants: Iterable[str]
) -> None:
    known = set(constants) | {source.name}
    for operator in operators:
        for name in operator.inputs:
            if name and name not in known:
                raise operator.refuse(
                    f"input {name[:80]!r} is used before it is produced: the nodes are not in "
                    "order, or form a cycle"
                )
        for name in operator.outputs:
            if name and name in known:
                raise operator.refuse(f"output {name[:80]!r} is produced twice")
            known.add(name)
    if sink.name not in known:
        raise UnsupportedError(f"no node produces the output {sink.name[:80]!r}")
