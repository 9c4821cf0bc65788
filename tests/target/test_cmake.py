"""The CMake package: from generated sources, and from a model through `edgekit compile`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from native_model import plan_of
from small_graph import small_graph

from edgekit.build.run import write_files
from edgekit.ir.interp import run

pytestmark = [pytest.mark.cmake, pytest.mark.cc]
FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
MAIN = """
#include <stdio.h>
#include "model.h"

int main(void)
{
    if (fread(model_input(), 1, MODEL_INPUT_BYTES, stdin) != MODEL_INPUT_BYTES) {
        return 1;
    }
    model_run();
    return fwrite(model_output(), 1, MODEL_OUTPUT_BYTES, stdout) != MODEL_OUTPUT_BYTES;
}
"""
STUB = """#!{python}
import json, pathlib, sys
assert sys.argv[1] == "compile" and sys.argv[3:5] == ["--board", "some-board"], sys.argv
name = pathlib.Path(sys.argv[2]).read_text().strip()
print(json.dumps({{"directory": str(pathlib.Path({root!r}) / name)}}))
"""


def build(project: Path) -> Path:
    for argv in (["cmake", "-S", ".", "-B", "out"], ["cmake", "--build", "out"]):
        done = subprocess.run(argv, cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return project / "out" / "app"


def project(directory: Path, how: str, models: int = 1) -> Path:
    (directory / "main.c").write_text(MAIN)
    rows = [
        "cmake_minimum_required(VERSION 3.21)",
        "project(app C)",
        f'include("{FIRMWARE}/cmake/EdgekitModel.cmake")',
        "add_executable(app main.c)",
        f"edgekit_add_model(TARGET app {how})",
        # fmaf, where a model has a float32 addition and the host no such instruction
        "target_link_libraries(app PRIVATE m)",
    ]
    (directory / "CMakeLists.txt").write_text("\n".join(rows))
    return directory


def answer(program: Path, x: np.ndarray) -> list[int]:
    data = x.astype(np.int8).tobytes()
    out = subprocess.run([str(program)], input=data, capture_output=True, check=True).stdout
    return np.frombuffer(out, np.int8).tolist()


@pytest.fixture(scope="module")
def sample():
    graph = small_graph()
    name = graph.inputs[0].tensor
    x = np.random.default_rng(4).integers(-128, 128, (1, *graph.tensors[name].shape))
    return x[0], run(graph, {name: x})[graph.outputs[0].tensor].ravel().tolist()


def test_from_generated_sources(tmp_path, sample):
    write_files(plan_of(small_graph(), trace=False), tmp_path / "generated")
    program = build(project(tmp_path, "SOURCES generated"))
    assert answer(program, sample[0]) == sample[1]


def test_compiles_again_when_the_model_changes(tmp_path, sample):
    """A stand-in for the edgekit program answers with a prepared directory for each model."""
    write_files(plan_of(small_graph(), trace=False), tmp_path / "first")
    changed = plan_of(small_graph(), trace=False)
    files = {
        # Where the first sum of the last weighted node starts.
        p: re.sub(rb"(model_[bh]_9\[\d+\] = \{\s+)", rb"\1 9000 + ", d)
        for p, d in changed.files.items()
    }
    assert files != dict(changed.files)
    (tmp_path / "second").mkdir()
    for path, data in files.items():
        target = tmp_path / "second" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    stub = tmp_path / "edgekit-stub"
    stub.write_text(STUB.format(python=sys.executable, root=str(tmp_path)))
    stub.chmod(0o755)
    model = tmp_path / "net.tflite"
    model.write_text("first")
    program = build(project(tmp_path, f"MODEL net.tflite BOARD some-board EDGEKIT {stub}"))
    assert answer(program, sample[0]) == sample[1]
    model.write_text("second")
    subprocess.run(["cmake", "--build", "out"], cwd=tmp_path, capture_output=True, check=True)
    assert answer(program, sample[0]) != sample[1]


def test_a_failing_compile_is_shown(tmp_path):
    stub = tmp_path / "edgekit-stub"
    stub.write_text("#!/bin/sh\necho operator CUMSUM is not supported >&2\nexit 3\n")
    stub.chmod(0o755)
    (tmp_path / "net.tflite").write_text("x")
    project(tmp_path, f"MODEL net.tflite BOARD some-board EDGEKIT {stub}")
    argv = ["cmake", "-S", ".", "-B", "out"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "operator CUMSUM is not supported" in done.stderr


def test_missing_arguments_are_named(tmp_path):
    project(tmp_path, "MODEL net.tflite")
    argv = ["cmake", "-S", ".", "-B", "out"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "BOARD" in done.stderr


def test_kernel_library_alone(tmp_path):
    argv = ["cmake", "-S", str(FIRMWARE), "-B", str(tmp_path)]
    subprocess.run(argv, capture_output=True, check=True)
    argv = ["cmake", "--build", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "libedgekit_kernels.a").is_file()
