"""Float ONNX operators that move values or change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.compress.floatnet import Shape
from edgekit.compress.onnx.chain import Chain, reshape_to
from edgekit.frontend.onnx.model import Operator
from edgekit.ir.types import HostOp


def reshape(chain: Chain, operator: Operator) -> None:
    """Give the value the shape that Reshape, Flatten, Squeeze or Unsqueeze names."""
    shape = chain.shape
    match operator.kind:
        case "Flatten":
            if operator.integer("axis", 1) != 1:
                raise operator.refuse("an axis other than 1 would flatten the batch")
            wanted: tuple[int, ...] = (1, -1)
        case "Squeeze" | "Unsqueeze":
            wanted = _squeezed(chain, operator)
        case _:
            target = chain.constant(operator, 1)
            wanted = tuple(
                shape[k] if int(e) == 0 and k < len(shape) else int(e)
                for k, e in enumerate(target.ravel())
            )
    try:
        found = np.empty(shape, np.bool_).reshape(wanted).shape
    except ValueError as exc:
        raise operator.refuse(f"{shape} has no shape {wanted}") from exc
    if found[:1] != (1,) or len(found) not in (2, 3, 4):
        raise operator.refuse(f"shape {found}; a batch of 1 and 1 to 3 axes are wanted")
    reshape_to(chain, operator, found)


def _squeezed(chain: Chain, operator: Operator) -> Shape:
    axes = operator.integers("axes")
    if axes is None and operator.input(1):
        axes = tuple(int(a) for a in chain.constant(operator, 1).ravel())
    probe = np.empty(chain.shape, np.bool_)
    try:
        if operator.kind == "Unsqueeze":
            return np.expand_dims(probe, axes or ()).shape
        return probe.squeeze(axes).shape
    except ValueError as exc:
        raise operator.refuse(f"axes {axes} of {chain.shape}") from exc


def transpose(chain: Chain, operator: Operator) -> None:
    """Take a change of order as one of names: nothing moves until a layer wants it."""
    order = operator.integers("perm") or tuple(reversed(range(len(chain.shape))))
    if sorted(order) != list(range(len(chain.shape))) or order[0] != 0:
        raise operator.refuse(f"order {order} of {chain.shape}; the batch has to stay first")
    chain.shape = tuple(chain.shape[axis] for axis in order)
    chain.axes = tuple(order.index(axis) for axis in chain.axes)


def softmax(chain: Chain, operator: Operator) -> None:
    """Leave a softmax at the end to the host."""
    axis = operator.integer("axis", -1)
    if axis % len(chain.shape) != len(chain.shape) - 1:
        raise operator.refuse(f"softmax along axis {axis}; the last one is wanted")
    name: HostOp = "softmax" if operator.kind == "Softmax" else "log_softmax"
    chain.host_ops = ("dequantize", name)


def same(chain: Chain, operator: Operator) -> None:
    """Take an operator that changes nothing in inference."""


def constant_reshape(chain: Chain, operator: Operator) -> NDArray[Any]:
    """Return a reshaped constant."""
    array, target = chain.constant(operator, 0), chain.constant(operator, 1)
    try:
        return array.reshape(tuple(int(e) for e in target.ravel()))
    except ValueError as exc:
        raise operator.refuse(f"{array.shape} has no shape {target.tolist()}") from exc


def constant_transpose(chain: Chain, operator: Operator) -> NDArray[Any]:
    """Return a transposed constant."""
    return chain.constant(operator, 0).transpose(operator.integers("perm"))
