"""A dense autoencoder of the shape that MLPerf Tiny's anomaly detection has, calibrated here."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from writers.tflite_small import NONE, RELU
from writers.tflite_writer import INT8, INT32, ModelSpec, OpSpec, TensorSpec, constant, write

WIDTHS = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
_INPUT_SCALE, _INPUT_ZERO = 0.390625, 89
_SAMPLES = 64

Floats = NDArray[np.float64]


def autoencoder(seed: int = 0) -> bytes:
    """Return a .tflite file, the same for a seed, whose layers spread over the int8 range.

    Weights are normal, one scale per tensor; every layer but the last has a rectifier.
    """
    rng = np.random.default_rng(seed)
    tensors = [TensorSpec("x", [1, WIDTHS[0]], INT8, [_INPUT_SCALE], [_INPUT_ZERO])]
    spec = ModelSpec(tensors, inputs=[0])
    values = (rng.integers(-128, 128, (_SAMPLES, WIDTHS[0])) - _INPUT_ZERO) * _INPUT_SCALE
    at, scale = 0, _INPUT_SCALE
    for layer, (inputs, units) in enumerate(itertools.pairwise(WIDTHS)):
        last = layer == len(WIDTHS) - 2
        weight = np.clip(np.rint(rng.normal(0, 32, (units, inputs))), -127, 127)
        bias = np.rint(rng.normal(0, 6000, units))
        weight_scale = float(np.float32(1 / (32 * np.sqrt(inputs))))
        values = values @ (weight * weight_scale).T + bias * scale * weight_scale
        if not last:
            values = np.maximum(values, 0)
        y_scale, y_zero = _quantization(values)
        tensors.append(constant(f"w{layer}", weight, INT8, scales=[weight_scale], zero_points=[0]))
        product = float(np.float32(scale) * np.float32(weight_scale))
        tensors.append(constant(f"b{layer}", bias, INT32, scales=[product], zero_points=[0]))
        tensors.append(TensorSpec(f"y{layer}", [1, units], INT8, [y_scale], [y_zero]))
        options = {"FusedActivationFunction": NONE if last else RELU, "KeepNumDims": False}
        place = len(tensors) - 1
        spec.ops.append(
            OpSpec(
                "FULLY_CONNECTED",
                [at, place - 2, place - 1],
                [place],
                ("FullyConnectedOptions", options),
            )
        )
        at, scale = place, y_scale
    spec.outputs = [at]
    return write(spec)


def _quantization(values: Floats) -> tuple[float, int]:
    """Return scale and zero point that hold nearly all of `values`, and zero."""
    low, high = min(float(values.min()), 0.0), float(values.max())
    scale = float(np.float32((high - low) / 255))
    return scale, int(np.clip(np.rint(-128 - low / scale), -128, 127))
