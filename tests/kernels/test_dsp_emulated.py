"""The DSP kernels' own instructions, which no host has, on an emulated Cortex-M4F."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kernel_driver import FIRMWARE
from vector_image import batch, build_runner

from edgekit.ir.types import Rounding

pytestmark = [pytest.mark.gcc, pytest.mark.qemu]

KERNELS = ("ek_conv2d_dsp", "ek_depthwise_dsp", "ek_dense_dsp", "ek_codes_dsp")
CONV, DEPTHWISE, DENSE, _ = (f"kernels/{kernel}.c" for kernel in KERNELS)
SHARED, CODES = "include/ek_dsp.h", "include/ek_code_dsp.h"

# file, what stands there, what the mutant has, rounding that must notice
MUTANTS = {
    "sums of the other channel": (CONV, 'both ", #8', 'both ", #7', "SINGLE"),
    "loop entered a step late": (CONV, "_BYTES 48", "_BYTES 96", "SINGLE"),
    "last pixel is the third": (CONV, "smlad r3, r11", "smlad r3, r10", "SINGLE"),
    "half added below zero": (CONV, '"sub " sum', '"add " sum', "DOUBLE"),
    "half left out": (CONV, "add r10, r10, r11", "mov r10, r10", "TIES_UP"),
    "long starts are short": (CONV, "cmp r10, #0", "cmp r10, #9", "SINGLE"),
    "second channel over the first": (CONV, '#" at "', '#0" "', "SINGLE"),
    "odd channel written": (CONV, "cmp r10, #1", "cmp r10, #3", "SINGLE"),
    "rest in another order": (CONV, "rest == 2 ? ek_pkhbt", "rest == 3 ? ek_pkhbt", "SINGLE"),
    "strides of points": (CONV, "w->kernel_w * w->stride_h * w->stride_w", "w->kernel_w", "SINGLE"),
    "depthwise tap": (DEPTHWISE, '"smlabt " s', '"smlad " s', "SINGLE"),
    "depthwise columns skipped": (DEPTHWISE, '"#32]!"', '"#32]"', "SINGLE"),
    "depthwise last column": (DEPTHWISE, "lsls r8, r8, #31", "lsls r8, r8, #30", "SINGLE"),
    "depthwise rows swapped": (DEPTHWISE, '"strb r9, [r11, r6]', '"strb r9, [r10, r6]', "SINGLE"),
    "dense inputs swapped": (DENSE, "%[offset], %[v], ror #8", "%[offset], %[v]", "SINGLE"),
    "dense rows swapped": (DENSE, '"other", "cd", "c"', '"w", "cd", "c"', "SINGLE"),
    "code of the next place": (CODES, 'EK_CODE_SHIFT("6"), "")', 'EK_CODE_SHIFT("8"), "")',
                               "SINGLE"),
    "code with its neighbour": (CODES, '"0x000f000f", "0x00030003"', '"0x000f000f", "0x00010001"',
                                "SINGLE"),
    "codes of the third pixel": (CODES, '"smlad r3, r11, lr', '"smlad r3, r10, lr', "SINGLE"),
    "bytes of the wrong pair": (SHARED, '(ek_sxtab16_8, "sxtab16", ", ror #8")',
                                '(ek_sxtab16_8, "sxtab16", "")', "SINGLE"),
    "fraction cut short": (SHARED, "asr #14", "asr #13", "TIES_UP"),
}  # fmt: skip


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return build_runner(tmp_path_factory.mktemp("image"), KERNELS, cpu="cortex-m4f")


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rounding", list(Rounding))
def test_equals_interpreter(image, kernel, rounding, tmp_path):
    assert batch(image, [kernel], [rounding], range(120)).differences(tmp_path) == 0


@pytest.mark.nightly
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rounding", list(Rounding))
def test_equals_interpreter_many(image, kernel, rounding, tmp_path):
    for first in range(1000, 5000, 400):
        seeds = range(first, first + 400)
        assert batch(image, [kernel], [rounding], seeds).differences(tmp_path) == 0, f"{seeds}"


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_found(name, tmp_path):
    file, old, new, rounding = MUTANTS[name]
    for part in ("include", "kernels", "link"):
        shutil.copytree(FIRMWARE / part, tmp_path / "firmware" / part)
    path = tmp_path / "firmware" / file
    text = path.read_text()
    assert text.count(old) >= 1, f"{file} does not hold {old!r}"
    path.write_text(text.replace(old, new))
    kernel = {SHARED: "ek_depthwise_dsp", CODES: "ek_codes_dsp"}.get(file, Path(file).stem)
    mutant = build_runner(tmp_path, [kernel], tmp_path / "firmware", cpu="cortex-m4f")
    assert batch(mutant, [kernel], [Rounding[rounding]], range(80)).differences(tmp_path) > 0
