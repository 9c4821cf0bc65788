"""From bytes to the parsed `Model`: the container, without any meaning of operators."""

from __future__ import annotations

import numpy as np

from edgekit.errors import UnsupportedError
from edgekit.frontend.limits import (
    MAX_EXTENT,
    MAX_FILE_BYTES,
    MAX_NODE_OPERANDS,
    MAX_NODES,
    MAX_RANK,
    MAX_TENSORS,
)
from edgekit.frontend.tflite.flatbuffer import Bytes, Table, damaged
from edgekit.frontend.tflite.model import Model, Operator, Quantization, TensorInfo
from edgekit.frontend.tflite.schema import (
    IDENTIFIER,
    VERSION,
    BufferField,
    CodeField,
    ModelField,
    OperatorField,
    QuantizationField,
    SubgraphField,
    TensorField,
    operator_name,
)

_CUSTOM_CODE = 32


def parse(data: bytes) -> Model:
    """Return the parsed file.

    Raises:
        ConfigError: the container is damaged or beyond the limits.
        UnsupportedError: more than one subgraph, or data outside the flatbuffer.
    """
    if data[4:8] != IDENTIFIER:
        raise damaged(f"identifier {data[4:8]!r} found, {IDENTIFIER!r} wanted")
    root = Bytes(data).root()
    version = root.integer(ModelField.VERSION, "I")
    if version != VERSION:
        raise damaged(f"schema version {version} found, {VERSION} wanted")
    buffers = root.tables(ModelField.BUFFERS, 4 * MAX_TENSORS)
    codes = root.tables(ModelField.OPERATOR_CODES, MAX_NODES)
    subgraphs = root.tables(ModelField.SUBGRAPHS, MAX_NODES)
    if len(subgraphs) != 1:
        raise UnsupportedError(
            f"the model has {len(subgraphs)} subgraphs, exactly one is wanted",
            hint="export one signature without control flow (no WHILE or IF)",
        )
    graph = subgraphs[0]
    tensors = tuple(
        _tensor(index, table, buffers)
        for index, table in enumerate(graph.tables(SubgraphField.TENSORS, MAX_TENSORS))
    )
    operators = tuple(
        _operator(index, table, codes, len(tensors))
        for index, table in enumerate(graph.tables(SubgraphField.OPERATORS, MAX_NODES))
    )
    return Model(
        tensors=tensors,
        operators=operators,
        inputs=_indices(graph, SubgraphField.INPUTS, len(tensors), optional=False),
        outputs=_indices(graph, SubgraphField.OUTPUTS, len(tensors), optional=False),
    )


def _integers(table: Table, field: int, limit: int) -> tuple[int, ...]:
    return tuple(table.numbers(field, np.int32, limit).tolist())


def _indices(table: Table, field: int, tensors: int, *, optional: bool) -> tuple[int, ...]:
    indices = _integers(table, field, MAX_NODE_OPERANDS)
    lowest = -1 if optional else 0
    for index in indices:
        if not lowest <= index < tensors:
            raise damaged(f"tensor index {index} found, the file has {tensors} tensors")
    return indices


def _tensor(index: int, table: Table, buffers: tuple[Table, ...]) -> TensorInfo:
    shape = _integers(table, TensorField.SHAPE, MAX_RANK)
    if any(not 0 <= extent <= MAX_EXTENT for extent in shape):
        raise damaged(f"tensor {index} has shape {shape}, extents are 0 to {MAX_EXTENT}")
    # The batch axis is commonly declared open while the stored shape says 1.
    signature = _integers(table, TensorField.SHAPE_SIGNATURE, MAX_RANK)
    buffer = table.integer(TensorField.BUFFER, "I")
    if buffer >= max(len(buffers), 1):
        raise damaged(f"tensor {index} uses buffer {buffer} of {len(buffers)}")
    data = None
    if buffers and buffer > 0:
        source = buffers[buffer]
        if source.integer(BufferField.OFFSET, "Q") > 1 or source.integer(BufferField.SIZE, "Q") > 1:
            raise UnsupportedError(
                f"tensor {index} keeps its data outside the flatbuffer",
                hint="export a model below 2 GiB with its weights inside",
            )
        stored = source.numbers(BufferField.DATA, np.uint8, MAX_FILE_BYTES)
        data = stored if stored.size else None
    return TensorInfo(
        index=index,
        name=table.text(TensorField.NAME),
        shape=shape,
        type_code=table.integer(TensorField.TYPE, "b"),
        quantization=_quantization(table.table(TensorField.QUANTIZATION)),
        dynamic=any(extent < 0 for extent in signature[1:]),
        variable=table.integer(TensorField.IS_VARIABLE, "B") != 0,
        sparse=table.has(TensorField.SPARSITY),
        data=data,
    )


def _quantization(table: Table | None) -> Quantization:
    if table is None:
        return Quantization(np.zeros(0, np.float32), np.zeros(0, np.int64))
    return Quantization(
        scales=table.numbers(QuantizationField.SCALE, np.float32, MAX_EXTENT),
        zero_points=table.numbers(QuantizationField.ZERO_POINT, np.int64, MAX_EXTENT),
        dimension=table.integer(QuantizationField.DIMENSION, "i"),
        custom=table.integer(QuantizationField.DETAILS_TYPE, "B") != 0,
    )


def _operator(index: int, table: Table, codes: tuple[Table, ...], tensors: int) -> Operator:
    place = table.integer(OperatorField.CODE, "I")
    if place >= len(codes):
        raise damaged(f"operator {index} uses operator code {place} of {len(codes)}")
    entry = codes[place]
    # Codes above 127 are stored in the wide field; older files have only the narrow one.
    code = max(
        entry.integer(CodeField.DEPRECATED_BUILTIN, "b"), entry.integer(CodeField.BUILTIN, "i")
    )
    name = operator_name(code)
    if code == _CUSTOM_CODE:
        name = f"CUSTOM {entry.text(CodeField.CUSTOM)[:64]!r}"
    return Operator(
        index=index,
        code=code,
        name=name,
        version=entry.integer(CodeField.VERSION, "i", 1),
        inputs=_indices(table, OperatorField.INPUTS, tensors, optional=True),
        outputs=_indices(table, OperatorField.OUTPUTS, tensors, optional=False),
        options_type=table.integer(OperatorField.OPTIONS_TYPE, "B"),
        options=table.table(OperatorField.OPTIONS),
    )
