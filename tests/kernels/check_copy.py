"""python check_copy.py FIRMWARE KERNEL ROUNDING SEEDS: 0 equal, 3 different (see test_mutants).

With EDGEKIT_SANITIZE=1 the library carries address and undefined-behaviour checks.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "kernels")]

import kernel_driver  # noqa: E402
from binary_cases import BINARY_CASES, build_binary, wrong_bytes  # noqa: E402
from code_cases import CODE_CASES, wrong_codes  # noqa: E402
from kernel_cases import build, compare  # noqa: E402

from edgekit.ir.types import Rounding  # noqa: E402

SANITIZE = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def main() -> int:
    firmware, kernel, rounding, seeds = sys.argv[1:]
    kernel_driver.FIRMWARE = Path(firmware)
    # The second operand of an addition comes from a clamp.
    files = {kernel, "ek_clamp_s8", "ek_maxpool_s8"}
    if kernel == "ek_add_linear_s8":
        files |= {"ek_add_s8", "ek_add_f32_s8"}  # for the few additions without a linear form
    if kernel == "ek_mul_s8":
        files.add("ek_mul_f32_s8")  # for products of float32 scales
    # What a core's own kernel does not serve, the portable one does.
    files.add(re.sub("_(dsp|rv32)$", "_s8", kernel))
    sources = [kernel_driver.FIRMWARE / "kernels" / f"{file}.c" for file in sorted(files)]
    sanitize = os.environ.get("EDGEKIT_SANITIZE") == "1"
    # Mutants may leave something unused: that is no way to be found.
    flags = SANITIZE if sanitize else ("-O1", "-Wno-error")
    out = Path(firmware).parent
    if sanitize:
        out = Path(os.environ["EDGEKIT_SANITIZE_OUT"])
    kernels = kernel_driver.Kernels(kernel_driver.host_library(out, sources=sources, flags=flags))
    for seed in range(int(seeds)):
        try:
            if kernel in BINARY_CASES:
                wrong = wrong_bytes(kernels, build_binary(kernel, seed), kernel)
            elif kernel in CODE_CASES:
                wrong = wrong_codes(kernels, kernel, seed)
            else:
                wrong = compare(kernels, build(kernel, Rounding[rounding], seed), kernel)
        except AssertionError:
            wrong = 1  # a guard or an input was overwritten
        if wrong:
            return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
