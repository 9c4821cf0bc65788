"""The quantizers of Larq and QKeras as values, parsed from a configuration or from a text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from edgekit.errors import UnsupportedError
from edgekit.frontend.keras.fields import Fields

Alpha: TypeAlias = float | Literal["auto", "auto_po2"] | None
MAX_BITS = 16
_MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Sign:
    """Larq's SteSign, ApproxSign, SwishSign: +1 where x >= 0, else -1."""


@dataclass(frozen=True, slots=True)
class MagnitudeAwareSign:
    """Larq's: the sign times the mean of |x| over all axes but the last."""


@dataclass(frozen=True, slots=True)
class Heaviside:
    """Larq's SteHeaviside: 1 where x > 0, else 0."""


@dataclass(frozen=True, slots=True)
class SteTern:
    """Larq's: sign(sign(x + t) + sign(x - t)); t None: 0.7 of the mean of |x|."""

    threshold: float | None


@dataclass(frozen=True, slots=True)
class DoReFa:
    """Larq's: `bits` levels of [0, 1], or for weights of [-1, 1] behind a tanh."""

    bits: int
    weights: bool


@dataclass(frozen=True, slots=True)
class QuantizedBits:
    """QKeras' fixed point: `bits` in all, `integer` of them left of the point."""

    bits: int
    integer: int
    symmetric: bool
    keep_negative: bool
    alpha: Alpha


@dataclass(frozen=True, slots=True)
class QuantizedRelu:
    """QKeras' fixed point of the positive part; `slope` keeps a part of the negative one."""

    bits: int
    integer: int
    sigmoid: bool
    slope: float


@dataclass(frozen=True, slots=True)
class Binary:
    """QKeras' sign times alpha; `zero_one`: 0 and alpha."""

    alpha: Alpha
    zero_one: bool


@dataclass(frozen=True, slots=True)
class Ternary:
    """QKeras' sign where |x| >= threshold, times alpha; `unrolls` bounds the search for both."""

    alpha: Alpha
    threshold: float | None
    unrolls: int


@dataclass(frozen=True, slots=True)
class PowerOfTwo:
    """QKeras' quantized_po2 and quantized_relu_po2: the nearest power of two, and its sign."""

    bits: int
    max_value: float | None
    relu: bool
    quadratic: bool


Quantizer: TypeAlias = (
    Sign
    | MagnitudeAwareSign
    | Heaviside
    | SteTern
    | DoReFa
    | QuantizedBits
    | QuantizedRelu
    | Binary
    | Ternary
    | PowerOfTwo
)


def parse(label: str, given: object) -> Quantizer | None:
    """Return the quantizer of a configuration entry, None where there is none.

    Args:
        label: the layer and setting, for messages.
        given: null, a name, QKeras' text such as `quantized_bits(4,0,1)`, or Keras' object.

    Raises:
        UnsupportedError: unknown, not deterministic at inference, or with unknown settings.
    """
    if given is None:
        return None
    settings: object
    if isinstance(given, str):
        name, settings = _called(label, given)
    elif isinstance(given, Mapping) and isinstance(given.get("class_name"), str):
        name, settings = given["class_name"], given.get("config")
        if isinstance(settings, str) and name in ("function", "Function"):
            name, settings = settings, {}
    else:
        raise UnsupportedError(f"{label}: {str(given)[:60]} is no quantizer")
    if not isinstance(settings, Mapping):
        raise UnsupportedError(f"{label}: {name[:60]} has no settings")
    name = name.rsplit(">", 1)[-1]  # "Package>Class" of a registered object
    build = _BUILD.get(name)
    if build is None:
        raise UnsupportedError(
            f"{label}: quantizer {name[:60]} cannot be represented exactly",
            hint="use one of: " + ", ".join(sorted(_BUILD)),
        )
    fields = Fields(f"{label}: {name}", settings)
    fields.only({*_COMMON, *_SETTINGS[name]})
    return build(fields)


def for_weights(quantizer: Quantizer) -> Quantizer:
    """Return what a layer of QKeras makes of its weights' quantizer: alpha None is auto_po2."""
    match quantizer:
        case QuantizedBits(alpha=None):
            return replace(quantizer, alpha="auto_po2", symmetric=True)
        case Binary(alpha=None) | Ternary(alpha=None, threshold=None):
            return replace(quantizer, alpha="auto_po2")
        case _:
            return quantizer


