"""The inline roundings against the interpreter's arithmetic, over their whole ranges."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import numpy as np
import pytest
from kernel_driver import FIRMWARE, host_library

from edgekit.ir.arithmetic import fused_multiply_add, rescale
from edgekit.ir.types import Rounding
from edgekit.target.mcu.scale import ROUND_VALUES, float32_bits

COUNT = 200_000
FAR = 1 << 20  # beyond int8 by far: where values saturate differently does not matter


@pytest.fixture(scope="module", params=[0, 1], ids=["integer", "float"])
def shim(request, tmp_path_factory):
    flags = ("-O2", f"-DEK_FLOAT32={request.param}")
    source = Path(__file__).with_name("round_shim.c")
    path = host_library(tmp_path_factory.mktemp("shim"), sources=[source], flags=flags)
    return ctypes.CDLL(str(path))


def call(shim, name, acc, multiplier, shift):
    arrays = [np.ascontiguousarray(v, np.int32) for v in (acc, multiplier, shift)]
    out = np.empty(len(acc), np.int32)
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in arrays]
    shim.shim_round(ROUND_VALUES[name], *pointers, len(acc), out.ctypes.data_as(ctypes.c_void_p))
    return np.clip(out.astype(np.int64), -FAR, FAR)


def accumulators(rng, bits):
    """All magnitudes alike, both signs, and the extremes."""
    width = rng.integers(0, bits + 1, COUNT)
    acc = rng.integers(0, (np.int64(1) << width) + 1) * rng.choice([-1, 1], COUNT)
    limit = (1 << bits) - 1
    acc[:4] = (limit, -limit, 0, -1)
    return np.clip(acc, -limit, limit)


def multipliers(rng):
    value = rng.integers(1 << 30, 1 << 31, COUNT)
    # Powers of two and thirds make ties and near ties.
    value[::3] = 1 << 30
    value[1::7] = (1 << 31) - 1
    value[2::11] = 0
    return value


def test_constants_are_those_of_the_header():
    text = (FIRMWARE / "include" / "edgekit.h").read_text()
    found = {n: int(v) for n, v in re.findall(r"#define (EK_ROUND_\w+) (\d+)", text)}
    assert found == ROUND_VALUES


@pytest.mark.parametrize("rounding", [Rounding.DOUBLE, Rounding.TIES_UP, Rounding.SINGLE])
@pytest.mark.parametrize("seed", range(3))
def test_right_forms(shim, rounding, seed):
    rng = np.random.default_rng(seed)
    acc, m = accumulators(rng, 30), multipliers(rng)
    n = rng.integers(1, 32, COUNT)
    name = f"EK_ROUND_{rounding.name}_RIGHT"
    wanted = np.clip(rescale(acc, m, -n, rounding), -FAR, FAR)
    np.testing.assert_array_equal(call(shim, name, acc, m, n), wanted)


@pytest.mark.parametrize("rounding", [Rounding.DOUBLE, Rounding.TIES_UP, Rounding.SINGLE])
@pytest.mark.parametrize("seed", range(3))
def test_general_forms(shim, rounding, seed):
    rng = np.random.default_rng(seed)
    m = multipliers(rng)
    e = rng.integers(-31, 31, COUNT)
    # The checker's limit: acc * 2**max(e, 0) fits 32 bits.
    acc = accumulators(rng, 31) >> np.maximum(e, 0)
    wanted = np.clip(rescale(acc, m, e, rounding), -FAR, FAR)
    np.testing.assert_array_equal(call(shim, f"EK_ROUND_{rounding.name}", acc, m, e), wanted)


@pytest.mark.parametrize("seed", range(3))
def test_float32(shim, seed):
    rng = np.random.default_rng(seed)
    acc = accumulators(rng, 31)
    mantissa = rng.integers(1 << 23, 1 << 24, COUNT)
    mantissa[::3] = 1 << 23  # powers of two: exact ties
    exponent = rng.integers(-60, 19, COUNT) - 23
    bits = (np.ldexp(mantissa.astype(np.float32), exponent.astype(np.int32))).view(np.int32)
    wanted = np.clip(rescale(acc, mantissa, exponent, Rounding.FLOAT32_RNE), -FAR, FAR)
    zero = np.zeros(COUNT)
    np.testing.assert_array_equal(call(shim, "EK_ROUND_FLOAT32", acc, bits, zero), wanted)
    small = np.abs(acc * np.ldexp(mantissa.astype(float), exponent)) < 1 << 20
    got = call(shim, "EK_ROUND_FLOAT32_SMALL", acc[small], bits[small], zero[small])
    np.testing.assert_array_equal(got, wanted[small])


@pytest.mark.parametrize("seed", range(3))
def test_float32_add(shim, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 256, (2, COUNT))
    scales = (2 ** rng.uniform(-12, 4, (2, COUNT))).astype(np.float32)
    scales[0, ::5] = 2.0 ** rng.integers(-30, 4, COUNT)[::5]  # ties, and far apart
    addend = rng.uniform(-300, 300, COUNT).astype(np.float32)
    addend[::7] = np.round(addend[::7] * 2) / 2
    addend[::9] = -(b * scales[1]).astype(np.float32)[::9]  # cancels
    inner = fused_multiply_add(b, scales[1], addend)  # works element by element too
    wanted = np.clip(np.rint(fused_multiply_add(a, scales[0], inner)).astype(np.int64), -FAR, FAR)
    packed = np.stack([scales[0], scales[1], addend], axis=1).astype(np.float32).view(np.int32)
    packed = np.ascontiguousarray(packed)
    out = np.empty(COUNT, np.int32)
    arrays = [np.ascontiguousarray(v, np.int32) for v in (a, b)] + [packed]
    pointers = [v.ctypes.data_as(ctypes.c_void_p) for v in arrays]
    shim.shim_add(*pointers, COUNT, out.ctypes.data_as(ctypes.c_void_p))
    np.testing.assert_array_equal(out, wanted)


def test_float32_bits_are_ieee():
    assert float32_bits(1 << 23, -23) == 0x3F800000
    assert float32_bits(-(1 << 23), -23) == 0xBF800000 - (1 << 32)
