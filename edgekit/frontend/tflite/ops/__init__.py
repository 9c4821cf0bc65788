"""The operator table: one function per TFLite operator, by the name in the schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edgekit.frontend.tflite.context import Context
from edgekit.frontend.tflite.model import Operator
from edgekit.frontend.tflite.ops.add import add
from edgekit.frontend.tflite.ops.conv import conv_2d, depthwise_conv_2d
from edgekit.frontend.tflite.ops.dense import fully_connected
from edgekit.frontend.tflite.ops.move import expand_dims, pad, reshape, squeeze
from edgekit.frontend.tflite.ops.pool import average_pool_2d, max_pool_2d
from edgekit.frontend.tflite.ops.quantize import dequantize, quantize
from edgekit.frontend.tflite.ops.relu import relu, relu6
from edgekit.frontend.tflite.ops.softmax import log_softmax, softmax
from edgekit.ir.nodes import Node

OpFunction = Callable[[Context, Operator], tuple[Node, ...]]

OPS: Final[dict[str, OpFunction]] = {
    "ADD": add,
    "AVERAGE_POOL_2D": average_pool_2d,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "DEQUANTIZE": dequantize,
    "EXPAND_DIMS": expand_dims,
    "FULLY_CONNECTED": fully_connected,
    "LOG_SOFTMAX": log_softmax,
    "MAX_POOL_2D": max_pool_2d,
    "PAD": pad,
    "QUANTIZE": quantize,
    "RELU": relu,
    "RELU6": relu6,
    "RESHAPE": reshape,
    "SOFTMAX": softmax,
    "SQUEEZE": squeeze,
}

_RECURRENT = "recurrent layers are not compiled; use convolutions over a window"
_BATCH = "it computes with shapes at run time; export with batch size 1 and fixed shapes"
_ACTIVATION = "use ReLU or ReLU6"
_FOLD = "fold it into the layer before it, as the converter does for batch normalization"

# What helps for operators that models commonly bring along.
HINTS: Final[dict[str, str]] = {
    "BATCH_MATMUL": "use fully connected layers with constant weights",
    "CONCATENATION": "use ADD to join branches",
    "HARD_SWISH": _ACTIVATION,
    "LEAKY_RELU": _ACTIVATION,
    "LOGISTIC": _ACTIVATION + "; a last sigmoid can run on the host, before it the order is kept",
    "LSTM": _RECURRENT,
    "MEAN": "use AVERAGE_POOL_2D over the whole image",
    "MUL": _FOLD,
    "PACK": _BATCH,
    "PADV2": "pad with the zero point (PAD)",
    "PRELU": _ACTIVATION,
    "SHAPE": _BATCH,
    "STRIDED_SLICE": _BATCH,
    "SUB": _FOLD,
    "SVDF": _RECURRENT,
    "TANH": _ACTIVATION,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _RECURRENT,
}
