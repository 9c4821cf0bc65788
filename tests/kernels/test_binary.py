"""The kernels of bits against the interpreter: random shapes, results and paddings."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import planted
import pytest
from binary_cases import BINARY_CASES, build_binary, code_of_binary, wrong_bytes
from kernel_driver import FIRMWARE, Kernels, host_library
from test_sanitizers import sanitized

from edgekit.pipeline import native

CONV, DEPTHWISE = "kernels/ek_bin_conv2d.c", "kernels/ek_bin_depthwise.c"
COUNT, WINDOW = "include/ek_bin_count.h", "include/ek_bin_conv2d.h"
VECTORS = "kernels/ek_bin_conv2d_mve.c"
THRESHOLD, STEPS = "kernels/ek_bin_threshold.c", "kernels/ek_threshold.c"
RESHAPE, COPY, CONCAT = (f"kernels/ek_bin_{name}.c" for name in ("reshape", "copy", "concat"))
MAX, PAD, SHARED = "kernels/ek_bin_maxpool.c", "kernels/ek_bin_pad.c", "include/ek_bin.h"

# file, what stands there, what the mutant has, kernel that must notice
MUTANTS = {
    "carry of one pair": (COUNT, "b | (*a ^ c)", "b & (*a ^ c)", CONV),
    "second carry": (COUNT, "d & ~(c ^ e)", "d & (c ^ e)", CONV),
    "adder's first": (COUNT, "p.both | (p.one ^ *plane)", "p.both | p.one", CONV),
    "adder's second": (COUNT, "(q.one ^ middle) & ~q.both", "(q.one ^ middle)", CONV),
    "adder of a pair": (COUNT, "(p.one ^ before)", "(p.one & before)", CONV),
    "rest of a word": (WINDOW, "last >>= 2", "last >>= 1", CONV),
    "rest of a word in fours": (WINDOW, "last >>= 4", "last >>= 2", CONV),
    "list of odd length": (WINDOW, "if (from != list_end)", "if (from == list_end)", CONV),
    "start of plane 0": (WINDOW, "s.ones & planes[0]", "s.ones & planes[1]", CONV),
    "parity across words": (WINDOW, "v ^= before", "v ^= 0", CONV),
    "border class": (WINDOW, "p->classes[w->out_h + column]", "p->classes[column]", CONV),
    "cell above": ("include/ek_bin_window.h", "row >= 0 && row < w->in_h", "row < w->in_h", CONV),
    "a row's other channel": (WINDOW, "&k->rows[i * k->length]", "k->rows", CONV),
    "level of a neighbour": (SHARED, "channel * r->levels", "r->levels", CONV),
    "a row's other bits": (WINDOW, "(v >> 4)) & 0x0F", "(v >> 4)) & 0x07", CONV),
    "words of a group": (WINDOW, "start += p->planes * group", "start += p->planes", VECTORS),
    "group at the end": (WINDOW, "p->words - first : EK_BIN_WORDS", "EK_BIN_WORDS : EK_BIN_WORDS",
                         VECTORS),
    "append loses bits": (SHARED, "bits >> room", "0", CONV),
    "depthwise ninth cell": (DEPTHWISE, "add_from(&planes[0]", "add_from(&planes[1]", DEPTHWISE),
    "depthwise padding": (DEPTHWISE, "= (uint32_t)p->padding", "= 0", DEPTHWISE),
    "depthwise multiplier": (DEPTHWISE, "(first + i) / multiplier", "first + i", DEPTHWISE),
    "quad's high bit": (THRESHOLD, "raised < 128 ? ~0U : 0U", "0", THRESHOLD),
    "threshold never": (THRESHOLD, " && *t != EK_NEVER", "", THRESHOLD),
    "threshold of a level": (THRESHOLD, "l * p->row", "l", THRESHOLD),
    "step strictly above": (SHARED, "value >= t[i]", "value > t[i]", STEPS),
    "step of bits": (STEPS, "!= 0 ? 1 : -1", "!= 0 ? 1 : 0", STEPS),
    "maximum of ones": (MAX, "|= cell[i]", "&= cell[i]", MAX),
    "reshape row's end": (RESHAPE, "in_left == 0 || used", "used", RESHAPE),
    "copy's row": (COPY, "k * p->step2", "k * p->step1", COPY),
    "concat row": (CONCAT, "[row * words]", "[0]", CONCAT),
    "pad before": (PAD, "value, p->before_c", "value, p->after_c", PAD),
}  # fmt: skip


@pytest.mark.parametrize("kernel", BINARY_CASES)
def test_equals_interpreter(library, kernel):
    for seed in range(40):
        assert wrong_bytes(library, build_binary(kernel, seed), kernel) == 0, f"seed {seed}"


@pytest.mark.nightly
@pytest.mark.parametrize("kernel", BINARY_CASES)
def test_equals_interpreter_many(library, kernel):
    for seed in range(1000, 3000):
        assert wrong_bytes(library, build_binary(kernel, seed), kernel) == 0, f"seed {seed}"


@pytest.mark.parametrize("kernel", BINARY_CASES)
def test_cases_reach_the_kernel(kernel):
    """Most are served, and outputs vary."""
    builders = [build_binary(kernel, seed) for seed in range(20)]
    codes = [code_of_binary(builder, kernel) for builder in builders]
    assert sum(code is not None and code.kernel == kernel for code in codes) >= 15
    assert np.mean([b.values[b.nodes[-1].y].std() > 0.3 for b in builders]) > 0.5


@pytest.mark.parametrize("kernel", ["ek_bin_conv2d", "ek_bin_conv2d_mve"])
def test_weights_take_a_bit(kernel):
    """An eighth of the lanes at most counts nothing; else what fills a row's last word is added."""
    for seed in range(40):
        builder = build_binary(kernel, seed)
        code = code_of_binary(builder, kernel)
        assert code is not None
        weight = builder.constants[builder.nodes[-1].weight]
        outputs = builder.tensors[code.output].shape[-1]
        positions = weight.size // outputs
        stored = sum(8 * array.size_bytes for array in code.arrays if array.is_weights)
        behind = 3 * 32 if kernel.endswith("_mve") else 0
        rows = outputs % 32 * (-positions % 32)
        assert stored <= outputs * (positions + positions % 2) * 8 / 7 + rows + behind


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The kernels of bits, for the host."""
    sources = [FIRMWARE / "kernels" / f"{kernel}.c" for kernel in BINARY_CASES]
    return Kernels(host_library(tmp_path_factory.mktemp("bits"), sources=sources))


@pytest.mark.strict
@pytest.mark.cc
def test_sanitizers(tmp_path):
    sanitized(tmp_path, "ek_bin_conv2d", "DOUBLE", 25)


@pytest.mark.cc
@pytest.mark.nightly
@pytest.mark.parametrize("kernel", BINARY_CASES)
def test_sanitizers_many(tmp_path, kernel):
    sanitized(tmp_path, kernel, "DOUBLE", 400)


def library_of(firmware: Path, kernel: str) -> Path:
    """Compile one kernel of a copy of the firmware, whatever it warns of."""
    compiler = native.compiler()
    assert compiler is not None
    out = firmware / f"{kernel}.so"
    argv = [*compiler, "-std=c99", "-O1", "-w", "-fPIC", "-shared"]
    argv += [f"-I{firmware / 'include'}", str(firmware / "kernels" / f"{kernel}.c")]
    subprocess.run([*argv, "-o", str(out)], check=True)
    return out


def differs(library: Path, kernel: str) -> bool:
    """Tell whether 120 cases find a difference."""
    return planted.differs(
        library,
        lambda kernels: any(
            wrong_bytes(kernels, build_binary(kernel, seed), kernel) for seed in range(120)
        ),
    )


def _by_night(position):
    return (pytest.mark.nightly,) if position % 3 else ()


@pytest.mark.cc
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=_by_night(i)) for i, name in enumerate(MUTANTS)]
)
def test_mutant_is_found(name, tmp_path):
    file, old, new, noticing = MUTANTS[name]
    kernel = Path(noticing).stem
    planted.plant(tmp_path, file, old, new)
    assert differs(library_of(tmp_path, kernel), kernel)


@pytest.mark.cc
@pytest.mark.nightly
def test_untouched_copies_are_green(tmp_path):
    for part in ("include", "kernels"):
        shutil.copytree(FIRMWARE / part, tmp_path / part)
    for kernel in {Path(noticing).stem for *_, noticing in MUTANTS.values()}:
        assert not differs(library_of(tmp_path, kernel), kernel)
