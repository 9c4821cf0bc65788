"""Low-bit layers with weights as codes against the interpreter."""

from __future__ import annotations

import pytest
from binary_cases import code_of_binary, wrong_bytes
from code_cases import (
    KERNELS,
    TERNARY,
    build_codes,
    build_counts,
    build_depthwise,
    build_tables,
    build_ternary,
)


@pytest.mark.parametrize("kernel", KERNELS)
def test_equals_interpreter(kernels, kernel):
    for seed in range(100):
        assert wrong_bytes(kernels, build_codes(seed), kernel) == 0, f"seed {seed}"


@pytest.mark.parametrize("build", [build_tables, build_counts, build_depthwise])
def test_others_equal_interpreter(kernels, build):
    for seed in range(60):
        assert wrong_bytes(kernels, build(seed), "") == 0, f"seed {seed}"


def test_ternary_weights_equal_interpreter(kernels):
    for seed in range(60):
        builder = build_ternary(seed)
        assert code_of_binary(builder, "").kernel == TERNARY
        assert wrong_bytes(kernels, builder, "") == 0, f"seed {seed}"
