"""QKeras' batch norms with quantized parameters, and those folded into a layer's weights."""

from __future__ import annotations

import numpy as np

from edgekit.frontend.keras import model, quantizers, weights
from edgekit.frontend.keras.config import LayerConfig
from edgekit.frontend.keras.model import Real
from edgekit.frontend.keras.variables import Variables


def folded(
    config: LayerConfig, variables: Variables, kernel: Real, bias: Real | None
) -> tuple[Real, Real]:
    """Return kernel and bias times the batch norm's factor, before they are quantized.

    QKeras: inv = gamma / sqrt(variance + epsilon); kernel * inv, inv * (bias - mean) + beta.

    Raises:
        ConfigError: a variable is missing.
        UnsupportedError: shapes or settings that do not fit.
    """
    fields = config.fields
    mode = fields.text("folding_mode", "ema_stats_folding")
    if mode not in ("ema_stats_folding", "batch_stats_folding"):
        raise fields.refuse(f"folding_mode {mode[:40]} is not known")
    names = ["gamma"] if fields.flag("scale", True) else []
    names += ["beta"] if fields.flag("center", True) else []
    found = variables.of(config, [*names, "moving_mean", "moving_variance"], "batchnorm")
    channels = kernel.shape[-1:]
    if any(array.shape != channels for array in found.values()):
        raise fields.refuse("its batch norm has another number of channels than its weights")
    spread = found["moving_variance"] + np.float32(fields.real("epsilon", 1e-3))
    if (spread <= 0).any():
        raise fields.refuse("its variance is not positive", hint="the training diverged")
    inverse = np.float32(1) / np.sqrt(spread)
    if "gamma" in found:
        inverse = inverse * found["gamma"]
    start = np.zeros(channels, np.float32) if bias is None else bias
    with np.errstate(over="ignore"):
        shifted = inverse * (start - found["moving_mean"])
        result = kernel * inverse, shifted + found.get("beta", np.float32(0))
    if not all(np.isfinite(array).all() for array in result):
        raise fields.refuse("its folded weights overflow", hint="the training diverged")
    return result


def quantized_norm(config: LayerConfig, norm: model.BatchNorm) -> model.BatchNorm:
    """Return a QBatchNormalization's parameters as its quantizers give them."""
    fields = config.fields
    if fields.get("inverse_quantizer") is not None:
        raise fields.refuse("inverse_quantizer is not supported", hint="leave it at None")

    def value(setting: str, parameter: Real | None) -> Real | None:
        label = f"{fields.label}: {setting}"
        quantizer = quantizers.parse(label, fields.get(setting))
        if quantizer is None or parameter is None:
            return parameter
        return weights.quantized(quantizer, parameter, label).real

    mean, variance = norm.mean, norm.variance
    quantized_mean = value("mean_quantizer", mean)
    quantized_variance = value("variance_quantizer", variance)
    return model.BatchNorm(
        label=norm.label,
        gamma=value("gamma_quantizer", norm.gamma),
        beta=value("beta_quantizer", norm.beta),
        mean=mean if quantized_mean is None else quantized_mean,
        variance=variance if quantized_variance is None else quantized_variance,
        epsilon=norm.epsilon,
        fused=False,
    )
