"""The kernels of bits on emulated cores: what is written out for one, and what compilers make."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from binary_cases import BINARY_CASES, build_binary, code_of_binary
from kernel_driver import FIRMWARE
from stored import stored
from vector_image import Batch, Image, build_runner

pytestmark = [pytest.mark.gcc, pytest.mark.qemu]

# The runner passes tensors, no list of them.
KERNELS = tuple(kernel for kernel in BINARY_CASES if kernel != "ek_bin_concat")
PLAIN = tuple(kernel for kernel in KERNELS if not kernel.endswith("_mve"))
CONV, VECTORS = "kernels/ek_bin_conv2d.c", "kernels/ek_bin_conv2d_mve.c"

MUTANTS = {
    "order of a quad": (CONV, '"sbfx lr, r1, #" i0', '"sbfx lr, r1, #" i1'),
    "first carry": (CONV, "orr r4, r4", "and r4, r4"),
    "second carry": (CONV, '"bic " q1', '"and " q1'),
    "eights forgotten": (CONV, '"strd r7, lr, [r2, #12]', '"str r7, [r2, #12]'),
    "carries out of place": (CONV, "- (uint32_t)x) - 4", "- (uint32_t)x)"),
    "vectors: other input": (VECTORS, 'EK_INPUT("q1", i1)', 'EK_INPUT("q1", i0)'),
    "vectors: saved carries": (VECTORS, "vldrw.u32 q1, [r2, #96]", "vldrw.u32 q1, [r2, #80]"),
    "vectors: sixteens": (VECTORS, "veor q6, q6, q5", "vorr q6, q6, q5"),
}  # fmt: skip


DAILY = ("first carry", "vectors: sixteens")


def batch_of(image: Image, kernels: tuple[str, ...], seeds: range) -> Batch:
    """Return all cases that the kernels serve."""
    batch = Batch(image)
    for kernel in kernels:
        for seed in seeds:
            builder = build_binary(kernel, seed)
            code = code_of_binary(builder, kernel)
            if code is None or code.kernel != kernel:
                continue
            names = (*code.inputs, code.output)
            *inputs, y = (stored(builder.tensors[n], builder.values[n][0]) for n in names)
            batch.add_stored(code, inputs, y)
    return batch


@pytest.mark.parametrize(("cpu", "kernels"), [("cortex-m4f", PLAIN), ("cortex-m55", KERNELS)])
def test_equals_interpreter(cpu, kernels, tmp_path):
    image = build_runner(tmp_path, kernels, cpu=cpu)
    assert batch_of(image, kernels, range(40)).differences(tmp_path) == 0


@pytest.mark.parametrize(
    "name",
    [n if n in DAILY else pytest.param(n, marks=pytest.mark.nightly) for n in MUTANTS],
)
def test_mutant_is_found(name, tmp_path):
    file, old, new = MUTANTS[name]
    for part in ("include", "kernels", "link"):
        shutil.copytree(FIRMWARE / part, tmp_path / "firmware" / part)
    path = tmp_path / "firmware" / file
    text = path.read_text()
    assert text.count(old) >= 1, f"{file} does not hold {old!r}"
    path.write_text(text.replace(old, new))
    kernel, cpu = Path(file).stem, "cortex-m55" if file == VECTORS else "cortex-m4f"
    image = build_runner(tmp_path, [kernel], tmp_path / "firmware", cpu=cpu)
    assert batch_of(image, (kernel,), range(60)).differences(tmp_path) > 0
