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
from edgekit.frontend.tflite.ops.softmax import softmax
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
    "MAX_POOL_2D": max_pool_2d,
    "PAD": pad,
    "QUANTIZE": quantize,
    "RELU": relu,
    "RELU6": relu6,
    "RESHAPE": reshape,
    "SOFTMAX": softmax,
    "SQUEEZE": squeeze,
}
