"""The kernels of bits against the interpreter: random shapes, results and paddings."""

from __future__ import annotations

import pytest
from binary_cases import BINARY_CASES, build_binary, wrong_bytes


@pytest.mark.parametrize("kernel", BINARY_CASES)
def test_equals_interpreter(kernels, kernel):
    for seed in range(60):
        assert wrong_bytes(kernels, build_binary(kernel, seed), kernel) == 0, f"seed {seed}"
