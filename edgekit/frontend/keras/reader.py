"""From a file to a typed chain of layers."""

from __future__ import annotations

from edgekit.errors import UnsupportedError
from edgekit.frontend.keras import config, model
from edgekit.frontend.keras.archive import Archive
from edgekit.frontend.keras.layers import Place, build
from edgekit.frontend.keras.variables import Variables
from edgekit.frontend.limits import MAX_TENSOR_ELEMENTS


def model_of(archive: Archive) -> model.Model:
    """Return the model of a file.

    Raises:
        ConfigError: the configuration is damaged or a weight is missing.
        UnsupportedError: a layer, quantizer or setting that has no exact meaning; names it.
    """
    parsed = config.parse(archive)
    variables = Variables(archive, parsed.every)
    layers: list[model.Layer] = []
    rank = len(parsed.input_shape) + 1
    for each in parsed.chain:
        for layer in build(each, variables, Place(rank)):
            layers.append(layer)
            if isinstance(layer, model.Flatten):
                rank = 2
    if not any(isinstance(layer, model.Weighted) for layer in layers):
        raise UnsupportedError(
            "the model has no layer of quantized weights", hint="a Larq or QKeras model is wanted"
        )
    largest = max(layer.kernel.size for layer in layers if isinstance(layer, model.Weighted))
    if largest > MAX_TENSOR_ELEMENTS:
        raise UnsupportedError(f"a layer has {largest} weights, {MAX_TENSOR_ELEMENTS} at most")
    return model.Model(
        name=archive.name,
        sha256=archive.sha256,
        input_name=parsed.input_name,
        input_shape=parsed.input_shape,
        output_name=parsed.chain[-1].name,
        layers=tuple(layers),
    )
