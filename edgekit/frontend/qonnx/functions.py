"""Functions of each value, in float32 as onnxruntime computes them operator by operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from edgekit.frontend.lowering import Elementwise, Quantizer, Softmax
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.qonnx.values import Activation, Real, Walk

_BINARY: Mapping[str, Callable[[Real, Real], Real]] = {
    "Add": lambda a, b: np.asarray(a + b),
    "Sub": lambda a, b: np.asarray(a - b),
    "Mul": lambda a, b: np.asarray(a * b),
    "Div": lambda a, b: np.asarray(a / b),
    "Pow": lambda a, b: np.asarray(np.power(a, b)),
    "Max": lambda a, b: np.asarray(np.maximum(a, b)),
    "Min": lambda a, b: np.asarray(np.minimum(a, b)),
}


def binary(walk: Walk, operator: Operator) -> None:
    """Add, Sub, Mul, Div, Pow, Max, Min: of an activation and a constant, or of constants."""
    function = _BINARY[operator.kind]
    sides = [isinstance(walk.value(operator, place), Activation) for place in (0, 1)]
    if sides == [False, False]:
        with np.errstate(all="ignore"):
            found = function(walk.real(operator, 0), walk.real(operator, 1))
        walk.define(operator, found)
        return
    if sides == [True, True]:
        walk.activation(operator, 0)
        walk.activation(operator, 1)
        raise operator.refuse(
            "it joins two activations", hint="a chain of layers is read; branches are not"
        )
    first = sides[0]
    value = walk.activation(operator, 0 if first else 1)
    other = per_channel(operator, walk.real(operator, 1 if first else 0), value.shape)
    if operator.kind == "Pow" or (operator.kind == "Div" and not first):
        raise operator.refuse("a power or the reciprocal of an activation is not supported")
    if operator.kind == "Div" and not other.all():
        raise operator.refuse(f"it divides by 0 ({operator.input(1)[:80]!r})")
    last = walk.layers[-1] if walk.layers else None
    if isinstance(last, Quantizer) and operator.kind in ("Mul", "Div") and other.size == 1:
        scale = np.float32(function(np.full(1, last.scale, np.float32), other)[0])
        if first and np.isfinite(scale) and scale > 0:
            walk.alter(operator, replace(last, scale=scale), value.shape)
            return

    def apply(x: Real) -> Real:
        return function(x, other) if first else function(other, x)

    walk.add(operator, Elementwise(operator.label, apply), value.shape)


def relu(walk: Walk, operator: Operator) -> None:
    """Relu: the larger of x and 0."""
    value = walk.activation(operator)
    layer = Elementwise(operator.label, lambda x: np.maximum(x, np.float32(0)))
    walk.add(operator, layer, value.shape)


def clip(walk: Walk, operator: Operator) -> None:
    """Clip with constant limits, attributes before opset 11."""
    value = walk.activation(operator)
    low = operator.real("min", float(np.finfo(np.float32).min))
    high = operator.real("max", float(np.finfo(np.float32).max))
    low = walk.scalar(operator, 1) if operator.input(1) else low
    high = walk.scalar(operator, 2) if operator.input(2) else high
    least, most = np.float32(low), np.float32(high)
    layer = Elementwise(operator.label, lambda x: np.minimum(np.maximum(x, least), most))
    walk.add(operator, layer, value.shape)


def batch_normalization(walk: Walk, operator: Operator) -> None:
    """BatchNormalization at inference: x * s + (bias - mean * s), s = gamma / sqrt(var + eps)."""
    value = walk.activation(operator)
    if operator.integer("training_mode", 0) or len([name for name in operator.outputs if name]) > 1:
        raise operator.refuse("it is in training mode", hint="export the model in eval mode")
    channels = value.shape[1] if len(value.shape) > 1 else 0
    gamma, beta, mean, variance = (walk.real(operator, place).reshape(-1) for place in (1, 2, 3, 4))
    if any(each.size != channels for each in (gamma, beta, mean, variance)):
        raise operator.refuse(f"its parameters do not have {channels} values")
    epsilon = np.float32(operator.real("epsilon", 1e-5))
    if (variance + epsilon <= 0).any():
        raise operator.refuse("a variance is below 0", hint="check the training")
    inverse = np.float32(1) / np.sqrt(variance + epsilon)
    factor = np.asarray(gamma * inverse, np.float32)
    shift = np.asarray(beta - mean * factor, np.float32)
    layer = Elementwise(operator.label, lambda x: np.asarray(x * factor + shift))
    walk.add(operator, layer, value.shape)


def softmax(walk: Walk, operator: Operator) -> None:
    """Softmax or LogSoftmax over the features, at the end."""
    value = walk.activation(operator)
    axis = operator.integer("axis", -1)
    if len(value.shape) != 2 or axis not in (1, -1):
        raise operator.refuse(f"axis {axis} of shape {value.shape}; the features of (1, N) end it")
    walk.before_softmax = operator.input(0)
    walk.add(operator, Softmax(operator.label, operator.kind == "LogSoftmax"), value.shape)


def top_1(walk: Walk, operator: Operator) -> None:
    """TopK of one, or ArgMax: the model's answer is which score is the largest."""
    value = walk.activation(operator)
    axis = operator.integer("axis", 0 if operator.kind == "ArgMax" else -1)
    if operator.kind == "TopK":
        if walk.scalar(operator, 1) != 1 or not operator.integer("largest", 1):
            raise operator.refuse("only the one largest element is supported")
    elif operator.integer("select_last_index", 0):
        raise operator.refuse("of equal scores the last is not taken; the first is")
    if len(value.shape) != 2 or axis not in (1, -1):
        raise operator.refuse(f"axis {axis} of shape {value.shape}; the scores of (1, N) end it")
    walk.scores = operator.input(0)
    for name in operator.outputs:
        walk.values[name] = value


def per_channel(operator: Operator, values: Real, shape: tuple[int, ...]) -> Real:
    """Return a constant as one value, or one for each channel (axis 1) of a tensor of `shape`."""
    if values.size == 1:
        return values.reshape(-1)
    rank = len(shape)
    aligned = values.shape if values.ndim >= rank else (1,) * (rank - values.ndim) + values.shape
    if len(aligned) != rank or aligned != (1, shape[1], *(1,) * (rank - 2)):
        raise operator.refuse(
            f"a constant of shape {values.shape} for a tensor {shape}; one value, or one for "
            "each channel, is wanted"
        )
    return values.reshape(-1)
