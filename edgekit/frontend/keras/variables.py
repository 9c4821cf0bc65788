"""A layer's own variables by name, in the layouts of `.h5` and of `.keras` files.

`.h5`: `model_weights/<layer>/.../<variable>:0`. `.keras`: `layers/<class in snake case, counted>/
vars/<n>`, n in the order in which the layer made its variables: trainable ones first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.frontend.keras.archive import Archive
from edgekit.frontend.keras.config import LayerConfig
from edgekit.frontend.keras.model import Real

_ROOTS = ("layers", "_layer_checkpoint_dependencies")


class Variables:
    """The weights of a file, found by layer and name."""

    def __init__(self, archive: Archive, every: Sequence[LayerConfig]) -> None:
        self._archive = archive
        self._groups = _counted(every)

    def of(self, layer: LayerConfig, names: Sequence[str], inner: str = "") -> dict[str, Real]:
        """Return the variables `names` of `layer` as float32.

        Args:
            layer: whose.
            names: in the order in which the layer made them.
            inner: a layer within the layer (a folded batch norm) that holds them instead.

        Raises:
            ConfigError: one is missing.
            UnsupportedError: one is not float32, or holds NaN or infinity.
        """
        if self._archive.form == "h5":
            found = self._by_name(layer)
        else:
            found = self._by_order(layer, names, inner)
        missing = [name for name in names if name not in found]
        if missing:
            raise ConfigError(
                f"{layer.fields.label}: the file holds no {missing[0]} of it",
                hint="save the whole model again",
            )
        return {name: _numbers(layer, name, found[name]) for name in names}

    def _by_name(self, layer: LayerConfig) -> Mapping[str, NDArray[Any]]:
        prefix = f"model_weights/{layer.name}/"
        found: dict[str, NDArray[Any]] = {}
        for path, array in self._archive.weights.items():
            if path.startswith(prefix):
                found[path.rsplit("/", 1)[-1].split(":", 1)[0]] = array
        return found

    def _by_order(
        self, layer: LayerConfig, names: Sequence[str], inner: str
    ) -> Mapping[str, NDArray[Any]]:
        group = self._groups[layer.place] + (f"/{inner}" if inner else "")
        for root in _ROOTS:
            paths = [f"{root}/{group}/vars/{place}" for place in range(len(names))]
            if paths and paths[0] in self._archive.weights:
                arrays = [self._archive.weights.get(path) for path in paths]
                pairs = zip(names, arrays, strict=True)
                return {name: array for name, array in pairs if array is not None}
        return {}


def _counted(every: Sequence[LayerConfig]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    names = []
    for layer in every:
        snake = re.sub(r"\W+", "", layer.kind)
        snake = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", snake)
        snake = re.sub("([a-z])([A-Z])", r"\1_\2", snake).lower()
        names.append(f"{snake}_{seen[snake]}" if seen[snake] else snake)
        seen[snake] += 1
    return tuple(names)


def _numbers(layer: LayerConfig, name: str, array: NDArray[Any]) -> Real:
    if array.dtype != np.float32:
        raise layer.fields.refuse(
            f"{name} is {array.dtype}, float32 is wanted", hint="train and save in float32"
        )
    wrong = int(np.count_nonzero(~np.isfinite(array)))
    if wrong:
        raise layer.fields.refuse(
            f"{name} holds {wrong} NaN or infinite values",
            hint="the training diverged: use an earlier checkpoint",
        )
    return array
