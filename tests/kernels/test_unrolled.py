"""Weights as generated code: equal to the interpreter, and chosen where it is the better form."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from binary_cases import code_of_binary
from code_cases import UNROLLED, CodesBuilder, build_sparse, build_ternary
from kernel_driver import FIRMWARE, STRICT, Kernels, host_library
from stored import stored

from edgekit.pipeline import native
from edgekit.target.mcu.code import NodeCode, prefixed

CASES = 40


def library(directory: Path, codes: Sequence[NodeCode]) -> dict[str, int]:
    """Compile the functions of all nodes; return the addresses of their tables by name."""
    texts = [code.unrolled.definition() for code in codes if code.unrolled is not None]
    text = '#include "edgekit.h"\n' + "\n".join(texts).replace("static const ek_un", "const ek_un")
    source, output = directory / "unrolled.c", directory / "unrolled.so"
    source.write_text(text)
    compiler = native.compiler()
    assert compiler is not None
    argv = [*compiler, *STRICT, "-O1", f"-I{FIRMWARE / 'include'}", "-fPIC", "-shared"]
    subprocess.run([*argv, str(source), "-o", str(output)], check=True)
    loaded = ctypes.CDLL(str(output))
    names = [code.unrolled.name for code in codes if code.unrolled is not None]
    return {name: ctypes.addressof(ctypes.c_void_p.in_dll(loaded, name)) for name in names}


def wrong(
    kernels: Kernels, builder: CodesBuilder, code: NodeCode, generated: dict[str, int]
) -> int:
    found = 0
    for sample in range(builder.samples):
        inputs = [stored(builder.tensors[x], builder.values[x][sample]) for x in code.inputs]
        wanted = stored(builder.tensors[code.output], builder.values[code.output][sample])
        found += int((kernels.run_bytes(code, inputs, wanted.size, generated) != wanted).sum())
    return found


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """The kernel, for the host."""
    source = FIRMWARE / "kernels" / f"{UNROLLED}.c"
    return Kernels(host_library(tmp_path_factory.mktemp("unrolled"), sources=[source]))


@pytest.fixture(scope="module")
def cases() -> list[tuple[CodesBuilder, NodeCode]]:
    builders = [build_sparse(seed) for seed in range(CASES)]
    codes = [prefixed(code_of_binary(b, ""), f"case{k}") for k, b in enumerate(builders)]
    return list(zip(builders, codes, strict=True))


def test_equals_interpreter(kernels, cases, tmp_path):
    served = [(builder, code) for builder, code in cases if code.unrolled is not None]
    assert len(served) > CASES // 2
    generated = library(tmp_path, [code for _, code in served])
    for builder, code in served:
        assert wrong(kernels, builder, code, generated) == 0, f"seed {builder.seed}"


def test_a_term_of_another_sign_is_found(kernels, cases, tmp_path):
    spoiled = []
    for builder, code in cases:
        rows = () if code.unrolled is None else code.unrolled.rows
        if any(added for added, _ in rows):
            swapped = tuple((taken, added) for added, taken in rows)
            spoiled.append((builder, replace(code, unrolled=replace(code.unrolled, rows=swapped))))
    generated = library(tmp_path, [code for _, code in spoiled])
    assert sum(wrong(kernels, *pair, generated) > 0 for pair in spoiled) > len(spoiled) // 2


def test_many_weights_stay_data():
    assert all(code_of_binary(build_ternary(seed), "").unrolled is None for seed in range(20))
