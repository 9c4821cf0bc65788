"""The vector form of the MVE kernels, on the emulator that executes it: thousands of shapes."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from kernel_cases import build, roundings_of
from kernel_driver import FIRMWARE
from vector_image import Batch, batch, build_runner, code_of

from edgekit.ir.types import Rounding

pytestmark = [pytest.mark.gcc, pytest.mark.qemu]

KERNELS = ("ek_conv2d_mve", "ek_depthwise_mve", "ek_add_linear_s8", "ek_avgpool_s8")
CONV, DEPTHWISE, ADD, AVERAGE = (f"kernels/{kernel}.c" for kernel in KERNELS)
SHARED = "include/ek_mve.h"

# file, what stands there, what the mutant has, rounding that must notice
MUTANTS = {
    "tie of a negative sum": (SHARED, "s = vaddq_s32(s, vshrq_n_s32(s, 31));", "", "DOUBLE"),
    "high product floored": (SHARED, "s = vqrdmulhq_s32(", "s = vqdmulhq_s32(", "TIES_UP"),
    "high product rounded": (SHARED, "vqdmulhq_s32(s, m), rows", "vqrdmulhq_s32(s, m), rows",
                             "SINGLE"),
    "nearest away": (SHARED, "s = vcvtnq_s32_f32(", "s = vcvtaq_s32_f32(", "FLOAT32_RNE"),
    "quads out of order": (CONV, "r2, q0, q2", "r6, q0, q2", "TIES_UP"),
    "second pixel is the first": (CONV, '" r10, q1, q2', '" r10, q0, q2', "TIES_UP"),
    "rest of the depth ignored": (CONV, '"beq 5f\\n\\t" EK_LAST "b 5f', '"b 5f', "TIES_UP"),
    "rest of the depth unmasked": (CONV, '"vpst\\n\\tvldrbt.u8 "', '"vldrb.u8 "', "TIES_UP"),
    "odd vector skipped": (CONV, '"bcc 1f\\n\\t" EK_NEXT', '"bcc 1f\\n\\t"', "TIES_UP"),
    "scale of a neighbour": (CONV, "m += step", "m += step / 4", "TIES_UP"),
    "last channels written whole": (CONV, "vctp16q(2U * (uint32_t)left)", "vctp16q(8)",
                                    "TIES_UP"),
    "window cut": (CONV, "row + w->kernel_h <= w->in_h", "row + w->kernel_h <= w->in_h + 1",
                   "TIES_UP"),
    "odd cell twice right": (DEPTHWISE, "f.right = f.first;", "", "TIES_UP"),
    "line below a last one": (DEPTHWISE, "line + 1 < s->out.lines ?", "line < s->out.lines ?",
                              "TIES_UP"),
    "lines not moved": (DEPTHWISE, '"vst40.8 {q2, q3, q4, q5}', '"vst40.8 {q1, q2, q3, q4}',
                        "TIES_UP"),
    "addend halved": (DEPTHWISE, "(1 << n)) >> 1;", "(1 << n)) >> 2;", "SINGLE"),
    "no saturation": (DEPTHWISE, "vqshlq_r_s32(vqaddq_n_s32(v, s.addend)",
                      "vshlq_r_s32(vaddq_n_s32(v, s.addend)", "TIES_UP"),
    "three of four outputs": (DEPTHWISE, "s3 = sum_at(strip += stride", "s3 = sum_at(strip",
                              "TIES_UP"),
    "sum not saturated": (ADD, '"vqshl.s32 q0', '"vshl.s32 q0', "DOUBLE"),
    "factor of the other": (ADD, "vmla.s32 q0, q1, %[b_factor]", "vmla.s32 q0, q1, %[a_factor]",
                            "DOUBLE"),
    "sums of the first channels": (AVERAGE, "sums[channel % 4]", "sums[channel % 2]", "DOUBLE"),
}  # fmt: skip


PAIRS = [(kernel, rounding) for kernel in KERNELS for rounding in roundings_of(kernel)]


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    return build_runner(tmp_path_factory.mktemp("runner"), KERNELS)


@pytest.mark.parametrize(("kernel", "rounding"), PAIRS)
def test_equals_interpreter(runner, kernel, rounding, tmp_path):
    assert batch(runner, [kernel], [rounding], range(60)).differences(tmp_path) == 0


@pytest.mark.nightly
@pytest.mark.parametrize(("kernel", "rounding"), PAIRS)
def test_equals_interpreter_many(runner, kernel, rounding, tmp_path):
    for first in range(1000, 4000, 200):
        seeds = range(first, first + 200)
        assert batch(runner, [kernel], [rounding], seeds).differences(tmp_path) == 0, f"{seeds}"


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_found(name, tmp_path):
    file, old, new, rounding = MUTANTS[name]
    for part in ("include", "kernels", "link"):
        shutil.copytree(FIRMWARE / part, tmp_path / "firmware" / part)
    path = tmp_path / "firmware" / file
    text = path.read_text()
    assert text.count(old) >= 1, f"{file} does not hold {old!r}"
    path.write_text(text.replace(old, new))
    image = build_runner(tmp_path, KERNELS, tmp_path / "firmware")
    kernels = [k for k in KERNELS if file in (SHARED, f"kernels/{k}.c")]
    # Ties are rare.
    seeds = range(200 if file == SHARED else 40)
    assert batch(image, kernels[:1], [Rounding[rounding]], seeds).differences(tmp_path) > 0


def test_a_nearer_output_is_noticed(runner, tmp_path):
    """Overlapped calls are told apart: closer than the emitter allows, inputs are spoiled."""
    near = Batch(runner)
    for seed in range(60):
        builder = build("ek_conv2d_mve", Rounding.TIES_UP, seed)
        code = code_of(builder, "ek_conv2d_mve")
        if code.overlap is not None:
            x, y = (builder.values[name][0].ravel() for name in (code.inputs[0], code.output))
            near.add_overlapped(code, x, y, code.overlap.behind_bytes - 8)
    assert near.differences(tmp_path) > 0


def test_cases_reach_every_form(runner):
    """Depths with and without a rest, quads and last channels, strides, both directions."""
    convs = [code_of(build(KERNELS[0], Rounding.TIES_UP, seed), KERNELS[0]) for seed in range(60)]
    depthwise = [
        code_of(build(KERNELS[1], Rounding.TIES_UP, seed), KERNELS[1]) for seed in range(60)
    ]
    assert {c.params["window"]["way"] for c in convs} >= {0, 1}
    assert {c.params["window"]["way"] for c in depthwise} >= {0, 1}
    forms = {
        c.roundings
        for seed in range(60)
        for c in [code_of(build(KERNELS[0], Rounding.DOUBLE, seed), KERNELS[0])]
    }
    assert forms >= {("EK_ROUND_DOUBLE_RIGHT",), ("EK_ROUND_TIES_UP_RIGHT",)}
    assert np.all([c.scratch_bytes > 0 for c in depthwise])
