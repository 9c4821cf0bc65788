"""Float functions between layers, in the order and precision in which TensorFlow computes them.

Measured against TensorFlow 2.21 on x86: equal for images; for vectors up to its approximation of
1 / sqrt, whose last bit differs from one CPU to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import numpy as np

from edgekit.frontend.keras.model import BatchNorm, Function, Real, Scaling


def function(layer: BatchNorm | Function | Scaling) -> Callable[[Real], Real]:
    """Return the layer as a function of float32 [n, C]."""
    match layer:
        case BatchNorm():
            return _fused(layer) if layer.fused else _plain(layer)
        case Function():
            return _clip(layer)
        case Scaling():
            scale, offset = np.float32(layer.scale), np.float32(layer.offset)
            return lambda x: np.asarray(x * scale + offset, np.float32)
        case _:
            assert_never(layer)


def _fused(layer: BatchNorm) -> Callable[[Real], Real]:
    inverse = np.float32(1) / np.sqrt(layer.variance + np.float32(layer.epsilon))
    gamma = np.ones_like(inverse) if layer.gamma is None else layer.gamma
    beta = np.zeros_like(inverse) if layer.beta is None else layer.beta

    def apply(x: Real) -> Real:
        normal = np.asarray((x - layer.mean) * inverse, np.float32)
        # The product is exact in float64: one rounding of the sum to float32 but for a rare tie.
        total = normal.astype(np.float64) * gamma + beta
        return total.astype(np.float32)

    return apply


def _plain(layer: BatchNorm) -> Callable[[Real], Real]:
    inverse = np.float32(1) / np.sqrt(layer.variance + np.float32(layer.epsilon))
    if layer.gamma is not None:
        inverse = inverse * layer.gamma
    shift = -layer.mean * inverse
    if layer.beta is not None:
        shift = layer.beta - layer.mean * inverse
    return lambda x: np.asarray(x * inverse + shift, np.float32)


def _clip(layer: Function) -> Callable[[Real], Real]:
    low, high = (-1.0, 1.0) if layer.kind == "hard_tanh" else (0.0, layer.limit or np.inf)
    return lambda x: np.clip(x, np.float32(low), np.float32(high))
