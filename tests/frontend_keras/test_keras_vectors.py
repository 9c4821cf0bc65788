"""Quantizers and batch norms, number by number, as QKeras, Larq and TensorFlow gave them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.frontend.keras import float32, quantizers, reference, weights
from edgekit.frontend.keras.levels import level_grid
from edgekit.frontend.keras.model import BatchNorm

pytestmark = pytest.mark.h5py
VECTORS = json.loads(
    (Path(__file__).parent.parent / "vectors" / "keras_quantizers.json").read_text("utf-8")
)
CASES: list[list[Any]] = VECTORS["quantizers"]
LAST_BIT = 2.0**-22  # QKeras adds a difference to the value: that moves the last bit


def parsed(given: object) -> quantizers.Quantizer:
    found = quantizers.parse("here", given)
    assert found is not None
    return found


@pytest.mark.parametrize("case", [c for c in CASES if c[0] == "weights"], ids=lambda c: str(c[1]))
def test_weights(case: list[Any]) -> None:
    kernel = np.array(VECTORS["weights"], np.float32)
    grid = weights.quantized(parsed(case[1]), kernel, "here")
    np.testing.assert_allclose(
        grid.real, np.array(case[2], np.float32), rtol=4 * LAST_BIT, atol=LAST_BIT
    )
    assert grid.doubtful == 0


@pytest.mark.parametrize(
    "case", [c for c in CASES if c[0] == "activations"], ids=lambda c: str(c[1])
)
def test_activations(case: list[Any]) -> None:
    x, wanted = np.array(VECTORS["activations"], np.float32), np.array(case[2], np.float32)
    quantizer = parsed(case[1])
    grid = level_grid(quantizer, "here")
    levels = grid.levels(x)
    assert grid.low <= levels.min()
    assert levels.max() <= grid.high
    for found in (levels * float(grid.scale), reference.quantize(quantizer, x)[0]):
        np.testing.assert_allclose(found, wanted, rtol=LAST_BIT, atol=LAST_BIT)


@pytest.mark.parametrize("fused", [True, False])
def test_batch_norm(fused: bool) -> None:
    given = {key: np.array(value, np.float32) for key, value in VECTORS["batch_norm"].items()}
    parameters = (given[key] for key in ("gamma", "beta", "mean", "variance"))
    found = float32.function(BatchNorm("here", *parameters, epsilon=1e-3, fused=fused))(given["x"])
    if fused:
        np.testing.assert_array_equal(found, given["fused"])
    else:  # TensorFlow's 1 / sqrt is an approximation there
        np.testing.assert_allclose(found, given["plain"], rtol=2e-6, atol=2e-6)
