"""A planted bug turns the comparison red; the untouched copy stays green.

Each mutant is one replacement in a copy of the kernels or their headers. A mutant may read out of
bounds, so every one runs in a process of its own, where a crash counts as found.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kernel_driver import FIRMWARE

TESTS = Path(__file__).resolve().parents[1]
DSP = "include/ek_dsp.h"
CONV_DSP, DEPTHWISE_DSP = "kernels/ek_conv2d_dsp.c", "kernels/ek_depthwise_dsp.c"
DENSE_DSP = "kernels/ek_dense_dsp.c"
RV32 = "include/ek_rv32.h"
CONV_RV32, DEPTHWISE_RV32 = "kernels/ek_conv2d_rv32.c", "kernels/ek_depthwise_rv32.c"
LANES, REQUANT, FLOAT32 = "include/ek_lanes.h", "include/ek_requant.h", "include/ek_float32.h"
CONV, DEPTHWISE = "kernels/ek_conv2d_s8.c", "kernels/ek_depthwise_s8.c"
DENSE, ADD, SOFTMAX = "kernels/ek_dense_s8.c", "kernels/ek_add_s8.c", "kernels/ek_softmax_s8.c"
CODES, CODES_DSP = "kernels/ek_codes_s8.c", "kernels/ek_codes_dsp.c"
CODE_ROWS, CODE_PAIRS = "include/ek_code_rows.h", "include/ek_code_pairs.h"
CODE_DSP, CODE_REQUANT = "include/ek_code_dsp.h", "include/ek_code_requant.h"
WIDE, WIDE_ADD = "kernels/ek_conv2d_s16.c", "kernels/ek_add_s16.c"
WIDE_SCALE = "kernels/ek_requantize_s16.c"
LINEAR = "kernels/ek_add_linear_s8.c"
MOVE = "kernels/ek_requantize_s8.c"
MUL, LUT, CONCAT = "kernels/ek_mul_s8.c", "kernels/ek_lut_s8.c", "kernels/ek_concat_s8.c"
BILINEAR = "kernels/ek_resize_bilinear_s8.c"
COPY, NEAREST = "kernels/ek_copy_s8.c", "kernels/ek_resize_nearest_s8.c"
AVERAGE, MAX, PAD = "kernels/ek_avgpool_s8.c", "kernels/ek_maxpool_s8.c", "kernels/ek_pad_s8.c"

# file, what stands there, what the mutant has, kernel and rounding that must notice
MUTANTS = {
    "rounding left out": (REQUANT, "(int32_t)((1U << n) >> 1)) >> n", "0) >> n", CONV, "DOUBLE"),
    "ties not away": (REQUANT, "(v + (v >> 31) +", "(v +", CONV, "DOUBLE"),
    "high product floored": (REQUANT, "0xFFFFFFFFU) >> 31)", "0U) >> 31)", DEPTHWISE, "TIES_UP"),
    "single loses a bit": (REQUANT, "(int64_t)(acc * 2) * m) >> 32)", "(int64_t)acc * m) >> 32)",
                           DENSE, "SINGLE"),
    "float32 half up": (FLOAT32, "+ ((v >> k) & 1U)) >> k", "+ 1U) >> k", MOVE, "FLOAT32_RNE"),
    "clamp off by one": (REQUANT, "ek_clamp(y[i], low, high)", "ek_clamp(y[i], low, high - 1)",
                         CONV, "DOUBLE"),
    "low clamp ignored": (REQUANT, "low > -128 || high < 127", "high < 127", DENSE, "DOUBLE"),
    "saturation off by one": (REQUANT, "ek_clamp(v, -128, 127)", "ek_clamp(v, -127, 127)",
                              MOVE, "DOUBLE"),
    "lane a biased": (LANES, "(int32_t)EK_LANE_START;", "(int32_t)EK_LANE_START + 1;", CONV,
                      "DOUBLE"),
    "lanes swapped": (LANES, "out[1] = (int32_t)(sum >> EK_LANE_BITS)",
                      "out[1] = (int32_t)(sum >> (EK_LANE_BITS + 1))", DEPTHWISE, "DOUBLE"),
    "conv border off by one": (CONV, "row >= w->in_h", "row > w->in_h", CONV, "DOUBLE"),
    "conv left border": (CONV, "column < 0 ||", "column < -1 ||", CONV, "DOUBLE"),
    "conv run past the edge": (CONV, "+ w->kernel_w > w->in_w", "+ w->kernel_w > w->in_w + 1",
                               CONV, "DOUBLE"),
    "conv dilation ignored": (CONV, "ky * w->dilation_h, kx * w->dilation_w",
                              "ky * w->dilation_h, kx", CONV, "DOUBLE"),
    "conv wrong zero point": (CONV, "(int8_t)p->pad_value", "(int8_t)(p->pad_value + 1)", CONV,
                              "DOUBLE"),
    "conv dropped bias": (CONV, "&scale, bias[c]", "&scale, 0", CONV, "DOUBLE"),
    "conv bias of a neighbour": (CONV, "&scale, bias[c]", "&scale, bias[c / 2]", CONV, "DOUBLE"),
    "conv scale of a neighbour": (CONV, "ek_scale_of(&requant, c)", "ek_scale_of(&requant, 0)",
                                  CONV, "DOUBLE"),
    "conv depth cut": (CONV, "while (x != end)", "while (x + 2 < end)", CONV, "DOUBLE"),
    "conv odd channel lost": (CONV, "if (c < p->out_c)", "if (c + 1 < p->out_c)", CONV, "DOUBLE"),
    "conv half block": (CONV, "x[2 * i + 1];\n        s0", "x[2 * i];\n        s0", CONV, "DOUBLE"),
    "depthwise tap lost": (DEPTHWISE, "EK_TAP(8);", "EK_TAP(7);", DEPTHWISE, "DOUBLE"),
    "depthwise row border": (DEPTHWISE, "y >= w->in_h", "y >= w->in_h - 1", DEPTHWISE, "DOUBLE"),
    "depthwise channel index": (DEPTHWISE, "in * p->multiplier + m", "in + m * w->in_c", DEPTHWISE,
                                "DOUBLE"),
    "depthwise wrong zero point": (DEPTHWISE, "s->pad[i] = (int8_t)p->pad_value",
                                   "s->pad[i] = (int8_t)(p->pad_value - 1)", DEPTHWISE, "DOUBLE"),
    "depthwise columns cut": (DEPTHWISE, "columns - w->pad_left, 0", "columns - w->pad_left - 1, 0",
                              DEPTHWISE, "DOUBLE"),
    "wide border off by one": (WIDE, "* dilation >= extent", "* dilation > extent", WIDE, "SINGLE"),
    "wide first row": (WIDE, "span.first * dilation < 0", "span.first * dilation < -1", WIDE,
                       "SINGLE"),
    "wide bias of a neighbour": (WIDE, "p->bias[channel]", "p->bias[channel / 2]", WIDE, "SINGLE"),
    "wide second channel": (WIDE, "b += value * *fb++", "b += value * *fb", WIDE, "SINGLE"),
    "wide run": (WIDE, "? cells * s->in_c :", "? s->in_c :", WIDE, "SINGLE"),
    "wide dilation": (WIDE, "v * c->x_step", "v * c->length", WIDE, "SINGLE"),
    "wide clamp": (WIDE, "p->requant.high);", "p->requant.high - 1);", WIDE, "SINGLE"),
    "wide slope of the other side": (WIDE_SCALE, "x[i] < 0 ?", "x[i] > 0 ?", WIDE_SCALE, "DOUBLE"),
    "wide difference added": (WIDE_ADD, "p.b_sign * ", "", WIDE_ADD, "DOUBLE"),
    "wide sum of 8 bits": (WIDE_ADD, "(int16_t)ek_clamp(v,", "(int8_t)ek_clamp(v,", WIDE_ADD,
                           "DOUBLE"),
    "dsp half left out": (DSP, "c.addend = s->addend + half;", "c.addend = s->addend;", CONV_DSP,
                          "DOUBLE"),
    "dsp half of another scale": (DSP, "u < 0x80000000U", "u < 0x40000000U", CONV_DSP, "TIES_UP"),
    "dsp sums of the other channel": (DSP, "both - (uint32_t)a) >> 8", "both) >> 8",
                                      CONV_DSP, "SINGLE"),
    "dsp dense last inputs": (DENSE_DSP, "i < left && i < 4", "i < left && i < 3", DENSE_DSP,
                              "SINGLE"),
    "dsp dense pairs": (DENSE_DSP, "count > 2 ? &w[pair]", "count > 3 ? &w[pair]", DENSE_DSP,
                        "TIES_UP"),
    "dsp dense scale of all": (DENSE_DSP, "p->scale.step != 0", "p->scale.step > 1", DENSE_DSP,
                               "DOUBLE"),
    "dsp ties not away": (DSP, "s->away != 0 ? 2 * half : 0", "0", CONV_DSP, "DOUBLE"),
    "dsp multiplier of a neighbour": (DSP, "multipliers[channel * s->step]", "multipliers[0]",
                                      DEPTHWISE_DSP, "SINGLE"),
    "dsp limit off by one": (DSP, "y[i] > high ? high", "y[i] > high ? high - 1", CONV_DSP,
                             "TIES_UP"),
    "dsp conv depth cut": (CONV_DSP, "i < pairs; i++", "i + 1 < pairs; i++", CONV_DSP, "SINGLE"),
    "dsp conv tail": (CONV_DSP, "i = rest - 1; i >= 0", "i = rest - 1; i > 0", CONV_DSP, "SINGLE"),
    "dsp conv border": (CONV_DSP, "column + w->kernel_w <= w->in_w",
                        "column + w->kernel_w <= w->in_w + 1", CONV_DSP, "SINGLE"),
    "dsp conv rows outside": (CONV_DSP, "row < 0 || row >= w->in_h", "row < 0 || row > w->in_h",
                              CONV_DSP, "SINGLE"),
    "dsp conv zero point": (CONV_DSP, "outside = w->zero_point", "outside = 0", CONV_DSP, "SINGLE"),
    "dsp conv rest wrong": (CONV_DSP, "ek_dsp_finish(&p->scale, n + 1,",
                            "ek_dsp_finish(&p->scale, n,", CONV_DSP, "SINGLE"),
    "dsp conv points": (CONV_DSP, "1 - (EK_PIXELS * pairs)", "-(EK_PIXELS * pairs)", CONV_DSP,
                        "SINGLE"),
    "dsp conv odd channel": (CONV_DSP, "if (n + 1 < j->out_c)", "if (n + 2 < j->out_c)", CONV_DSP,
                             "SINGLE"),
    "dsp depthwise tap": (DEPTHWISE_DSP, "s = ek_smlabt(lower", "s = ek_smlad(lower", DEPTHWISE_DSP,
                          "SINGLE"),
    "dsp depthwise strided tap": (DEPTHWISE_DSP, "ek_smlabt(lower[EK_GROUP], b1, s)",
                                  "ek_smlabt(lower[EK_GROUP], b0, s)", DEPTHWISE_DSP, "SINGLE"),
    "dsp depthwise last row": (DEPTHWISE_DSP, "row + 1 < w->out_h ?", "row < w->out_h ?",
                               DEPTHWISE_DSP, "SINGLE"),
    "dsp depthwise last group": (DEPTHWISE_DSP, "next < last ? next : last", "next",
                                 DEPTHWISE_DSP, "SINGLE"),
    "dsp depthwise right border": (DEPTHWISE_DSP, "right < w->in_w ? right : w->in_w", "w->in_w",
                                   DEPTHWISE_DSP, "SINGLE"),
    "dsp depthwise bottom border": (DEPTHWISE_DSP, "y >= 0 && y < w->in_h",
                                    "y >= 0 && y <= w->in_h", DEPTHWISE_DSP, "SINGLE"),
    "rv32 sign forgotten": (RV32, "(sum >> 31) & c->below", "0", CONV_RV32, "DOUBLE"),
    "rv32 low clamp": (RV32, "v < low ? low", "v < low ? low + 1", DEPTHWISE_RV32, "SINGLE"),
    "rv32 conv lanes": (CONV_RV32, "#define EK_BELOW 32767", "#define EK_BELOW 0", CONV_RV32,
                        "SINGLE"),
    "rv32 conv border": (CONV_RV32, "column + w->kernel_w > w->in_w",
                         "column + w->kernel_w > w->in_w + 1", CONV_RV32, "SINGLE"),
    "rv32 conv zero point": (CONV_RV32, "pad[i] = w->zero_point", "pad[i] = 0", CONV_RV32,
                             "SINGLE"),
    "rv32 conv depth cut": (CONV_RV32, "const int32_t pairs = (depth + 1) / 2",
                            "const int32_t pairs = depth / 2", CONV_RV32, "SINGLE"),
    "rv32 conv start of a neighbour": (CONV_RV32, "channels[other].start", "channels[c].start",
                                       CONV_RV32, "SINGLE"),
    "rv32 conv last pixels": (CONV_RV32, "pixel + slot < last ? pixel + slot : last",
                              "pixel + slot", CONV_RV32, "SINGLE"),
    "rv32 depthwise tap": (DEPTHWISE_RV32, "second + EK_COLUMN(a, b, c, &k[1])",
                           "second + EK_COLUMN(a, b, c, &k[2])", DEPTHWISE_RV32, "SINGLE"),
    "rv32 depthwise strided tap": (DEPTHWISE_RV32, "EK_COLUMN(r[1], m[1], l[1], &k[1]) + EK_COL",
                                   "EK_COLUMN(r[1], m[1], l[1], &k[0]) + EK_COL", DEPTHWISE_RV32,
                                   "SINGLE"),
    "rv32 depthwise bottom": (DEPTHWISE_RV32, "w->in_h < s.rows - w->pad_top ? w->in_h",
                              "w->in_h < s.rows - w->pad_top ? w->in_h - 1", DEPTHWISE_RV32,
                              "SINGLE"),
    "dense dropped bias": (DENSE, "sum + p->bias[channel]", "sum", DENSE, "DOUBLE"),
    "dense channel index": (DENSE, "finish(p, n + 2, s2)", "finish(p, n + 2, s1)", DENSE, "DOUBLE"),
    "add wrong zero point": (ADD, "b[i] - p.b_zero_point", "b[i] - p.a_zero_point", ADD,
                             "DOUBLE"),
    "add scale of the other": (ADD, "vb, p.b_multiplier", "vb, p.a_multiplier", ADD, "TIES_UP"),
    "linear add factor of the other": (LINEAR, "b[i] * p.b_factor", "b[i] * p.a_factor", LINEAR,
                                       "DOUBLE"),
    "linear add dropped offset": (LINEAR, " + p.offset", "", LINEAR, "FLOAT32_RNE"),
    "average truncates": (AVERAGE, "(sum - n / 2) / n", "sum / n", AVERAGE, "DOUBLE"),
    "mean without zero point": (AVERAGE, "sum - n * p->input_zero_point", "sum", AVERAGE, "DOUBLE"),
    "average over padding": (AVERAGE, "mean_of(sum, n)",
                             "mean_of(sum, p->window.kernel_h * p->window.kernel_w)", AVERAGE,
                             "DOUBLE"),
    "maximum misses a column": (MAX, "col < left + w->kernel_w", "col < left + w->kernel_w - 1",
                                MAX, "DOUBLE"),
    "maximum unclamped": (MAX, "y[c] > p->high ? p->high", "y[c] > p->high ? y[c]", MAX, "DOUBLE"),
    "pad wrong value": (PAD, "p->before_w * out_c, p->value", "p->before_w * out_c, 0", PAD,
                        "DOUBLE"),
    "difference is a sum": (ADD, "p.b_sign * ", "", ADD, "DOUBLE"),
    "product of one zero point": (MUL, "b[i] - p.b_zero_point", "b[i] - p.a_zero_point", MUL,
                                  "DOUBLE"),
    "factor not repeated": (MUL, "a += p.inner;", "a += p.inner; b += p.inner;", MUL, "TIES_UP"),
    "table of another channel": (LUT, "zero += p->step", "zero += 0", LUT, "DOUBLE"),
    "table shifted": (LUT, "p->table[128]", "p->table[127]", LUT, "DOUBLE"),
    "concat row of a neighbour": (CONCAT, "xs[k][row * width]", "xs[k][row]", CONCAT, "DOUBLE"),
    "concat order": (CONCAT, "&xs[k]", "&xs[p->count - 1 - k]", CONCAT, "DOUBLE"),
    "copy step of another axis": (COPY, "j * p->step1", "j * p->step0", COPY, "DOUBLE"),
    "copy from the beginning": (COPY, "p->start + ", "", COPY, "DOUBLE"),
    "bilinear halves towards zero": (BILINEAR, "-(1 << 19)", "-(1 << 19) + 1", BILINEAR, "DOUBLE"),
    "bilinear weights swapped": (BILINEAR, "right != 0 ? column[2]", "right == 0 ? column[2]",
                                 BILINEAR, "DOUBLE"),
    "resize column of a row": (NEAREST, "columns[j]", "columns[i]", NEAREST, "DOUBLE"),
    "codes of one lane": (CODE_PAIRS, "* 0x00010001U", "* 0x00030001U", CODES, "SINGLE"),
    "codes second pixel": (CODE_PAIRS, "v[2 * (i) + 1] * both", "v[2 * (i)] * both", CODES,
                           "SINGLE"),
    "codes run too long": (CODE_PAIRS, "end - w > run ? &w[run] : end", "end", CODES, "SINGLE"),
    "codes fill a row": (CODE_PAIRS, "(i & 3) != 0", "(i & 1) != 0", CODES, "SINGLE"),
    "codes outside": (CODE_ROWS, "(int8_t)p->outside", "(int8_t)(p->outside + 1)", CODES, "SINGLE"),
    "codes border": (CODE_ROWS, "column + w->kernel_w <= w->in_w",
                     "column + w->kernel_w <= w->in_w + 1", CODES, "SINGLE"),
    "codes dilation": (CODE_ROWS, "column + kx * w->dilation_w", "column + kx", CODES, "SINGLE"),
    "codes offset left out": (CODE_REQUANT, " - group.less[slot]", "", CODES_DSP,
                               "SINGLE"),
    "codes of the first channels": (CODE_DSP, "&p->weights[first / 2 * p->words]", "p->weights",
                                    CODES_DSP, "SINGLE"),
    "codes of the other channel": (CODE_DSP, "- (uint32_t)a) >> (bits)", ") >> (bits)", CODES_DSP,
                                   "SINGLE"),
    "codes last values": (CODE_DSP, "(base & 0xFF) * 0x01010101U", "(base & 0) * 0x01010101U",
                          CODES_DSP, "SINGLE"),
    "softmax two Newton steps": (SOFTMAX, "i < 3", "i < 1", SOFTMAX, "DOUBLE"),
    "softmax sum in other units": (SOFTMAX, "divide_power(t, 12)", "(t >> 12)", SOFTMAX, "DOUBLE"),
}  # fmt: skip
NIGHTLY = {
    *("codes second pixel", "codes fill a row", "codes outside", "codes border"),
    *("codes dilation", "codes of the other channel", "codes of the first channels"),
}
SEEDS = "200"


def check(directory: Path, kernel: str, rounding: str) -> int:
    """Compile the copy in `directory`, run the cases, return the process's exit status."""
    argv = [sys.executable, str(TESTS / "kernels" / "check_copy.py"), str(directory)]
    argv += [Path(kernel).stem, rounding, SEEDS]
    return subprocess.run(argv, cwd=TESTS, capture_output=True, timeout=300).returncode


@pytest.fixture
def copy(tmp_path):
    target = tmp_path / "firmware"
    for part in ("include", "kernels"):
        shutil.copytree(FIRMWARE / part, target / part)
    return target


def _by_night(name):
    return (pytest.mark.nightly,) if name in NIGHTLY else ()


@pytest.mark.parametrize("name", [pytest.param(n, marks=_by_night(n)) for n in MUTANTS])
def test_mutant_is_found(copy, name):
    file, old, new, kernel, rounding = MUTANTS[name]
    path = copy / file
    text = path.read_text()
    assert text.count(old) >= 1, f"{file} does not hold {old!r}"
    path.write_text(text.replace(old, new))
    status = check(copy, kernel, rounding)
    # 3: values differ; negative: it crashed; 1 would be a broken test or a C error.
    assert status == 3 or status < 0, f"exit status {status}"


@pytest.mark.nightly  # by day the kernels' own tests are green
@pytest.mark.parametrize(
    ("kernel", "rounding"),
    sorted({(kernel, rounding) for *_, kernel, rounding in MUTANTS.values()}),
)
def test_untouched_copy_is_green(copy, kernel, rounding):
    assert check(copy, kernel, rounding) == 0
