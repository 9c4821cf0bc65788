"""Rules of the house, held by reading the tree."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
CODE = {".py", ".c", ".h", ".hpp", ".cpp", ".v", ".sv"}
TOP_LEVEL = {
    "pyproject.toml",
    "README.md",
    "Makefile",
    "LICENSE",
    "CHANGELOG.md",
    "edgekit",
    "firmware",
    "fpga",
    "boards",
    "tests",
    "examples",
    "docs",
}
# Words of a workshop or a machine, which the project never speaks of.
FORBIDDEN = re.compile(
    r"(?<![\w.])/(?:work|home|root|Users)/|\bissue #?\d|\bsub-?agent|\bpypi\.org|\bpythonhosted",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def tracked(root: Path) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    return [root / name for name in listed.splitlines() if (root / name).is_file()]


def test_code_files_are_short(tracked: list[Path], root: Path) -> None:
    long = {}
    for path in tracked:
        if path.suffix in CODE and "golden" not in path.parts:
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > MAX_FILE_LINES:
                long[str(path.relative_to(root))] = lines
    assert long == {}


def test_functions_are_short(tracked: list[Path], root: Path) -> None:
    long = {}
    for path in tracked:
        if path.suffix != ".py" or path.parts[len(root.parts)] != "edgekit":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    long[f"{path.relative_to(root)}:{node.name}"] = length
    assert long == {}


def test_top_level_is_as_agreed(tracked: list[Path], root: Path) -> None:
    names = {path.relative_to(root).parts[0] for path in tracked}
    assert {name for name in names if not name.startswith(".")} - TOP_LEVEL == set()


def test_the_project_speaks_of_itself_alone(tracked: list[Path], root: Path) -> None:
    found = []
    for path in tracked:
        if path == Path(__file__) or path.suffix in {".onnx", ".npz", ".tflite", ".safetensors"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if FORBIDDEN.search(line):
                found.append(f"{path.relative_to(root)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_no_module_gathers_leftovers(tracked: list[Path], root: Path) -> None:
    bad = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}
    assert [str(p.relative_to(root)) for p in tracked if p.name in bad] == []


def test_exit_codes_are_the_public_ones() -> None:
    from edgekit import errors

    codes = {
        cls.__name__: cls.exit_code
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, errors.EdgekitError)
    }
    assert codes == {
        "EdgekitError": 1,
        "ConfigError": 2,
        "UnsupportedError": 3,
        "DoesNotFitError": 4,
        "ToolError": 5,
        "DeviceError": 6,
        "MismatchError": 7,
        "OverBudgetError": 8,
        "UnsureError": 9,
    }


def test_gpl_files_say_so_and_are_not_imported(tracked: list[Path], root: Path) -> None:
    """Unicorn is GPL: its process is apart, and only the other twin shares its parts."""
    twins = {root / "edgekit" / "virtual" / name for name in ("twin", "qemu_twin")}
    fpga = root / "edgekit" / "virtual" / "fpga"  # its process shares the twins' sockets
    licence = "SPDX-License-Identifier: GPL-2.0-or-later"
    for path in tracked:
        if path.suffix != ".py" or root / "edgekit" not in path.parents:
            continue
        text = path.read_text(encoding="utf-8")
        if twins & set(path.parents):
            assert licence in text, path
        elif fpga != path.parent or licence not in text:
            assert not re.search(r"^\s*(?:import|from) unicorn", text, re.MULTILINE), path
            assert not re.search(r"(?:import|from) edgekit\.virtual\.\w*twin", text), path