def _called(label: str, text: str) -> tuple[str, dict[str, Any]]:
    """Return name and settings of `name` or `name(value, ..., key=value)`; nothing is run."""
    problem = UnsupportedError(
        f"{label}: {text[:60]!r} is no quantizer", hint="quantized_bits(4,0,1) is one"
    )
    if len(text) > _MAX_TEXT:
        raise problem
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if isinstance(node, ast.Name):
            return node.id, {}
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise problem
        names = _SETTINGS.get(node.func.id, ())
        if len(node.args) > len(names):
            raise problem
        values = [ast.literal_eval(value) for value in node.args]
        settings = dict(zip(names, values, strict=False))
        settings.update((key.arg or "**", ast.literal_eval(key.value)) for key in node.keywords)
        return node.func.id, settings
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise problem from error


def _alpha(fields: Fields) -> Alpha:
    value = fields.get("alpha")
    if value is None or value == "auto" or value == "auto_po2":
        return value  # type: ignore[no-any-return]
    alpha = fields.real("alpha", 1.0)
    if alpha <= 0:
        raise fields.refuse(f"alpha is {alpha:g}, a positive number is wanted")
    return alpha


def _bits(fields: Fields, name: str = "bits", default: int = 8) -> int:
    bits = fields.integer(name, default)
    if not 1 <= bits <= MAX_BITS:
        raise fields.refuse(f"{name} is {bits}, 1 to {MAX_BITS} is wanted")
    return bits


def _integer(fields: Fields) -> int:
    integer = fields.integer("integer", 0)
    if abs(integer) > MAX_BITS:
        raise fields.refuse(f"integer is {integer}, -{MAX_BITS} to {MAX_BITS} is wanted")
    return integer


def _plain(fields: Fields) -> None:
    """Refuse what makes a quantizer of QKeras more than its formula at inference."""
    if fields.real("qnoise_factor", 1.0) != 1.0:
        raise fields.refuse("qnoise_factor is not 1: the value is not quantized in full")
    for name in ("scale_axis", "elements_per_scale", "min_po2_exponent", "max_po2_exponent"):
        if fields.get(name) is not None:
            raise fields.refuse(f"{name} is not supported", hint="leave it at None")
    if fields.get("post_training_scale") is not None:
        raise fields.refuse("post_training_scale is not supported", hint="leave it at None")


def _ste_tern(fields: Fields) -> Quantizer:
    if fields.flag("ternary_weight_networks", False):
        return SteTern(None)
    threshold = fields.real("threshold_value", 0.05)
    if threshold < 0:
        raise fields.refuse(f"threshold_value is {threshold:g}, not a distance")
    return SteTern(threshold)


def _dorefa(fields: Fields) -> Quantizer:
    mode = fields.text("mode", "activations")
    if mode not in ("activations", "weights"):
        raise fields.refuse(f"mode is {mode[:40]}")
    bits = _bits(fields, "k_bit", 2)
    return DoReFa(bits, mode == "weights")


def _quantized_bits(fields: Fields) -> Quantizer:
    _plain(fields)
    alpha = _alpha(fields)
    symmetric = fields.flag("symmetric", False) or isinstance(alpha, str)
    keep = fields.flag("keep_negative", True)
    return QuantizedBits(_bits(fields), _integer(fields), symmetric, keep, alpha)


def _quantized_relu(fields: Fields) -> Quantizer:
    _plain(fields)
    if not fields.flag("is_quantized_clip", True):
        raise fields.refuse("is_quantized_clip is off", hint="leave it on")
    slope = fields.real("negative_slope", 0.0)
    if slope < 0 or slope > 1:
        raise fields.refuse(f"negative_slope is {slope:g}, 0 to 1 is wanted")
    sigmoid = fields.flag("use_sigmoid", False)
    if sigmoid and slope:
        raise fields.refuse("use_sigmoid together with negative_slope is not supported")
    return QuantizedRelu(_bits(fields), _integer(fields), sigmoid, slope)


def _binary(fields: Fields) -> Quantizer:
    _plain(fields)
    return Binary(_alpha(fields), fields.flag("use_01", False))


def _ternary(fields: Fields) -> Quantizer:
    given = fields.get("threshold")
    threshold = None if given is None else fields.real("threshold", 0.33)
    if threshold is not None and threshold <= 0:
        raise fields.refuse(f"threshold is {threshold:g}, not a distance")
    alpha = _alpha(fields)
    if isinstance(alpha, str) and threshold is not None:
        raise fields.refuse(f"alpha {alpha!r} takes no threshold")
    unrolls = fields.integer("number_of_unrolls", 5)
    if not 1 <= unrolls <= 100:
        raise fields.refuse(f"number_of_unrolls is {unrolls}, 1 to 100 is wanted")
    return Ternary(alpha, threshold, unrolls)


