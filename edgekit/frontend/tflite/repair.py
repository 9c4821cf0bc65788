"""What the reference runtime refuses although it never reads it: an axis beyond a tensor."""

from __future__ import annotations

import numpy as np

from edgekit.frontend.limits import MAX_NODES, MAX_RANK, MAX_TENSORS
from edgekit.frontend.tflite.flatbuffer import Bytes, Table
from edgekit.frontend.tflite.schema import (
    ModelField,
    QuantizationField,
    SubgraphField,
    TensorField,
)


def without_stray_axes(data: bytes) -> bytes:
    """Return the file with axis 0 where a vector's quantization names an axis that it lacks.

    Old converters copied a filter's axis to its bias. A vector has one axis, so nothing else can
    be meant; TFLite Micro does not look at it, and the TFLite runtime refuses the model.

    Args:
        data: a file that `parse` accepts.
    """
    repaired = bytearray(data)
    tables: dict[int, tuple[Table, bool]] = {}  # by position: a table may serve several tensors
    for graph in Bytes(data).root().tables(ModelField.SUBGRAPHS, MAX_NODES):
        for tensor in graph.tables(SubgraphField.TENSORS, MAX_TENSORS):
            table = tensor.table(TensorField.QUANTIZATION)
            if table is not None:
                vector = len(tensor.numbers(TensorField.SHAPE, np.int32, MAX_RANK)) == 1
                _, others = tables.get(table.position, (table, True))
                tables[table.position] = (table, vector and others)
    for table, only_vectors in tables.values():
        place = table.place(QuantizationField.DIMENSION, 4)
        if only_vectors and place is not None:
            repaired[place : place + 4] = bytes(4)
    return bytes(repaired)
