"""Packages at work: CMake's three ways in, two models in one image, and every own example."""

from __future__ import annotations

import re
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_packages import (
    CPU_PARAMETERS,
    CPUS,
    STRICT,
    call,
    dense_graph,
    expected,
    graph_of,
    includes,
    made,
    sources,
    written,
)

from edgekit.ir.types import Rounding
from edgekit.target.mcu.package.machines import MACHINES

TWO = """
#include <stdio.h>
#include <string.h>
#include "kws.h"
#include "anomaly.h"

int main(void)
{
    char input[KWS_INPUT_BYTES + ANOMALY_INPUT_BYTES];
    if (fread(input, 1, sizeof(input), stdin) != sizeof(input)) {
        return 1;
    }
    memcpy(kws_input(), input, KWS_INPUT_BYTES);
    memcpy(anomaly_input(), input + KWS_INPUT_BYTES, ANOMALY_INPUT_BYTES);
    kws_run();
    anomaly_run();
    fwrite(kws_output(), 1, KWS_OUTPUT_BYTES, stdout);
    fwrite(anomaly_output(), 1, ANOMALY_OUTPUT_BYTES, stdout);
    return 0;
}
"""
WAYS = {
    "add_subdirectory": "add_subdirectory({0} {1})",
    "FetchContent": (
        "include(FetchContent)\nFetchContent_Declare({1} SOURCE_DIR {0})\n"
        "FetchContent_MakeAvailable({1})"
    ),
    "find_package": "find_package({1} CONFIG REQUIRED)",
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two models that share a kernel, each with another rounding of it."""
    directory = tmp_path_factory.mktemp("pair")
    for prefix, graph in zip(("kws", "anomaly"), graphs(), strict=True):
        written(made("cmake", prefix, "cortex-m0plus", graph), directory / prefix)
    kernels = [
        (directory / p / "src" / f"{p}_ek_dense_s8.c").read_text() for p in ("kws", "anomaly")
    ]
    masks = [re.search(r"ROUNDINGS (\d+)U", text).group(1) for text in kernels]
    assert masks[0] != masks[1]
    return directory


def graphs():
    return dense_graph(Rounding.DOUBLE), dense_graph(Rounding.SINGLE)


def check_both(program: Path) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        x = rng.integers(-128, 128, 48).astype(np.int8)
        done = subprocess.run([str(program)], input=x.tobytes(), capture_output=True, check=True)
        wanted = [
            v
            for graph, part in zip(graphs(), (x[:24], x[24:]), strict=True)
            for v in expected(graph, part)
        ]
        assert np.frombuffer(done.stdout, np.int8).tolist() == wanted


@pytest.mark.cmake
@pytest.mark.cc
@pytest.mark.parametrize("way", WAYS)
def test_two_models_in_one_cmake_project(pair, tmp_path, way):
    prefix_path = tmp_path / "installed"
    if way == "find_package":
        for name in ("kws", "anomaly"):
            build = tmp_path / f"build-{name}"
            call("cmake", "-S", pair / name, "-B", build, "-DCMAKE_BUILD_TYPE=Release")
            call("cmake", "--build", build)
            call("cmake", "--install", build, "--prefix", prefix_path)
    project = tmp_path / "project"
    project.mkdir()
    (project / "main.c").write_text(TWO)
    rows = ["cmake_minimum_required(VERSION 3.15)", "project(app C)"]
    rows += [WAYS[way].format(pair / name, name) for name in ("kws", "anomaly")]
    rows += ["add_executable(two main.c)"]
    rows += ["target_link_libraries(two PRIVATE kws::kws anomaly::anomaly)"]
    (project / "CMakeLists.txt").write_text("\n".join(rows))
    call("cmake", "-S", project, "-B", project / "out", f"-DCMAKE_PREFIX_PATH={prefix_path}")
    call("cmake", "--build", project / "out")
    check_both(project / "out" / "two")


@pytest.mark.cc
def test_one_prefix_for_two_models_does_not_link(pair, tmp_path):
    """What the prefix is for: the linker would tell, were a name shared."""
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    files = [*sources(pair / "kws"), *sources(pair / "kws")]
    done = subprocess.run(
        ["cc", *includes(pair / "kws"), *files, "main.c", "-o", "app"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "multiple definition" in done.stderr


@pytest.mark.cmake
@pytest.mark.parametrize("cpu", CPU_PARAMETERS)
def test_the_example_runs_in_qemu(tmp_path, cpu):
    directory = written(made("cmake", cpu=cpu), tmp_path / "kws")
    passed, text = run_example(directory, tmp_path / "build")
    assert passed, text
    assert "PASS" in text
    answers = re.findall(r"output (\d+): (-?\d+), expected (-?\d+)", text)
    assert [int(a) for _, a, _ in answers] == np.frombuffer(
        made("cmake", cpu=cpu).library.example.output, np.int8
    ).tolist()
    if cpu not in ("cortex-m4f", "rv32imc"):
        return
    flip_last_weight(directory)
    passed, text = run_example(directory, tmp_path / "build")
    assert not passed
    assert "FAIL" in text


def run_example(directory: Path, build: Path) -> tuple[bool, str]:
    example = directory / "examples" / "qemu"
    toolchain = f"-DCMAKE_TOOLCHAIN_FILE={example / 'toolchain.cmake'}"
    # For size compilers call libgcc where they otherwise would not.
    call("cmake", "-S", example, "-B", build, toolchain, "-DCMAKE_BUILD_TYPE=MinSizeRel")
    call("cmake", "--build", build)
    argv = ["cmake", "--build", str(build), "--target", "run"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    return done.returncode == 0, done.stdout + done.stderr


def flip_last_weight(directory: Path) -> None:
    """Negate the first weight of the last weighted layer."""
    path = directory / "src" / "kws_data.c"
    text = path.read_text()
    *_, last = re.finditer(r"const int8_t kws_w_\d+\[\d+\] = \{\n\s+(-?\d+)", text)
    value = int(last.group(1))
    changed = -value if value not in (0, -128) else 127
    path.write_text(text[: last.start(1)] + str(changed) + text[last.end(1) :])


ARDUINO = """
#pragma once
#include <stdint.h>
#include <stdio.h>
struct Stub {
    void begin(long) {}
    explicit operator bool() const { return true; }
    void print(const char *text) { fputs(text, stdout); }
    void print(long v) { printf("%ld", v); }
    void println(const char *text) { puts(text); }
    void println(long v) { printf("%ld\\n", v); }
};
static Stub Serial;
void setup();
void loop();
"""


@pytest.mark.cc
def test_the_arduino_sketch_runs_with_a_stub(tmp_path):
    directory = written(made("arduino"), tmp_path / "kws")
    (tmp_path / "Arduino.h").write_text(ARDUINO)
    (tmp_path / "main.cpp").write_text("#include <Arduino.h>\nint main() { setup(); }\n")
    sketch = directory / "examples" / "kws" / "kws.ino"
    call("cc", "-std=c99", "-Os", *includes(directory), "-c", *sources(directory), cwd=tmp_path)
    call(
        *("g++", "-std=gnu++11", "-Wall", "-Wextra", "-I.", f"-I{directory / 'src'}"),
        *("-include", "Arduino.h", "-x", "c++", sketch, "main.cpp", "-x", "none"),
        *sorted(tmp_path.glob("*.o")),
        "-o",
        "sketch",
        cwd=tmp_path,
    )
    assert call(tmp_path / "sketch").endswith("PASS\n")


ZEPHYR = """
cmake_minimum_required(VERSION 3.20)
project(stub C)
set(CONFIG_EDGEKIT_KWS {enabled})
function(zephyr_library_named name)
  add_library(${{name}} STATIC)
  set(ZEPHYR_CURRENT_LIBRARY ${{name}} PARENT_SCOPE)
endfunction()
macro(zephyr_library_sources)
  target_sources(${{ZEPHYR_CURRENT_LIBRARY}} PRIVATE ${{ARGN}})
endmacro()
macro(zephyr_library_cc_option)
  target_compile_options(${{ZEPHYR_CURRENT_LIBRARY}} PRIVATE ${{ARGN}})
endmacro()
macro(zephyr_include_directories)
  include_directories(${{ARGN}})
endmacro()
include_directories(stub)
add_executable(app {module}/samples/kws/src/main.c)
include({module}/zephyr/CMakeLists.txt)
target_include_directories(app PRIVATE {module}/include)
target_link_libraries(app PRIVATE edgekit_kws)
"""


@pytest.mark.cmake
@pytest.mark.cc
def test_the_zephyr_module_with_stubs_of_its_functions(tmp_path):
    """Zephyr itself is not here: its CMake functions are stubs with the same arguments."""
    directory = written(made("zephyr"), tmp_path / "kws")
    project = tmp_path / "project"
    (project / "stub" / "zephyr" / "sys").mkdir(parents=True)
    (project / "stub" / "zephyr" / "sys" / "printk.h").write_text(
        "#include <stdio.h>\n#define printk printf\n"
    )
    (project / "CMakeLists.txt").write_text(ZEPHYR.format(module=directory, enabled="y"))
    call("cmake", "-S", project, "-B", project / "out")
    call("cmake", "--build", project / "out")
    assert call(project / "out" / "app").endswith("PASS\n")
    (project / "CMakeLists.txt").write_text(ZEPHYR.format(module=directory, enabled="n"))
    call("cmake", "-S", project, "-B", project / "off")
    with pytest.raises(AssertionError):
        call("cmake", "--build", project / "off")


@pytest.mark.cc
@pytest.mark.parametrize(
    ("form", "main"),
    [("platformio", "examples/kws/src/main.c"), ("cmsis-pack", "example/main.c")],
)
def test_hosted_examples_run(tmp_path, form, main):
    """The pack is taken from its zip."""
    directory = written(made(form), tmp_path / "kws")
    if form == "cmsis-pack":
        with zipfile.ZipFile(directory / "edgekit.kws.0.1.0.pack") as archive:
            directory = tmp_path / "unpacked"
            archive.extractall(directory)
    files = (*sources(directory), directory / main)
    call("cc", *STRICT, *includes(directory), *files, "-o", tmp_path / "app")
    assert call(tmp_path / "app").endswith("PASS\n")


def test_machines_are_there_for_all():
    assert set(MACHINES) == set(CPUS)
    assert graph_of().nodes
