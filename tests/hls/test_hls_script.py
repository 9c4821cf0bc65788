"""The script for the HLS tool calls what it knows; the bench compares with its vectors."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from writers.random_lowbit import random_chain

from edgekit.target.fpga.hls import generate

COMMANDS = (
    *("open_project", "set_top", "add_files", "open_solution", "set_part", "create_clock"),
    *("csim_design", "csynth_design", "export_design"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project in a folder whose name has a space."""
    path = tmp_path / "a project"
    path.mkdir()
    chain = random_chain(1)
    for name, data in generate(chain.graph(chain.last)).items():
        (path / name).write_bytes(data)
    return path


@pytest.mark.tclsh
def test_the_script_calls_the_tool(folder: Path, tmp_path: Path):
    known = "".join(f'proc {name} args {{ puts "{name}|[join $args |]" }}\n' for name in COMMANDS)
    (tmp_path / "run.tcl").write_text(f"{known}source {{{folder}/build.tcl}}\n", encoding="utf-8")
    script = (folder / "build.tcl").read_text(encoding="utf-8")
    whole = f"puts [info complete {{{script}}}]\n"
    argv = ["tclsh"]
    done = subprocess.run(argv, input=whole, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    argv = ["tclsh", str(tmp_path / "run.tcl")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    calls = [line.split("|") for line in done.stdout.splitlines()]
    assert [call[0] for call in calls if call[0] != "add_files"] == [
        *("open_project", "set_top", "open_solution", "set_part", "create_clock"),
        *("csim_design", "csynth_design", "export_design"),
    ]
    added = [Path(word).name for call in calls if call[0] == "add_files" for word in call[1:3]]
    assert [name for name in added if "." in name] == [
        *("model.cpp", "testbench.cpp", "input.hex", "expected.hex"),
    ]
    assert all((folder / name).is_file() for name in added if "." in name)


@pytest.mark.cc
def test_the_bench_compares_with_its_vectors(folder: Path):
    """As the tool's C simulation runs it, in its own folder; a wrong answer ends with 1."""
    argv = ["g++", "-std=c++14", "-O0", "model.cpp", "testbench.cpp", "-o", "testbench"]
    subprocess.run([*argv, "-Wno-unknown-pragmas"], cwd=folder, check=True)
    done = subprocess.run(["./testbench"], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "16 samples, 0 differ\n")
    lines = (folder / "expected.hex").read_text(encoding="ascii").splitlines()
    lines[-1] = f"{int(lines[-1], 16) ^ 1:08x}"
    (folder / "expected.hex").write_text("\n".join(lines) + "\n", encoding="ascii")
    done = subprocess.run(["./testbench"], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "16 samples, 1 differ\n")
    (folder / "input.hex").unlink()
    done = subprocess.run(["./testbench"], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "a file cannot be opened\n")
