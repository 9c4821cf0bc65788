"""The wheel: what is in it, and that it works where there is no checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import edgekit

pytestmark = pytest.mark.nightly

DEPLOY = """
import json
from pathlib import Path
import edgekit
from edgekit.config import Options
from edgekit.pipeline.settings import resolve

options = Options(
    model=Path("digits.onnx"),
    data=Path("held_out.npz"),
    board="nucleo-l4r5zi",
    virtual=True,
    rate_hz=10.0,
)
report = edgekit.deploy(resolve(options, start=Path.cwd()))
equality = report.equality
print(json.dumps({
    "file": edgekit.__file__,
    "error": report.error and report.error.message,
    "exit_code": report.exit_code,
    "verdict": report.verdict,
    "samples": equality and equality.samples,
    "mismatches": equality and equality.mismatches,
}))
"""


@pytest.fixture(scope="module")
def source(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files as they are now, so that nothing else can get into a package."""
    target = tmp_path_factory.mktemp("source")
    names = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in names:
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    return target


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(source, tmp_path_factory.mktemp("direct"), "--wheel")


def package(source: Path, target: Path, *what: str) -> Path:
    """Build and return the wheel; without `what`, an sdist and from it the wheel."""
    command = [sys.executable, "-m", "build", *what, "--outdir", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (found,) = target.glob("edgekit-*-py3-none-any.whl")
    return found


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def test_data_files_are_in(wheel: Path, source: Path) -> None:
    found = set(names(wheel))
    for directory in ("firmware", "fpga", "boards"):
        files = [path for path in (source / directory).rglob("*") if path.is_file()]
        assert files
        wanted = {f"edgekit/_bundled/{path.relative_to(source).as_posix()}" for path in files}
        assert wanted - found == set()
    assert {"edgekit/report/html/style.css", "edgekit/py.typed"} <= found


def test_nothing_else_is_in(wheel: Path) -> None:
    parts = [PurePosixPath(name).parts for name in names(wheel)]
    assert {top[0] for top in parts} == {"edgekit", f"edgekit-{edgekit.__version__}.dist-info"}
    junk = {"tests", "examples", "__pycache__", ".ci", "docs"}
    templates = ("edgekit", "_bundled", "firmware", "package")  # of the examples in packages
    own = [name for name in parts if name[0] == "edgekit" and name[:4] != templates]
    assert [name for name in own if junk & set(name)] == []


def test_no_path_of_this_machine_is_in(wheel: Path, source: Path, root: Path) -> None:
    places = [str(path).encode() for path in (source, root, Path(sys.prefix), Path.home())]
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            text = archive.read(name)
            assert not [place for place in places if len(place) > 5 and place in text], name


def test_the_source_package_gives_the_same_wheel(wheel: Path, source: Path, tmp_path: Path) -> None:
    assert names(package(source, tmp_path)) == names(wheel)


def test_it_works_in_an_empty_environment(wheel: Path, root: Path, tmp_path: Path) -> None:
    environment, work = tmp_path / "venv", tmp_path / "work"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    constraints = root / ".ci" / "constraints.txt"
    run = environment / "bin"
    subprocess.run(
        [run / "pip", "install", "-q", "-c", constraints, f"{wheel}[onnx,virtual]"], check=True
    )
    work.mkdir()
    for name in ("digits.onnx", "held_out.npz"):
        shutil.copy2(root / "examples" / "digits" / name, work)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def call(*command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=work, env=clean, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    assert "nucleo-l4r5zi" in call(run / "edgekit", "boards")
    result = json.loads(call(run / "python", "-c", DEPLOY).splitlines()[-1])
    assert Path(result.pop("file")).is_relative_to(environment)
    assert result == {
        "error": None,
        "exit_code": 0,
        "verdict": "pass",
        "samples": 450,
        "mismatches": 0,
    }
