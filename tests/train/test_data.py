"""Loaders: what they return, and how they refuse damaged or incomplete data."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from small import archive

from edgekit.errors import ConfigError
from edgekit.train import data
from edgekit.train.config import DigitsData, IdxData, NpzData
from edgekit.train.data import idx
from edgekit.train.data.dataset import split


def _idx(values: np.ndarray) -> bytes:
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return head + values.astype(np.uint8).tobytes()


def _mnist_like(directory: Path) -> None:
    generator = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 20)):
        images = generator.integers(0, 256, (count, 5, 4))
        labels = np.arange(count) % 4
        with gzip.open(directory / f"{part}-images-idx3-ubyte.gz", "wb") as file:
            file.write(_idx(images))
        (directory / f"{part}-labels-idx1-ubyte").write_bytes(_idx(labels))


def test_digits_are_split_the_same_way_and_without_overlap() -> None:
    first, again = (data.load(DigitsData(kind="digits")) for _ in range(2))
    counts = len(first.train_y), len(first.val_y), len(first.test_y)
    assert sum(counts) == 1797
    assert counts[2] == pytest.approx(450, abs=6)
    assert np.array_equal(first.train_x, again.train_x)
    assert first.shape == (8, 8, 1)
    assert first.train_x.max() == 16


def test_idx_files_plain_or_gzip(tmp_path: Path) -> None:
    _mnist_like(tmp_path)
    found = data.load(IdxData(kind="idx", path=tmp_path, validation=0.25))
    assert found.shape == (5, 4, 1)
    assert found.classes == 4
    assert (len(found.train_y), len(found.val_y), len(found.test_y)) == (32, 8, 20)


@pytest.mark.data
def test_mnist(shared_data: Path) -> None:
    found = data.load(IdxData(kind="idx", path=shared_data / "datasets" / "mnist", validation=0))
    assert found.train_x.shape == (60000, 28, 28, 1)
    assert np.bincount(found.test_y).tolist() == [
        *(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    ]
    assert len(found.val_y) == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no IDX file"),
        (b"\0\0\x0d\x01\0\0\0\x01", "no IDX file"),
        (b"\0\0\x08\x03\0\0", "ends within its header"),
        (b"\0\0\x08\x01\0\0\0\x09abc", "holds 3"),
        (b"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff", "at most"),
    ],
)
def test_damaged_idx_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        idx.read(path)


def test_a_cut_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(_idx(np.zeros((50, 50))))[:-12])
    with pytest.raises(ConfigError, match="cannot be read"):
        idx.read(path)


def test_npz_with_and_without_validation(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz")
    assert len(data.load(NpzData(kind="npz", path=path)).val_y) == 24
    arrays = dict(np.load(path))
    del arrays["val_x"], arrays["val_y"]
    np.savez(path, **arrays)
    found = data.load(NpzData(kind="npz", path=path, validation=0.25))
    assert len(found.val_y) == 24
    assert len(found.train_y) == 72


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"test_y": None}, "lacks test_y"),
        ({"train_y": np.zeros(96)}, "train_y holds float64"),
        ({"train_x": np.zeros((96, 12))}, "holds float64, wanted uint8, int8 or float32"),
        ({"train_x": np.zeros((90, 12), np.uint8)}, "train_x has 90 samples"),
        ({"test_x": np.zeros((40, 13), np.uint8)}, r"the test part holds uint8 samples of \(13,\)"),
        ({"train_y": np.arange(96) % 2}, "the training part has no sample of class 2"),
        ({"val_y": np.arange(24) % 2}, "the validation part has no sample of class 2"),
        ({"test_y": np.arange(40) % 3 - 1}, "the test labels run from -1 to 1"),
    ],
)
def test_incomplete_archives_are_refused(tmp_path: Path, change: dict, words: str) -> None:
    arrays = dict(np.load(archive(tmp_path / "a.npz"))) | change
    np.savez(tmp_path / "b.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(ConfigError, match=words):
        data.load(NpzData(kind="npz", path=tmp_path / "b.npz"))


def test_nan_samples_are_refused(tmp_path: Path) -> None:
    arrays = dict(np.load(archive(tmp_path / "a.npz")))
    arrays |= {name: arrays[name].astype(np.float32) for name in arrays if name.endswith("_x")}
    arrays["train_x"][3, 3] = np.nan
    np.savez(tmp_path / "b.npz", **arrays)
    with pytest.raises(ConfigError, match="the training part holds NaN"):
        data.load(NpzData(kind="npz", path=tmp_path / "b.npz"))


def test_a_label_far_off_is_refused_without_counting_to_it(tmp_path: Path) -> None:
    x, y = np.zeros((4, 6), np.uint8), np.array([0, 1, 2, 10**15])
    np.savez(tmp_path / "far.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    settings = NpzData(kind="npz", path=tmp_path / "far.npz", validation=0)
    with pytest.raises(ConfigError, match=r"no sample of class 3, 4, 5, 6, 7, 8, 9, 10; "):
        data.load(settings)


def test_what_is_no_archive_or_holds_objects_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\3\4 no")
    np.savez(tmp_path / "b.npz", train_x=np.array([{}], dtype=object))
    for name in ("a.npz", "b.npz", "none.npz"):
        with pytest.raises(ConfigError, match=r"cannot be read as \.npz"):
            data.load(NpzData(kind="npz", path=tmp_path / name))


def test_a_split_takes_its_share_of_every_class() -> None:
    y = np.repeat([0, 1, 2], [100, 10, 2])
    kept, taken = split(y, 0.2, 0)
    assert np.bincount(y[taken]).tolist() == [20, 2, 1]
    assert sorted([*kept, *taken]) == list(range(112))
    assert not np.array_equal(taken, split(y, 0.2, 1)[1])
