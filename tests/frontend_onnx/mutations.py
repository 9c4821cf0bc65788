"""Damage to an ONNX model: one function a kind, on the message or on its bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

Random = np.random.Generator
NUMBERS = (0, -1, 1, 2, 3, 5, 7, 64, 255, 2**20, 2**31 - 1, 2**31, 2**62, -(2**63))
REALS = (0.0, -1.0, float("nan"), float("inf"), 1e-45, 1e-30, 1e30, 1.0, 0.5, 0.02)
WORDS = ("", "x", "\x00", "Conv", "If", "Loop", "LSTM", "QLinearConv", "Relu", "Softmax", "é" * 9)


def pick(rng: Random, items: object) -> object:
    return items[int(rng.integers(len(items)))]


def attribute(model: onnx.ModelProto, rng: Random) -> None:
    nodes = [node for node in model.graph.node if node.attribute]
    if not nodes:
        return
    node = pick(rng, nodes)
    found = pick(rng, node.attribute)
    match int(rng.integers(6)):
        case 0 | 1 if found.ints:
            found.ints[int(rng.integers(len(found.ints)))] = pick(rng, NUMBERS)
        case 2:
            found.i = pick(rng, NUMBERS)
        case 3:
            found.name = pick(rng, ("axis", "group", "pads", "strides", "ceil_mode", "perm"))
        case 4:
            found.type = int(rng.integers(0, 15))
        case _:
            node.attribute.remove(found)


def extents(model: onnx.ModelProto, rng: Random) -> None:
    tensor = pick(rng, model.graph.initializer)
    if tensor.dims and rng.random() < 0.8:
        tensor.dims[int(rng.integers(len(tensor.dims)))] = pick(rng, NUMBERS)
    else:
        tensor.dims.append(pick(rng, NUMBERS))


def transposed_extents(model: onnx.ModelProto, rng: Random) -> None:
    tensor = pick(rng, [t for t in model.graph.initializer if len(t.dims) > 1])
    order = [tensor.dims[int(axis)] for axis in rng.permutation(len(tensor.dims))]
    del tensor.dims[:]
    tensor.dims.extend(order)


def element_type(model: onnx.ModelProto, rng: Random) -> None:
    pick(rng, model.graph.initializer).data_type = int(rng.integers(0, 24))


def raw_data(model: onnx.ModelProto, rng: Random) -> None:
    tensor = pick(rng, model.graph.initializer)
    match int(rng.integers(4)):
        case 0:
            tensor.raw_data = tensor.raw_data[: int(rng.integers(len(tensor.raw_data) + 1))]
        case 1:
            tensor.raw_data += rng.bytes(int(rng.integers(1, 64)))
        case _:
            tensor.raw_data = rng.bytes(len(tensor.raw_data))


def scale(model: onnx.ModelProto, rng: Random) -> None:
    kinds = (TensorProto.FLOAT,)
    tensor = pick(rng, [t for t in model.graph.initializer if t.data_type in kinds])
    values = np.frombuffer(tensor.raw_data, "<f4").copy()
    if values.size:
        factor = float(rng.uniform(0.5, 2))
        place = int(rng.integers(values.size))
        values[place] = values[place] * factor if rng.random() < 0.6 else pick(rng, REALS)
    tensor.raw_data = values.tobytes()


def zero_point(model: onnx.ModelProto, rng: Random) -> None:
    small = [t for t in model.graph.initializer if len(t.raw_data) == 1]
    if small:
        tensor = pick(rng, small)
        tensor.raw_data = rng.bytes(1)
        if rng.random() < 0.3:
            tensor.data_type = pick(rng, (TensorProto.INT8, TensorProto.UINT8, TensorProto.BOOL))


def operator(model: onnx.ModelProto, rng: Random) -> None:
    node = pick(rng, model.graph.node)
    if rng.random() < 0.7:
        node.op_type = pick(rng, model.graph.node).op_type
    else:
        node.op_type = pick(rng, WORDS)
    if rng.random() < 0.2:
        node.domain = pick(rng, ("com.microsoft", "ai.onnx.ml", "org.example", ""))


def edges(model: onnx.ModelProto, rng: Random) -> None:
    names = [name for node in model.graph.node for name in (*node.input, *node.output)]
    node = pick(rng, model.graph.node)
    names_of = node.input if node.input and rng.random() < 0.8 else node.output
    place = int(rng.integers(len(names_of)))
    names_of[place] = pick(rng, names) if rng.random() < 0.8 else pick(rng, WORDS)


def operands(model: onnx.ModelProto, rng: Random) -> None:
    node = pick(rng, model.graph.node)
    match int(rng.integers(3)):
        case 0 if node.input:
            del node.input[int(rng.integers(len(node.input)))]
        case 1:
            node.output.append(f"extra{int(rng.integers(4))}")
        case _:
            node.input.append(pick(rng, model.graph.initializer).name)


def order(model: onnx.ModelProto, rng: Random) -> None:
    nodes = list(model.graph.node)
    place = int(rng.integers(len(nodes)))
    match int(rng.integers(3)):
        case 0:
            del model.graph.node[place]
        case 1:
            model.graph.node.append(nodes[place])
        case _:
            other = int(rng.integers(len(nodes)))
            nodes[place], nodes[other] = nodes[other], nodes[place]
            del model.graph.node[:]
            model.graph.node.extend(nodes)


def interface(model: onnx.ModelProto, rng: Random) -> None:
    values = model.graph.input if rng.random() < 0.6 else model.graph.output
    tensor = values[0].type.tensor_type
    match int(rng.integers(5)):
        case 0 if tensor.shape.dim:
            pick(rng, tensor.shape.dim).dim_value = pick(rng, NUMBERS)
        case 1 if tensor.shape.dim:
            pick(rng, tensor.shape.dim).dim_param = "N"
        case 2:
            tensor.elem_type = int(rng.integers(0, 24))
        case 3:
            values[0].name = pick(rng, [name for node in model.graph.node for name in node.output])
        case _:
            values.append(values[0])


def header(model: onnx.ModelProto, rng: Random) -> None:
    match int(rng.integers(6)):
        case 0:
            pick(rng, model.opset_import).version = pick(rng, (*NUMBERS[:8], 12, 18, 25))
        case 1:
            tensor = pick(rng, model.graph.initializer)
            tensor.data_location = TensorProto.EXTERNAL
            entry = tensor.external_data.add()
            entry.key, entry.value = "location", "/etc/passwd"
        case 2:
            body = helper.make_graph([], "body", [], [])
            pick(rng, model.graph.node).attribute.append(helper.make_attribute("body", body))
        case 3:
            model.functions.add().name = "F"
        case 4:
            model.graph.initializer.append(pick(rng, model.graph.initializer))
        case _:
            pick(rng, model.graph.initializer).name = pick(rng, WORDS)


MESSAGE: tuple[Callable[[onnx.ModelProto, Random], None], ...] = (
    attribute,
    attribute,
    extents,
    transposed_extents,
    element_type,
    raw_data,
    raw_data,
    scale,
    scale,
    zero_point,
    zero_point,
    operator,
    edges,
    operands,
    order,
    interface,
    header,
)


def mutate(model: onnx.ModelProto, rng: Random) -> bytes:
    """Return a damaged copy: one to three changes, or changes to its bytes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if rng.random() < 0.85:
        for _ in range(int(pick(rng, (1, 1, 1, 2, 3)))):
            if copy.graph.node and copy.graph.initializer:
                pick(rng, MESSAGE)(copy, rng)
        return copy.SerializeToString()
    data = bytearray(copy.SerializeToString())
    match int(rng.integers(4)):
        case 0:
            del data[int(rng.integers(len(data))) :]
        case 1:
            place = int(rng.integers(len(data)))
            data[place:place] = rng.bytes(int(rng.integers(1, 20)))
        case _:
            for _ in range(int(rng.integers(1, 9))):
                data[int(rng.integers(len(data)))] = int(rng.integers(256))
    return bytes(data)
