"""A live Keras model of Larq or QKeras layers, by its own configuration and variables.

Nothing of TensorFlow is imported: the model answers for itself.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.frontend.keras.archive import Archive
from edgekit.frontend.keras.convert import convert
from edgekit.frontend.keras.reader import model_of
from edgekit.ir.graph import Graph
from edgekit.ir.types import InputGrid


def load(live: Any, grid: InputGrid | None = None) -> Graph:  # noqa: ANN401
    """Return the integer graph of a live model; `grid` as for a file.

    Raises:
        ConfigError: the object is no Keras model with variables.
        UnsupportedError: a layer, quantizer or setting without an exact integer meaning; names it.
    """
    return convert(model_of(archive_of(live)), grid)


def archive_of(live: Any) -> Archive:  # noqa: ANN401
    """Return what `model.save()` would write: configuration and latent weights by layer."""
    config = json.loads(live.to_json())
    if not isinstance(config, dict):
        raise ConfigError("the model's to_json() gives no configuration")
    weights: dict[str, NDArray[Any]] = {}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode("utf-8"))
    for layer in live.layers:
        for variable, value in zip(layer.weights, layer.get_weights(), strict=True):
            key = f"model_weights/{layer.name}/{variable.name}"
            weights[key] = np.asarray(value)
            digest.update(key.encode("utf-8") + np.ascontiguousarray(value).tobytes())
    return Archive(str(live.name), "h5", digest.hexdigest(), config, weights)
