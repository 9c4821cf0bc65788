"""Small networks of every operator that is no layer."""

from __future__ import annotations

import numpy as np
from writers.tflite_small import RELU, VALID, Small, f32
from writers.tflite_writer import INT8, INT32, OpSpec, constant


def indices(small: Small, values: object) -> int:
    return small.tensor(constant(f"i{len(small.spec.tensors)}", np.asarray(values), INT32))


def attention() -> Small:
    """A squeeze and excitation of channels, and a skip that is subtracted."""
    small = Small(1, (8, 7, 3), scale=f32(0.02)).conv(6, (3, 3)).unary("LOGISTIC", 1 / 256, -128)
    entry = small.at
    y = small.activation((1, 1, 1, 6), small.quant[0] * 0.7, -128)
    axes = indices(small, (1, 2))
    small.op("MEAN", [small.at, axes], y, ("ReducerOptions", {"KeepDims": True}))
    y = small.conv(6, (1, 1)).activation((1, 1, 1, 6), *small.quant)
    small.op("LEAKY_RELU", [small.at], y, ("LeakyReluOptions", {"Alpha": f32(0.2)}))
    y = small.activation((1, 8, 7, 6), 0.01, 5)
    small.op("MUL", [entry, small.at], y, ("MulOptions", {}))
    y = small.activation((1, 8, 7, 6), 0.009, -3)
    small.op("SUB", [small.at, entry], y, ("SubOptions", {"FusedActivationFunction": RELU}))
    y = small.activation((1, 8, 7, 6), 0.02, -3)
    small.op("HARD_SWISH", [small.at], y)
    return small.dense(4)


def pyramid() -> Small:
    """Down, up again, and joined with what was there before."""
    small = Small(2, (8, 8, 4), scale=f32(0.02))
    entry = small.at
    small.pool("MAX_POOL_2D", (2, 2), (2, 2), padding=VALID)
    y = small.activation((1, 5, 7, 4), *small.quant)
    size = indices(small, (5, 7))
    options = ("ResizeBilinearOptions", {"HalfPixelCenters": True})
    small.op("RESIZE_BILINEAR", [small.at, size], y, options)
    y = small.activation((1, 8, 8, 4), *small.quant)
    size = indices(small, (8, 8))
    small.op("RESIZE_NEAREST_NEIGHBOR", [small.at, size], y, ("ResizeNearestNeighborOptions", {}))
    y = small.activation((1, 8, 8, 12), *small.quant)
    parts = [entry, small.at, entry]
    small.op("CONCATENATION", parts, y, ("ConcatenationOptions", {"Axis": 3}))
    y = small.activation((1, 12, 8, 8), *small.quant)
    order = indices(small, (0, 3, 1, 2))
    small.op("TRANSPOSE", [small.at, order], y, ("TransposeOptions", {}))
    inputs = [small.at, *(indices(small, v) for v in ((0, 11, 1, 0), (1, 2, 8, 8), (1, -3, 2, 1)))]
    y = small.activation((1, 3, 4, 8), *small.quant)
    small.op("STRIDED_SLICE", inputs, y, ("StridedSliceOptions", {}))
    y = small.activation((1, 3, 8), small.quant[0] * 0.8, 11)
    axes = indices(small, 2)
    return small.op("MEAN", [small.at, axes], y, ("ReducerOptions", {})).dense(5)


def numbers() -> Small:
    """Stored operands, parts of a signal, and a function that follows another one."""
    small = Small(3, (12, 4), scale=f32(0.03), zero=-128)
    halves = [small.activation((1, 6, 4), *small.quant) for _ in range(2)]
    axis = indices(small, 1)
    small.spec.ops.append(
        OpSpec("SPLIT", [axis, small.at], halves, ("SplitOptions", {"NumSplits": 2}))
    )
    y = small.activation((1, 6, 4), 0.05, 3)
    small.op("ADD", halves, y, ("AddOptions", {}))
    stored = constant("factors", np.array([3, -90, 77, 1]), INT8, scales=[0.01], zero_points=[5])
    y = small.activation((1, 6, 4), 0.02, 3)
    small.op("MUL", [small.at, small.tensor(stored)], y, ("MulOptions", {}))
    small.unary("TANH", 1 / 128, 0).unary("ABS").unary("QUANTIZE", 1 / 60, -50)
    y = small.activation((1, 2, 6, 4), *small.quant)
    small.op("PACK", [small.at] * 2, y, ("PackOptions", {"ValuesCount": 2, "Axis": 1}))
    return small.dense(6)
