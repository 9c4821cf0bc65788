"""Operators that move or relabel elements, and pools; shapes of constants are computed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edgekit.frontend import limits
from edgekit.frontend.lowering import AveragePool, Flatten, MaxPool
from edgekit.frontend.onnx.model import Operator
from edgekit.frontend.onnx.windows import MAX_PAD, kernel_shape, window
from edgekit.frontend.qonnx.values import Activation, Margin, Walk, Weights
from edgekit.ir.types import Padding


def identity(walk: Walk, operator: Operator) -> None:
    """Identity, and Dropout at inference."""
    walk.define(operator, walk.value(operator, 0))


def shape_of(walk: Walk, operator: Operator) -> None:
    """Shape: a constant."""
    value = walk.value(operator, 0)
    shape = value.shape if not isinstance(value, Weights) else value.integers.shape
    walk.define(operator, np.array(shape, np.int64))


def gather(walk: Walk, operator: Operator) -> None:
    """Gather, of constants."""
    data, indices = walk.constant(operator, 0), walk.constant(operator, 1)
    axis = operator.integer("axis", 0)
    if data.ndim != 1 or axis not in (0, -1) or indices.dtype.kind != "i" or indices.size > 64:
        raise operator.refuse("only entries of a shape are gathered")
    if indices.size and not (-data.size <= indices.min() and indices.max() < data.size):
        raise operator.refuse(f"index {indices.min()} to {indices.max()} of {data.size} entries")
    walk.define(operator, np.asarray(data[indices]))


def concat(walk: Walk, operator: Operator) -> None:
    """Concat, of constants."""
    parts = [walk.constant(operator, place) for place in range(len(operator.inputs))]
    if any(part.ndim != 1 or part.size > limits.MAX_RANK for part in parts):
        raise operator.refuse("only parts of a shape are joined")
    walk.define(operator, np.concatenate(parts))


def cast(walk: Walk, operator: Operator) -> None:
    """Cast of a constant shape, or of an activation to float32."""
    value = walk.value(operator, 0)
    kind = operator.integer("to", 0)
    if isinstance(value, np.ndarray) and kind in (6, 7):
        walk.define(operator, value.astype(np.int64))
    elif not isinstance(value, np.ndarray) and kind == 1:
        walk.define(operator, value)
    else:
        raise operator.refuse(f"a cast to ONNX type {kind} is not supported")


def reshape(walk: Walk, operator: Operator) -> None:
    """Reshape to a constant shape: to (1, N), or with axes of extent 1 added or removed."""
    value = walk.value(operator, 0)
    wanted = walk.constant(operator, 1)
    if wanted.dtype.kind != "i" or wanted.ndim != 1 or wanted.size > limits.MAX_RANK:
        raise operator.refuse("its shape is not a short list of integers")
    old = value.integers.shape if isinstance(value, Weights) else value.shape
    shape = [int(extent) for extent in wanted]
    if not operator.integer("allowzero", 0):
        shape = [old[k] if e == 0 and k < len(old) else e for k, e in enumerate(shape)]
    known = math.prod(extent for extent in shape if extent != -1)
    size = math.prod(old)
    if shape.count(-1) == 1 and known > 0 and size % known == 0:
        shape = [size // known if extent == -1 else extent for extent in shape]
    if min(shape, default=1) < 0 or math.prod(shape) != size:
        raise operator.refuse(f"{wanted[:8].tolist()} does not hold {size} elements")
    _relabel(walk, operator, tuple(shape))


def flatten(walk: Walk, operator: Operator) -> None:
    """Flatten to (1, N)."""
    value = walk.activation(operator)
    if operator.integer("axis", 1) not in (1, 1 - len(value.shape)):
        raise operator.refuse("axis 1 is wanted")
    _relabel(walk, operator, (1, math.prod(value.shape)))


def squeeze(walk: Walk, operator: Operator) -> None:
    """Squeeze axes of extent 1."""
    shape = _shape(walk, operator)
    axes = _axes(walk, operator, len(shape))
    if axes is None:
        axes = tuple(axis for axis, extent in enumerate(shape) if extent == 1)
    if any(shape[axis] != 1 for axis in axes):
        raise operator.refuse(f"it squeezes axes {axes} of shape {shape}")
    _relabel(walk, operator, tuple(e for axis, e in enumerate(shape) if axis not in axes))


def unsqueeze(walk: Walk, operator: Operator) -> None:
    """Insert axes of extent 1."""
    shape = _shape(walk, operator)
    given = operator.integers("axes") if not operator.input(1) else walk.constant(operator, 1)
    count = 0 if given is None else len(np.atleast_1d(np.asarray(given)))
    axes = _axes(walk, operator, len(shape) + count)
    if axes is None or len(set(axes)) != count or len(shape) + count > limits.MAX_RANK:
        raise operator.refuse("its axes are missing, repeated or too many")
    rest = iter(shape)
    wanted = tuple(1 if axis in axes else next(rest) for axis in range(len(shape) + count))
    _relabel(walk, operator, wanted)


def transpose(walk: Walk, operator: Operator) -> None:
    """Transpose of a constant; of an activation only where no element moves."""
    value = walk.value(operator, 0)
    shape = _shape(walk, operator)
    axes = operator.integers("perm") or tuple(reversed(range(len(shape))))
    if sorted(axes) != list(range(len(shape))):
        raise operator.refuse(f"perm {axes[:8]} of a tensor with {len(shape)} axes")
    if isinstance(value, Weights):
        turned = value.integers.transpose(axes), value.scale.transpose(axes)
        walk.define(operator, replace(value, integers=turned[0], scale=turned[1]))
    elif isinstance(value, np.ndarray):
        walk.define(operator, value.transpose(axes))
    else:
        if [axis for axis in axes if shape[axis] > 1] != sorted(a for a in axes if shape[a] > 1):
            raise operator.refuse(
                "it moves the elements of an activation",
                hint="keep the network in one layout, channels on axis 1",
            )
        _relabel(walk, operator, tuple(shape[axis] for axis in axes))


def pad(walk: Walk, operator: Operator) -> None:
    """Pad an image with a constant, for the Conv that reads it."""
    value = walk.activation(operator)
    if operator.text("mode", "constant") != "constant" or walk.margin is not None:
        raise operator.refuse("one constant padding is supported")
    if operator.input(1):
        pads = tuple(int(each) for each in walk.real(operator, 1).reshape(-1)[:16])
    else:
        pads = operator.integers("pads") or ()
    cell = walk.scalar(operator, 2) if operator.input(2) else operator.real("value", 0.0)
    rank = len(value.shape)
    if rank not in (3, 4) or len(pads) != 2 * rank or any(pads[k] for k in (0, 1, rank, rank + 1)):
        raise operator.refuse(f"pads {pads[:8]}: only the spatial axes of an image are padded")
    if not all(0 <= each <= MAX_PAD for each in pads):
        raise operator.refuse(f"pads {pads}: 0 to {MAX_PAD} cells are wanted")
    inner = (pads[2:rank], pads[rank + 2 :])
    if rank == 3:
        inner = ((0, *inner[0]), (0, *inner[1]))
    (top, left), (bottom, right) = inner
    walk.margin = Margin(Padding(top, left, bottom, right), cell, operator.label)
    spatial = (
        e + b + a for e, b, a in zip(value.shape[2:], pads[2:], pads[rank + 2 :], strict=False)
    )
    walk.reshape(operator, value, (*value.shape[:2], *spatial))


def max_pool(walk: Walk, operator: Operator) -> None:
    """MaxPool over the valid cells of an image or signal."""
    value = walk.activation(operator)
    found = window(operator, value.shape, kernel_shape(operator, value.shape))
    if found.dilation != (1, 1):
        raise operator.refuse("a dilated pool is not supported")
    layer = MaxPool(operator.label, found.kernel, found.stride, found.padding)
    walk.add(operator, layer, _pooled(value, found.output))


def average_pool(walk: Walk, operator: Operator) -> None:
    """AveragePool without padding, or GlobalAveragePool."""
    value = walk.activation(operator)
    if operator.kind == "GlobalAveragePool":
        if len(value.shape) != 4:
            raise operator.refuse(f"shape {value.shape}; (1, C, H, W) is wanted")
        kernel = (value.shape[2], value.shape[3])
        walk.add(operator, AveragePool(operator.label, kernel, kernel), _pooled(value, (1, 1)))
        return
    found = window(operator, value.shape, kernel_shape(operator, value.shape))
    if found.dilation != (1, 1) or found.padding != Padding():
        raise operator.refuse("a padded or dilated average pool is not supported")
    layer = AveragePool(operator.label, found.kernel, found.stride)
    walk.add(operator, layer, _pooled(value, found.output))


def _pooled(value: Activation, output: tuple[int, int]) -> tuple[int, ...]:
    spatial = output if len(value.shape) == 4 else output[1:]
    return (*value.shape[:2], *spatial)


def _shape(walk: Walk, operator: Operator) -> tuple[int, ...]:
    value = walk.value(operator, 0)
    return value.integers.shape if isinstance(value, Weights) else value.shape


def _axes(walk: Walk, operator: Operator, rank: int) -> tuple[int, ...] | None:
    axes = operator.integers("axes")
    if operator.input(1):
        found = walk.constant(operator, 1)
        if found.dtype.kind != "i" or found.size > limits.MAX_RANK:
            raise operator.refuse("its axes are not a short list of integers")
        axes = tuple(int(axis) for axis in found.reshape(-1))
    if axes is None:
        return None
    if not all(-rank <= axis < rank for axis in axes):
        raise operator.refuse(f"axes {axes[:8]} of a tensor with {rank}")
    return tuple(axis % rank for axis in axes)


def _relabel(walk: Walk, operator: Operator, shape: tuple[int, ...]) -> None:
    """Define the same elements in the same order; an activation's may only be flattened."""
    value = walk.value(operator, 0)
    if isinstance(value, Weights):
        turned = value.integers.reshape(shape), value.scale.reshape(shape)
        walk.define(operator, replace(value, integers=turned[0], scale=turned[1]))
        return
    if isinstance(value, np.ndarray):
        walk.define(operator, value.reshape(shape))
        return
    value = walk.activation(operator)
    if _features(shape) == _features(value.shape):
        walk.reshape(operator, value, shape)
    elif len(shape) == 2 and shape[0] == 1:
        walk.add(operator, Flatten(operator.label, channels_first=True), shape)
    else:
        raise operator.refuse(
            f"from {value.shape} to {shape}; a reshape to (1, N) is supported",
            hint="flatten before the first dense layer",
        )


def _features(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return batch, channels and the extents above 1 of the other axes, with their axes' order."""
    return (*shape[:2], *(extent for extent in shape[2:] if extent > 1))
