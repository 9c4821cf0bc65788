"""What `import edgekit` offers, whatever was imported before."""

from __future__ import annotations

import subprocess
import sys

import pytest

import edgekit

FUNCTIONS = ("load", "compile", "build", "flash", "run", "measure", "verify", "deploy")
VALUES = ("Graph", "Board", "Artifact", "Run", "Report", "EdgekitError")


def test_exactly_the_agreed_names_are_public() -> None:
    assert tuple(edgekit.__all__) == FUNCTIONS + VALUES


@pytest.mark.parametrize(
    "before", ["", "import edgekit.build.plan", "from edgekit.measure import windows"]
)
def test_stages_are_functions_in_any_order_of_imports(before: str) -> None:
    code = f"""
{before}
import edgekit
import edgekit.build.run, edgekit.measure.types
from edgekit import build, measure
assert all(callable(getattr(edgekit, name)) for name in {FUNCTIONS!r})
assert build is edgekit.build and measure is edgekit.measure
assert all(isinstance(getattr(edgekit, name), type) for name in {VALUES!r})
from edgekit.build.plan import BuildPlan
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_importing_edgekit_imports_nothing_heavy() -> None:
    code = "import sys, edgekit; print(sorted({'numpy', 'onnx', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'deplyo'"):
        _ = edgekit.deplyo  # type: ignore[attr-defined]
