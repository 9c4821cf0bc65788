"""The reference process: crashes, limits, and wrong data."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from writers.tflite_small import Small
from writers.tflite_writer import FLOAT32, write

from edgekit import frontend
from edgekit.errors import ConfigError, ToolError
from edgekit.frontend.reference import Reference, run_reference
from edgekit.frontend.tflite import without_stray_axes

pytestmark = pytest.mark.tflite


def saved(small: Small, path: Path) -> Path:
    path.write_bytes(write(small.spec))
    return path


def test_a_crash_is_a_tool_error_and_the_next_run_works(tmp_path: Path) -> None:
    good = saved(Small(1, (4, 4, 2), scale=0.05).add(0), tmp_path / "good.tflite")
    fine = Small(1, (4, 4, 2), scale=0.05).add(0)
    fine.now.scales = [1e-9]  # the runtime aborts on it
    bad = saved(fine, tmp_path / "bad.tflite")
    graph = frontend.load(good)
    x = np.arange(64, dtype=np.int8).reshape(2, 4, 4, 2)
    digest = hashlib.sha256(bad.read_bytes()).hexdigest()
    aimed = dataclasses.replace(graph, source=dataclasses.replace(graph.source, sha256=digest))
    with Reference() as reference:
        with pytest.raises(ToolError, match="SIGABRT") as caught:
            reference.run(bad, aimed, x)
        assert caught.value.hint
        assert reference.run(good, graph, x).shape == (2, 4, 4, 2)


def test_the_time_limit_ends_it(tmp_path: Path) -> None:
    path = saved(Small(1, (64, 64, 8)).conv(32, (5, 5)), tmp_path / "m.tflite")
    graph = frontend.load(path)
    x = np.zeros((400, 64, 64, 8), np.int8)
    with Reference() as reference:
        with pytest.raises(ToolError, match=r"no answer within 0.2 s"):
            reference.run(path, graph, x, time_limit_s=0.2)
        assert reference.run(path, graph, x[:1]).shape == (1, 64, 64, 32)


def test_a_refusal_of_the_runtime_is_passed_on(tmp_path: Path) -> None:
    path = saved(Small(1, (5, 5, 2)).conv(3, (3, 3), bias=False), tmp_path / "m.tflite")
    x = np.zeros((1, 5, 5, 2), np.int8)
    with pytest.raises(ToolError, match="has_bias"):
        run_reference(path, frontend.load(path), x)


def test_an_axis_that_a_bias_lacks_does_not_stop_the_runtime(tmp_path: Path) -> None:
    small = Small(1, (5, 5, 2)).conv(3, (3, 3))
    good = saved(small, tmp_path / "good.tflite")
    small.spec.tensors[2].dimension = 3  # as old converters wrote it
    bad = saved(small, tmp_path / "bad.tflite")
    assert good.read_bytes() != bad.read_bytes()
    assert without_stray_axes(good.read_bytes()) == good.read_bytes()
    x = np.random.default_rng(1).integers(-128, 128, (4, 5, 5, 2)).astype(np.int8)
    answers = [run_reference(path, frontend.load(path), x) for path in (good, bad)]
    np.testing.assert_array_equal(*answers)


def test_a_file_that_changed_since_is_noticed(tmp_path: Path) -> None:
    path = saved(Small(1, (8,)).dense(4), tmp_path / "m.tflite")
    graph = frontend.load(path)
    saved(Small(2, (8,)).dense(4), path)
    with pytest.raises(ConfigError, match="changed"):
        run_reference(path, graph, np.zeros((1, 8), np.int8))


def test_the_memory_limit_holds(tmp_path: Path) -> None:
    path = saved(Small(1, (8,)).dense(4), tmp_path / "m.tflite")
    graph = frontend.load(path)
    with (
        Reference(memory_limit_bytes=40 * 1024 * 1024) as reference,
        pytest.raises(ToolError),
    ):
        reference.run(path, graph, np.zeros((1, 8), np.int8))


@pytest.mark.parametrize(
    "x",
    [np.zeros((1, 9), np.int8), np.zeros((1, 8), np.float32), np.full((1, 8), 200, np.int16)],
)
def test_wrong_data_never_reaches_it(tmp_path: Path, x: np.ndarray) -> None:  # type: ignore[type-arg]
    path = saved(Small(1, (8,)).dense(4), tmp_path / "m.tflite")
    with pytest.raises(ConfigError):
        run_reference(path, frontend.load(path), x)


def test_wider_integers_and_doubles_are_taken(tmp_path: Path) -> None:
    plain = saved(Small(1, (8,)).dense(4), tmp_path / "plain.tflite")
    x = np.arange(-4, 12).reshape(2, 8)
    a = run_reference(plain, frontend.load(plain), x.astype(np.int64))
    b = run_reference(plain, frontend.load(plain), x.astype(np.int8))
    np.testing.assert_array_equal(a, b)
    ends = saved(Small(2, (8,)).enter(FLOAT32).dense(4).dequantize(), tmp_path / "ends.tflite")
    graph = frontend.load(ends)
    got = run_reference(ends, graph, x * 0.1)
    assert got.dtype == np.int64
    assert got.min() < got.max()
