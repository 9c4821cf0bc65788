"""Quantized ONNX models (QDQ and QOperator): exact where onnxruntime computes in integers."""

from __future__ import annotations

from pathlib import Path

from edgekit.frontend.onnx.convert import convert
from edgekit.frontend.onnx.reader import read
from edgekit.ir.graph import Graph

__all__ = ["convert", "load", "read"]


def load(path: Path) -> Graph:
    """Return the integer graph of the ONNX model in `path`.

    Raises:
        ConfigError: the file cannot be read.
        UnsupportedError: it is damaged, over a limit, or holds an operator, type or layout that
            has no exact integer meaning; the message names the operator and its place.
    """
    return convert(read(path))