def _power_of_two(fields: Fields, *, relu: bool) -> Quantizer:
    _plain(fields)
    if fields.real("negative_slope", 0.0) != 0.0:
        raise fields.refuse("negative_slope is not supported")
    rounding = fields.text("log2_rounding", "rnd")
    if rounding != "rnd":
        raise fields.refuse(f"log2_rounding {rounding[:20]} is not supported")
    given = fields.get("max_value")
    largest = None if given is None else fields.real("max_value", 1.0)
    if largest is not None and largest <= 0:
        raise fields.refuse(f"max_value is {largest:g}, a positive number is wanted")
    quadratic = fields.flag("quadratic_approximation", False)
    return PowerOfTwo(_bits(fields), largest, relu, quadratic)


# Without effect on the values at inference.
_COMMON = ("name", "trainable", "dtype", "clip_value", "beta", "metrics", "precision")
# In the order of the constructor, for QKeras' texts.
_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "SteSign": (),
    "ste_sign": (),
    "ApproxSign": (),
    "approx_sign": (),
    "SwishSign": (),
    "swish_sign": (),
    "MagnitudeAwareSign": (),
    "magnitude_aware_sign": (),
    "SteHeaviside": (),
    "ste_heaviside": (),
    "SteTern": ("threshold_value", "ternary_weight_networks"),
    "ste_tern": ("threshold_value", "ternary_weight_networks"),
    "DoReFa": ("k_bit", "mode"),
    "dorefa_quantizer": ("k_bit", "mode"),
    "quantized_bits": (
        *("bits", "integer", "symmetric", "keep_negative", "alpha", "use_stochastic_rounding"),
        *("scale_axis", "qnoise_factor", "var_name", "use_ste", "use_variables"),
        *("elements_per_scale", "min_po2_exponent", "max_po2_exponent", "post_training_scale"),
    ),
    "quantized_relu": (
        *("bits", "integer", "use_sigmoid", "negative_slope", "use_stochastic_rounding"),
        *("relu_upper_bound", "is_quantized_clip", "qnoise_factor", "var_name", "use_ste"),
        *("use_variables", "enable_fast_inference"),
    ),
    "binary": (
        *("use_01", "alpha", "use_stochastic_rounding", "scale_axis", "elements_per_scale"),
        *("min_po2_exponent", "max_po2_exponent"),
    ),
    "stochastic_binary": ("alpha", "temperature", "use_real_sigmoid"),
    "ternary": ("alpha", "threshold", "use_stochastic_rounding", "number_of_unrolls"),
    "stochastic_ternary": (
        *("alpha", "threshold", "temperature", "use_real_sigmoid", "number_of_unrolls"),
    ),
    "quantized_po2": (
        *("bits", "max_value", "use_stochastic_rounding", "quadratic_approximation"),
        *("log2_rounding", "qnoise_factor", "var_name", "use_ste", "use_variables"),
    ),
    "quantized_relu_po2": (
        *("bits", "max_value", "negative_slope", "use_stochastic_rounding"),
        *("quadratic_approximation", "log2_rounding", "qnoise_factor", "var_name", "use_ste"),
        *("use_variables",),
    ),
}
_BUILD: Mapping[str, Callable[[Fields], Quantizer]] = {
    "SteSign": lambda _: Sign(),
    "ste_sign": lambda _: Sign(),
    "ApproxSign": lambda _: Sign(),
    "approx_sign": lambda _: Sign(),
    "SwishSign": lambda _: Sign(),
    "swish_sign": lambda _: Sign(),
    "MagnitudeAwareSign": lambda _: MagnitudeAwareSign(),
    "magnitude_aware_sign": lambda _: MagnitudeAwareSign(),
    "SteHeaviside": lambda _: Heaviside(),
    "ste_heaviside": lambda _: Heaviside(),
    "SteTern": _ste_tern,
    "ste_tern": _ste_tern,
    "DoReFa": _dorefa,
    "dorefa_quantizer": _dorefa,
    "quantized_bits": _quantized_bits,
    "quantized_relu": _quantized_relu,
    "binary": _binary,
    "stochastic_binary": _binary,
    "ternary": _ternary,
    "stochastic_ternary": _ternary,
    "quantized_po2": lambda fields: _power_of_two(fields, relu=False),
    "quantized_relu_po2": lambda fields: _power_of_two(fields, relu=True),
}
