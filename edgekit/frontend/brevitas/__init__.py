"""Live modules built of Brevitas layers: their own code computes every float and every level."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.frontend import lowering
from edgekit.frontend.brevitas.layers import layers_of
from edgekit.frontend.brevitas.trace import calls
from edgekit.ir.graph import Graph, Source
from edgekit.ir.types import InputGrid


def load(module: Any, input_shape: Sequence[int], grid: InputGrid | None = None) -> Graph:  # noqa: ANN401
    """Return the integer graph of a `torch.nn.Module`; the module is as it was afterwards.

    Args:
        module: layers of Brevitas, batch norms, pools, flatten, one after the other.
        input_shape: batch axis included, such as (1, 1, 28, 28).
        grid: integers that the input's real numbers stand for, wanted where the first layer of
            weights has no quantizer before it.

    Raises:
        ConfigError: the shape is none.
        UnsupportedError: a layer or setting without an exact integer meaning; names it.
    """
    shape = tuple(int(extent) for extent in input_shape)
    if not 2 <= len(shape) <= 4 or min(shape) < 1:
        raise ConfigError(
            f"input_shape {shape} is no shape of an input",
            hint="give the batch axis too: (1, features), (1, C, L) or (1, C, H, W)",
        )
    shape = (1, *shape[1:])
    was_training = bool(module.training)
    module.eval()
    try:
        with torch.no_grad():
            layers = [layer for call in calls(module, shape) for layer in layers_of(call)]
            digest = _digest(module)
            spec = lowering.InputSpec("input", shape, channels_first=True)
            source = Source("brevitas", "brevitas", digest)
            return lowering.lower(type(module).__name__, source, spec, layers, grid)
    finally:
        module.train(was_training)


def scores(module: Any, x: NDArray[Any]) -> NDArray[np.float32]:  # noqa: ANN401
    """Return what the module itself computes for float32 `x` [samples, ...], in eval mode."""
    was_training = bool(module.training)
    module.eval()
    try:
        with torch.no_grad():
            found = module(torch.from_numpy(np.ascontiguousarray(x, np.float32)))
    finally:
        module.train(was_training)
    plain = found.value if hasattr(found, "value") else found
    return np.asarray(plain.numpy(), np.float32)


def _digest(module: Any) -> str:  # noqa: ANN401
    digest = hashlib.sha256(repr(module).encode("utf-8", "replace"))
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode("utf-8"))
        digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
    return digest.hexdigest()
