"""The operator table: one function per TFLite operator, by the name in the schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edgekit.frontend.tflite.context import Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.ops.add import add, subtract
from edgekit.frontend.tflite.ops.blocks import depth_to_space, space_to_depth
from edgekit.frontend.tflite.ops.concat import concatenation, pack
from edgekit.frontend.tflite.ops.conv import conv_2d, depthwise_conv_2d
from edgekit.frontend.tflite.ops.dense import fully_connected
from edgekit.frontend.tflite.ops.lookup import (
    absolute,
    hard_swish,
    leaky_relu,
    logistic,
    prelu,
    tanh,
)
from edgekit.frontend.tflite.ops.move import (
    expand_dims,
    pad,
    pad_value,
    reshape,
    squeeze,
    transpose,
)
from edgekit.frontend.tflite.ops.mul import mul
from edgekit.frontend.tflite.ops.pool import average_pool_2d, max_pool_2d
from edgekit.frontend.tflite.ops.quantize import dequantize, quantize
from edgekit.frontend.tflite.ops.reduce import mean, reduce_max
from edgekit.frontend.tflite.ops.relu import maximum, minimum, relu, relu6, relu_n1_to_1
from edgekit.frontend.tflite.ops.resize import resize_bilinear, resize_nearest
from edgekit.frontend.tflite.ops.slice import slice_, split, split_v, strided_slice, unpack
from edgekit.frontend.tflite.ops.softmax import log_softmax, softmax
from edgekit.ir.nodes import Node

OpFunction = Callable[[Context, Operator], tuple[Node, ...]]

OPS: Final[dict[str, OpFunction]] = {
    "ABS": absolute,
    "ADD": add,
    "AVERAGE_POOL_2D": average_pool_2d,
    "CONCATENATION": concatenation,
    "CONV_2D": conv_2d,
    "DEPTH_TO_SPACE": depth_to_space,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "DEQUANTIZE": dequantize,
    "EXPAND_DIMS": expand_dims,
    "FULLY_CONNECTED": fully_connected,
    "HARD_SWISH": hard_swish,
    "LEAKY_RELU": leaky_relu,
    "LOGISTIC": logistic,
    "LOG_SOFTMAX": log_softmax,
    "MAXIMUM": maximum,
    "MAX_POOL_2D": max_pool_2d,
    "MEAN": mean,
    "MINIMUM": minimum,
    "MUL": mul,
    "PACK": pack,
    "PAD": pad,
    "PADV2": pad_value,
    "PRELU": prelu,
    "QUANTIZE": quantize,
    "REDUCE_MAX": reduce_max,
    "RELU": relu,
    "RELU6": relu6,
    "RELU_N1_TO_1": relu_n1_to_1,
    "RESHAPE": reshape,
    "RESIZE_BILINEAR": resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": resize_nearest,
    "SLICE": slice_,
    "SOFTMAX": softmax,
    "SPACE_TO_DEPTH": space_to_depth,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SQUEEZE": squeeze,
    "STRIDED_SLICE": strided_slice,
    "SUB": subtract,
    "TANH": tanh,
    "TRANSPOSE": transpose,
    "UNPACK": unpack,
}

_RECURRENT = "recurrent layers are not compiled; use convolutions over a window"
_BATCH = "it computes with shapes at run time; export with batch size 1 and fixed shapes"
_ACTIVATION = "use ReLU, ReLU6, LeakyReLU, hard swish, sigmoid or tanh"
_STATE = "it keeps state between inferences; use convolutions over a window"

# What helps for operators that models commonly bring along.
HINTS: Final[dict[str, str]] = {
    "ARG_MAX": "end the model before it; the host takes the largest value",
    "BATCH_MATMUL": "use fully connected layers with constant weights",
    "DIV": "multiply by the reciprocal",
    "ELU": _ACTIVATION,
    "GELU": _ACTIVATION,
    "LSTM": _RECURRENT,
    "MIRROR_PAD": "pad with the zero point (PAD)",
    "SHAPE": _BATCH,
    "SUM": "use MEAN, which differs by a constant factor",
    "SVDF": _STATE,
    "TRANSPOSE_CONV": "resize, then convolve",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _RECURRENT,
}
