"""Samples that are not what the model takes: exit 2, what was found and what was wanted."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deploying import DIGITS, HELD_OUT, edgekit

from edgekit.cli import app
from edgekit.errors import ConfigError
from edgekit.pipeline import data as samples
from edgekit.pipeline import stages

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]

GOOD = np.zeros((3, 64), np.float32)


def _nan() -> np.ndarray:
    x = GOOD.copy()
    x[1, 23] = np.nan
    return x


def _shape() -> tuple[int, ...]:
    with np.load(HELD_OUT) as file:
        return tuple(file["x"].shape[1:])


# What the file holds, and words that the message must have.
CASES: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "another shape": ({"x": np.zeros((3, 65), np.float32)}, ("65", "64")),
    "no batch": ({"x": np.zeros((64,), np.float32)}, ("64",)),
    "words": ({"x": np.full(GOOD.shape, "a")}, ("<U1", "float32")),
    "not a number": ({"x": _nan()}, ("NaN",)),
    "integers": ({"x": GOOD.astype(np.int8)}, ("int8", "float32", "x_scale and x_zero_point")),
    "integers with half a scale": (
        {"x": GOOD.astype(np.int8), "x_scale": np.float32(0.5)},
        ("int8", "float32", "x_scale and x_zero_point"),
    ),
    "a scale of zero": (
        {"x": GOOD.astype(np.int8), "x_scale": np.float32(0), "x_zero_point": np.int64(0)},
        ("x_scale", "positive"),
    ),
    "a scale that is a word": (
        {"x": GOOD.astype(np.int8), "x_scale": np.array("a"), "x_zero_point": np.int64(0)},
        ("x_scale", "positive"),
    ),
    "a zero point that is no integer": (
        {"x": GOOD.astype(np.int8), "x_scale": np.float32(1), "x_zero_point": np.float32(0.5)},
        ("x_zero_point", "integer"),
    ),
    "a class that the model does not have": (
        {"x": GOOD, "y": np.array([0, 9, 10])},
        ("class numbers 0 to 10", "0 to 9"),
    ),
    "integers beyond 32 bits": (
        {
            "x": np.full(GOOD.shape, 2**63, np.uint64),
            "x_scale": np.float32(1),
            "x_zero_point": np.int64(0),
        },
        ("uint64", "32 bits"),
    ),
    "no samples": ({"x": GOOD[:0]}, ("no samples",)),
    "no x": ({"images": GOOD, "y": np.zeros(3, np.int64)}, ("images, y", "`x`")),
    "labels too few": ({"x": GOOD, "y": np.zeros(2, np.int64)}, ("(2,)", "3 integer")),
    "labels that are real": ({"x": GOOD, "y": np.zeros(3, np.float32)}, ("float32", "3 integer")),
    "labels one-hot": ({"x": GOOD, "y": np.zeros((3, 10), np.int64)}, ("(3, 10)", "3 integer")),
    "objects": ({"x": np.array([{"a": 1}, {}, {}], dtype=object)}, ("Object arrays",)),
}


@pytest.fixture
def refused(
    tmp_path: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[Path], dict[str, str]]:
    """Deploy with a data file; return the error, after seeing that nothing was run."""

    def deploy(data: Path) -> dict[str, str]:
        argv = ["deploy", str(DIGITS), "--board", "nucleo-l4r5zi", "--virtual", "--json"]
        code = app.run([*argv, "--data", str(data), "-o", str(work)])
        out, err = capsys.readouterr()
        assert code == 2
        assert "Traceback" not in err
        report = json.loads(out)
        assert report["plan"] is None  # refused before it was built
        assert report["error"]["kind"] == "config"
        assert f"error: {report['error']['message']}" in err
        assert not (work / "outputs.npz").exists()
        assert not (work / "twin").exists()
        return report["error"]

    return deploy


@pytest.mark.parametrize("case", CASES)
def test_wrong_arrays(case: str, tmp_path: Path, refused: Callable[[Path], dict[str, str]]) -> None:
    arrays, words = CASES[case]
    assert _shape() == GOOD.shape[1:]
    np.savez(tmp_path / "data.npz", **arrays)
    error = refused(tmp_path / "data.npz")
    for word in words:
        assert word in error["message"] + error["hint"]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "File is not a zip file"),
        (b"x,y\n1,2\n", "File is not a zip file"),
        (b"PK\x03\x04" + bytes(100), "File is not a zip file"),
    ],
)
def test_not_an_npz(
    content: bytes, word: str, tmp_path: Path, refused: Callable[[Path], dict[str, str]]
) -> None:
    (tmp_path / "data.npz").write_bytes(content)
    error = refused(tmp_path / "data.npz")
    assert str(tmp_path / "data.npz") in error["message"]
    assert word in error["message"]
    assert "numpy.savez" in error["hint"]


def test_array_that_claims_more_than_it_holds(
    tmp_path: Path, refused: Callable[[Path], dict[str, str]]
) -> None:
    member = io.BytesIO()
    head = {"descr": "<f4", "fortran_order": False, "shape": (1 << 50, 64)}
    np.lib.format.write_array_header_1_0(member, head)
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("x.npy", member.getvalue() + bytes(256))
    assert "cannot be read as .npz" in refused(tmp_path / "data.npz")["message"]


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    """Whatever is wrong with the bytes: an answer, never another exception."""
    graph = stages.load(DIGITS)
    rng = np.random.default_rng(3)
    path = tmp_path / "data.npz"
    refusals = 0
    for save in (np.savez, np.savez_compressed):
        save(path, x=GOOD, y=np.zeros(3, np.int64))
        whole = path.read_bytes()
        for _ in range(200):
            data = bytearray(whole)
            for at in rng.integers(0, len(data), rng.integers(1, 12)):
                data[at] = rng.integers(0, 256)
            path.write_bytes(data[: rng.integers(len(data) // 2, 2 * len(data))])
            try:
                assert len(samples.read(path, graph, seed=0)) == 3
            except ConfigError:
                refusals += 1
    assert refusals > 200


def test_damaged_npz(tmp_path: Path, refused: Callable[[Path], dict[str, str]]) -> None:
    """The directory of the archive is whole, the array inside is not."""
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=np.random.default_rng(1).normal(size=(50, 64)))
    data = bytearray(path.read_bytes())
    data[200:400] = bytes(200)
    path.write_bytes(data)
    assert "cannot be read as .npz" in refused(path)["message"]


def test_wide_and_infinite_floats_are_taken(tmp_path: Path, work: Path) -> None:
    """float64 becomes float32, infinities saturate: in every link alike (SPEC section 5)."""
    x = np.random.default_rng(2).normal(8, 8, (12, 64))
    x[0, 0], x[1, 1], x[2, 2] = np.inf, -np.inf, 1e300
    np.savez(tmp_path / "d.npz", x=x)
    argv = ("verify", DIGITS, "--board", "nucleo-l4r5zi", "--virtual", "--json", "-o", work)
    done = edgekit(tmp_path, *argv, "--data", tmp_path / "d.npz")
    assert done.code == 0, done.err
    assert done.json["equality"]["mismatches"] == 0


def test_integers_with_their_scale_are_taken(tmp_path: Path, work: Path) -> None:
    """The digits' own pixels as uint8, made real by the file's scale: the same answers."""
    with np.load(HELD_OUT) as file:
        x, y = file["x"][:20], file["y"][:20]
    step = 1.0 / 16.0 if float(x.max()) <= 1.0 else 1.0
    pixels = np.rint(x / step).astype(np.uint8)
    np.testing.assert_array_equal((pixels * np.float32(step)).astype(np.float32), x)
    np.savez(tmp_path / "d.npz", x=pixels, y=y, x_scale=step, x_zero_point=0)
    argv = ("verify", DIGITS, "--board", "nucleo-l4r5zi", "--virtual", "--json", "-o", work)
    done = edgekit(tmp_path, *argv, "--data", tmp_path / "d.npz")
    assert done.code == 0, done.err
    assert done.json["equality"]["mismatches"] == 0
    assert done.json["accuracy"]["value"] > 0.9
