"""Low-bit layers by codes, tables and ternary weights against the interpreter; planted bugs."""

from __future__ import annotations

import shutil
from pathlib import Path

import planted
import pytest
from binary_cases import code_of_binary
from code_cases import CODE_CASES, wrong_codes
from kernel_driver import FIRMWARE, Kernels, host_library
from stored import stored
from test_binary import library_of
from test_sanitizers import sanitized
from vector_image import Batch, build_runner

LOW, LOW_DSP = "ek_low_codes_s8", "ek_low_codes_dsp"
DEPTHWISE, TERNARY = "ek_low_depthwise", "ek_bin_ternary"
LUT, GROUPS = "ek_lut_layer", "ek_group_count"
WIDE_MAX, MAX = "kernels/ek_maxpool_wide.c", "ek_maxpool_wide"
SPARSE, ZEROS = "kernels/ek_trit_ternary.c", "ek_trit_ternary"
TRITS, CELLS = "kernels/ek_bin_ternary.c", "kernels/ek_low_depthwise.c"
FINISH, WALK = "include/ek_code_low.h", "include/ek_code_walk.h"
ROWS = "include/ek_code_rows.h"

# file, what stands there, what the mutant has, kernel that must notice
MUTANTS = {
    "start of a neighbour": (FINISH, "&p->starts[g->first]", "p->starts", LOW),
    "upper half of a byte": (WALK, "from[slot] + 16 *", "from[slot] + 8 *", LOW),
    "inputs' bits reversed": (ROWS, "2U * bits >> (i)", "2U * bits >> (7 - (i))", LOW_DSP),
    "padding of bits": (ROWS, "(int8_t)p->outside", "(int8_t)1", LOW),
    "offset of the first pixel": (ROWS, "g->less[slot]", "g->less[0]", LOW),
    "bit of the next channel": (FINISH, "(sum >= 0) << c", "(sum > 0) << c", LOW_DSP),
    "depthwise multiplier": (CELLS, "*sums++ += v * *w++",
                             "*sums++ += v * *w", DEPTHWISE),
    "depthwise cell": (CELLS, "values += w->in_c", "values += 1", DEPTHWISE),
    "trits of the next input": (TRITS, "w[2 * i + 3] & ek_bin_spread(x, i + 1)",
                                "w[2 * i + 3] & ek_bin_spread(x, i)", TERNARY),
    "trits' last inputs": (TRITS, "i < depth; i++) {\n        ek_trit_add_from",
                           "i + 1 < depth; i++) {\n        ek_trit_add_from", TERNARY),
    "trits' carry": ("include/ek_trits.h", "bit != 0 && plane != end",
                     "bit != 0 && plane + 1 != end", TERNARY),
    "trits' zeros": (SPARSE, "return chosen & ek_bin_spread(x.some, i)", "return chosen", ZEROS),
    "trits' minus": (SPARSE, "ek_bin_spread(x.minus, i));", "ek_bin_spread(x.some, i));", ZEROS),
    "trits' products": (SPARSE, "two_higher(w, x, i + 6)", "two_higher(w, x, i + 4)", ZEROS),
    "table's order": ("kernels/ek_lut_layer.c", "2U * place + x", "place + x", LUT),
    "table of a neighbour": ("kernels/ek_lut_layer.c", "table += table_bytes", "table += 1", LUT),
    "maximum of 32 bits": (WIDE_MAX, "p->is_long != 0 ? at_32", "p->is_long == 2 ? at_32", MAX),
    "maximum of a column": (WIDE_MAX, "pixel % w->out_w", "pixel / w->out_w", MAX),
    "group's end": ("kernels/ek_group_count.c", "count > 32 - used", "count > 33 - used", GROUPS),
}  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The kernels, for the host."""
    sources = [FIRMWARE / "kernels" / f"{kernel}.c" for kernel in CODE_CASES]
    return Kernels(host_library(tmp_path_factory.mktemp("codes"), sources=sources))


@pytest.mark.parametrize("kernel", CODE_CASES)
def test_equals_interpreter(library, kernel):
    for seed in range(75):
        assert wrong_codes(library, kernel, seed) == 0, f"seed {seed}"


@pytest.mark.nightly
@pytest.mark.parametrize("kernel", CODE_CASES)
def test_equals_interpreter_many(library, kernel):
    for seed in range(1000, 3000):
        assert wrong_codes(library, kernel, seed) == 0, f"seed {seed}"


@pytest.mark.gcc
@pytest.mark.qemu
@pytest.mark.parametrize(
    "cpu", ["cortex-m4f", pytest.param("cortex-m55", marks=pytest.mark.nightly)]
)
def test_emulated_cores_equal_interpreter(cpu, tmp_path):
    batch = Batch(build_runner(tmp_path, tuple(CODE_CASES), cpu=cpu))
    for kernel, build in CODE_CASES.items():
        for seed in range(30):
            builder = build(seed)
            code = code_of_binary(builder, kernel)
            if code is not None and code.kernel == kernel:
                names = (*code.inputs, code.output)
                *inputs, y = (stored(builder.tensors[n], builder.values[n][0]) for n in names)
                batch.add_stored(code, inputs, y)
    assert batch.differences(tmp_path) == 0


@pytest.mark.parametrize("kernel", CODE_CASES)
def test_cases_reach_the_kernel(kernel):
    codes = [code_of_binary(CODE_CASES[kernel](seed), kernel) for seed in range(25)]
    assert sum(code is not None and code.kernel == kernel for code in codes) >= 18


@pytest.mark.strict
@pytest.mark.cc
@pytest.mark.parametrize(
    "kernel",
    [LOW, *(pytest.param(k, marks=pytest.mark.nightly) for k in CODE_CASES if k != LOW)],
)
def test_sanitizers(tmp_path, kernel):
    sanitized(tmp_path, kernel, "DOUBLE", 25)


def differs(library: Path, kernel: str) -> bool:
    """Tell whether 120 cases find a difference."""
    return planted.differs(
        library,
        lambda kernels: any(wrong_codes(kernels, kernel, seed) for seed in range(120)),
    )


def _by_night(position):
    return (pytest.mark.nightly,) if position % 4 else ()


@pytest.mark.cc
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=_by_night(i)) for i, name in enumerate(MUTANTS)]
)
def test_mutant_is_found(name, tmp_path):
    file, old, new, kernel = MUTANTS[name]
    planted.plant(tmp_path, file, old, new)
    assert differs(library_of(tmp_path, kernel), kernel)


@pytest.mark.cc
@pytest.mark.nightly
@pytest.mark.parametrize("kernel", CODE_CASES)
def test_untouched_copies_are_green(kernel, tmp_path):
    for part in ("include", "kernels"):
        shutil.copytree(FIRMWARE / part, tmp_path / part)
    assert not differs(library_of(tmp_path, kernel), kernel)
