"""From a layer's configuration and variables to a typed layer: one function for each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

import numpy as np

from edgekit.errors import UnsupportedError
from edgekit.frontend.keras import model, quantizers
from edgekit.frontend.keras.config import LayerConfig
from edgekit.frontend.keras.fields import Fields
from edgekit.frontend.keras.folded import folded, quantized_norm
from edgekit.frontend.keras.variables import Variables

Builder: TypeAlias = "Callable[[LayerConfig, Variables, Place], tuple[model.Layer, ...]]"
_PAIR = (1, 1)


@dataclass(frozen=True, slots=True)
class Place:
    """What a layer needs to know of its place: the rank of its input, batch axis included."""

    rank: int


def build(config: LayerConfig, variables: Variables, place: Place) -> tuple[model.Layer, ...]:
    """Return what a layer of the file computes at inference, in order.

    Raises:
        ConfigError: a variable is missing.
        UnsupportedError: the class or a setting cannot be represented exactly; names the layer.
    """
    if config.kind in _IGNORED:
        return ()
    builder = _BUILD.get(config.kind)
    if builder is None:
        raise _unknown(config)
    dtype = config.fields.get("dtype")
    if isinstance(dtype, Mapping):
        policy = dtype.get("config")
        dtype = policy.get("name") if isinstance(policy, Mapping) else dtype
    if dtype not in (None, "float32"):
        raise config.fields.refuse(f"it computes in {str(dtype)[:40]}, float32 is wanted")
    if config.fields.get("data_format") not in (None, "channels_last"):
        raise config.fields.refuse("its channels come first", hint="use channels_last")
    return builder(config, variables, place)


def _unknown(config: LayerConfig) -> UnsupportedError:
    if config.kind == "Lambda":
        return config.fields.refuse(
            "it holds Python code, which is never run", hint="use a layer of its own class"
        )
    if config.kind in ("Sequential", "Functional", "Model"):
        return config.fields.refuse("a model within the model", hint="build one flat model")
    if config.kind in ("Add", "Concatenate", "Multiply"):
        return config.fields.refuse("the model branches", hint="a chain of layers is read")
    return config.fields.refuse(
        "a layer of this class is not supported", hint="use one of: " + ", ".join(sorted(_BUILD))
    )


def _quantized(fields: Fields, setting: str) -> tuple[quantizers.Quantizer, str]:
    label = f"{fields.label}: {setting}"
    quantizer = quantizers.parse(label, fields.get(setting))
    if quantizer is None:
        raise fields.refuse(
            f"{setting} is None: its weights are floats",
            hint="quantize every layer, the last one too",
        )
    own = fields.label.startswith("Quant")
    return quantizer if own else quantizers.for_weights(quantizer), label


def _input_quantizer(fields: Fields) -> tuple[model.Layer, ...]:
    label = f"{fields.label}: input_quantizer"
    quantizer = quantizers.parse(label, fields.get("input_quantizer"))
    return () if quantizer is None else (model.Activation(label, quantizer),)


def _own_activation(fields: Fields) -> tuple[model.Layer, ...]:
    """Return what the setting `activation` of a layer stands for."""
    given = fields.get("activation")
    return () if given is None else _activation(Fields(f"{fields.label}: activation", {}), given)


def _activation(fields: Fields, given: object) -> tuple[model.Layer, ...]:
    name = given
    if isinstance(given, Mapping):
        config = given.get("config")
        name = config if isinstance(config, str) else given.get("class_name")
    match name:
        case "linear":
            return ()
        case "relu":
            return (model.Function(fields.label, "relu"),)
        case "hard_tanh":
            return (model.Function(fields.label, "hard_tanh"),)
        case "softmax" | "log_softmax":
            return (model.Softmax(fields.label, name == "log_softmax"),)
        case "sigmoid" | "tanh" | "gelu" | "selu" | "elu" | "swish" | "silu":
            raise fields.refuse(
                f"activation {name} is computed in float",
                hint="put a quantizer in its place, such as ste_sign or quantized_relu",
            )
        case _:
            quantizer = quantizers.parse(fields.label, given)
            return () if quantizer is None else (model.Activation(fields.label, quantizer),)


def _bias_quantizer(fields: Fields) -> quantizers.Quantizer | None:
    return quantizers.parse(f"{fields.label}: bias_quantizer", fields.get("bias_quantizer"))


def _names(fields: Fields, kernel: str) -> list[str]:
    return [kernel, "bias"] if fields.flag("use_bias", True) else [kernel]


def _dense(config: LayerConfig, variables: Variables, _: Place) -> tuple[model.Layer, ...]:
    fields = config.fields
    quantizer, label = _quantized(fields, "kernel_quantizer")
    found = variables.of(config, _names(fields, "kernel"))
    kernel, bias = found["kernel"], found.get("bias")
    if config.kind == "QDenseBatchnorm":
        kernel, bias = folded(config, variables, kernel, bias)
    _check_shapes(fields, kernel, bias, 2, fields.integer("units", 0))
    layer = model.Weighted(
        fields.label, "dense", kernel, quantizer, label, bias, _bias_quantizer(fields)
    )
    return (*_input_quantizer(fields), layer, *_own_activation(fields))


def _conv(config: LayerConfig, variables: Variables, _: Place) -> tuple[model.Layer, ...]:
    fields = config.fields
    quantizer, label = _quantized(fields, "kernel_quantizer")
    found = variables.of(config, _names(fields, "kernel"))
    kernel, bias = found["kernel"], found.get("bias")
    if config.kind == "QConv2DBatchnorm":
        kernel, bias = folded(config, variables, kernel, bias)
    axes = 1 if "1D" in config.kind else 2
    if fields.integer("groups", 1) != 1:
        raise fields.refuse(f"it has {fields.integer('groups', 1)} groups, one is wanted")
    _check_shapes(fields, kernel, bias, axes + 2, fields.integer("filters", 0))
    layer = model.Weighted(
        label=fields.label,
        kind="conv2d",
        kernel=kernel.reshape(1, *kernel.shape) if axes == 1 else kernel,
        quantizer=quantizer,
        quantizer_label=label,
        bias=bias,
        bias_quantizer=_bias_quantizer(fields),
        stride=_extents(fields, "strides", axes),
        dilation=_extents(fields, "dilation_rate", axes),
        padding=_padding(fields, axes),
        pad_value=fields.real("pad_values", 0.0),
    )
    return (*_input_quantizer(fields), layer, *_own_activation(fields))


def _depthwise(config: LayerConfig, variables: Variables, _: Place) -> tuple[model.Layer, ...]:
    fields = config.fields
    quantizer, label = _quantized(fields, "depthwise_quantizer")
    found = variables.of(config, _names(fields, "depthwise_kernel"))
    kernel, bias = found["depthwise_kernel"], found.get("bias")
    multiplier = fields.integer("depth_multiplier", 1)
    _check_shapes(fields, kernel, None, 4, multiplier)
    channels = kernel.shape[2] * multiplier
    if bias is not None and bias.shape != (channels,):
        raise fields.refuse(f"its bias has shape {bias.shape}, {channels} channels are wanted")
    layer = model.Weighted(
        label=fields.label,
        kind="depthwise",
        kernel=kernel,
        quantizer=quantizer,
        quantizer_label=label,
        bias=bias,
        bias_quantizer=_bias_quantizer(fields),
        stride=_extents(fields, "strides", 2),
        dilation=_extents(fields, "dilation_rate", 2),
        padding=_padding(fields, 2),
        pad_value=fields.real("pad_values", 0.0),
    )
    return (*_input_quantizer(fields), layer, *_own_activation(fields))


def _check_shapes(
    fields: Fields, kernel: model.Real, bias: model.Real | None, rank: int, channels: int
) -> None:
    if kernel.ndim != rank or kernel.shape[-1] != channels or not kernel.size:
        raise fields.refuse(
            f"its weights have shape {kernel.shape}; {rank} axes, the last of {channels}, are "
            "wanted"
        )
    if bias is not None and bias.shape != (channels,):
        raise fields.refuse(f"its bias has shape {bias.shape}, ({channels},) is wanted")


def _extents(
    fields: Fields, name: str, axes: int, default: tuple[int, ...] = _PAIR
) -> tuple[int, int]:
    """Return two extents; a layer of one axis has 1 along the rows."""
    if axes == 1:
        return 1, fields.extents(name, 1, default[1:])[0]
    first, second = fields.extents(name, 2, default)
    return first, second


def _padding(fields: Fields, axes: int) -> Literal["valid", "same", "causal"]:
    padding = fields.text("padding", "valid").lower()
    if padding not in ("valid", "same") and not (padding == "causal" and axes == 1):
        raise fields.refuse(f"padding {padding[:20]} is not supported")
    return cast(Literal["valid", "same", "causal"], padding)


def _batch_norm(config: LayerConfig, variables: Variables, place: Place) -> tuple[model.Layer, ...]:
    fields = config.fields
    axis = fields.get("axis")
    listed = axis if isinstance(axis, list) else [-1 if axis is None else axis]
    if listed not in ([-1], [place.rank - 1]):
        raise fields.refuse(f"it normalizes axis {str(axis)[:20]}, the last one is wanted")
    if fields.flag("renorm", False):
        raise fields.refuse("renorm is not supported")
    names = ["gamma"] if fields.flag("scale", True) else []
    names += ["beta"] if fields.flag("center", True) else []
    found = variables.of(config, [*names, "moving_mean", "moving_variance"])
    if any(array.ndim != 1 for array in found.values()):
        raise fields.refuse("its parameters do not have one axis")
    if len({array.size for array in found.values()}) != 1:
        raise fields.refuse("its parameters differ in length")
    epsilon = fields.real("epsilon", 1e-3)
    variance = found["moving_variance"]
    if epsilon < 0 or (variance + np.float32(epsilon) <= 0).any():
        raise fields.refuse("its variance is not positive", hint="the training diverged")
    norm = model.BatchNorm(
        label=fields.label,
        gamma=found.get("gamma"),
        beta=found.get("beta"),
        mean=found["moving_mean"],
        variance=variance,
        epsilon=epsilon,
        fused=place.rank == 4,
    )
    return (quantized_norm(config, norm) if config.kind == "QBatchNormalization" else norm,)


def _activation_layer(config: LayerConfig, _: Variables, __: Place) -> tuple[model.Layer, ...]:
    return _activation(config.fields, config.fields.get("activation"))


def _quantizer_layer(config: LayerConfig, _: Variables, __: Place) -> tuple[model.Layer, ...]:
    label, given = config.fields.label, {"class_name": config.kind, "config": config.fields.values}
    quantizer = quantizers.parse(label, given)
    return () if quantizer is None else (model.Activation(label, quantizer),)


def _relu(config: LayerConfig, _: Variables, __: Place) -> tuple[model.Layer, ...]:
    fields = config.fields
    for name in ("negative_slope", "threshold"):
        if fields.get(name) is not None and fields.real(name, 0.0) != 0.0:
            raise fields.refuse(f"{name} is not 0")
    given = fields.get("max_value")
    limit = None if given is None else fields.real("max_value", 0.0)
    if limit is not None and limit <= 0:
        raise fields.refuse(f"max_value is {limit:g}, a positive number is wanted")
    return (model.Function(fields.label, "relu", limit),)


def _softmax(config: LayerConfig, _: Variables, place: Place) -> tuple[model.Layer, ...]:
    if config.fields.get("axis") not in (None, -1, [-1], place.rank - 1):
        raise config.fields.refuse("it works along another axis than the last")
    return (model.Softmax(config.fields.label, False),)


def _pool(config: LayerConfig, _: Variables, __: Place) -> tuple[model.Layer, ...]:
    fields = config.fields
    axes = 1 if "1D" in config.kind else 2
    size = _extents(fields, "pool_size", axes, (2, 2))
    stride = _extents(fields, "strides", axes, size)
    padding = _padding(fields, 2)
    kind: Literal["max", "average"] = "max" if config.kind.startswith("Max") else "average"
    if kind == "average" and padding != "valid":
        raise fields.refuse("an average with padding divides by several counts", hint="pad valid")
    same: Literal["valid", "same"] = "same" if padding == "same" else "valid"
    return (model.Pool(fields.label, kind, size, stride, same),)


def _global_pool(config: LayerConfig, _: Variables, __: Place) -> tuple[model.Layer, ...]:
    kind: Literal["max", "average"] = "max" if "Max" in config.kind else "average"
    label = config.fields.label
    pool = model.Pool(label, kind, None, _PAIR, "valid")
    keep = config.fields.flag("keepdims", False)
    return (pool,) if keep else (pool, model.Flatten(label, of_one_cell=True))


def _flatten(config: LayerConfig, _: Variables, __: Place) -> tuple[model.Layer, ...]:
    return (model.Flatten(config.fields.label),)


def _scaling(config: LayerConfig, _: Variables, __: Place) -> tuple[model.Layer, ...]:
    fields = config.fields
    return (model.Scaling(fields.label, fields.real("scale", 1.0), fields.real("offset", 0.0)),)


_IGNORED = frozenset(
    {"Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout", "GaussianDropout"}
    | {"GaussianNoise", "ActivityRegularization"}
)
_BUILD: Mapping[str, Builder] = {
    "QuantDense": _dense,
    "QDense": _dense,
    "QDenseBatchnorm": _dense,
    "QuantConv1D": _conv,
    "QuantConv2D": _conv,
    "QConv1D": _conv,
    "QConv2D": _conv,
    "QConv2DBatchnorm": _conv,
    "QuantDepthwiseConv2D": _depthwise,
    "QDepthwiseConv2D": _depthwise,
    "BatchNormalization": _batch_norm,
    "QBatchNormalization": _batch_norm,
    "Activation": _activation_layer,
    "QActivation": _activation_layer,
    "SteSign": _quantizer_layer,
    "ApproxSign": _quantizer_layer,
    "SwishSign": _quantizer_layer,
    "SteHeaviside": _quantizer_layer,
    "SteTern": _quantizer_layer,
    "DoReFa": _quantizer_layer,
    "ReLU": _relu,
    "Softmax": _softmax,
    "MaxPooling1D": _pool,
    "MaxPooling2D": _pool,
    "AveragePooling1D": _pool,
    "AveragePooling2D": _pool,
    "GlobalMaxPooling1D": _global_pool,
    "GlobalMaxPooling2D": _global_pool,
    "GlobalAveragePooling1D": _global_pool,
    "GlobalAveragePooling2D": _global_pool,
    "Flatten": _flatten,
    "Rescaling": _scaling,
}
