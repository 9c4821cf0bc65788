"""QONNX and FINN models: thresholds from the source's own float32 arithmetic."""

from edgekit.frontend.qonnx.convert import convert, is_qonnx

__all__ = ["convert", "is_qonnx"]
