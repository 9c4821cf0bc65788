"""Graphs to other tools' files: QONNX and QDQ ONNX."""
