"""Wav files and sets of them: what is read, what is refused, and what training gets."""

from __future__ import annotations

import io
import struct
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.audio import mfcc, recordings, wav
from edgekit.audio.perturb import Perturbation, centred, perturb
from edgekit.audio.tables import WORD_8K
from edgekit.errors import ConfigError
from edgekit.train import data
from edgekit.train.config import WavData

FSDD_NAMES = "{label}_{group}_{take}.wav"


def wav_bytes(
    samples: NDArray[np.int16], rate: int = 8000, channels: int = 1, width: int = 2
) -> bytes:
    """A wav file by Python's own writer."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        content = samples.astype("<i2").tobytes()
        file.writeframes(content[: len(content) // (channels * width) * channels * width])
    return stream.getvalue()


def tone(hz: float, count: int = 4000) -> NDArray[np.int16]:
    """A sine wave that fades."""
    t = np.arange(count) / 8000
    return (9000 * np.sin(2 * np.pi * hz * t) * np.exp(-3 * t)).astype(np.int16)


SOUND = tone(440, 600)


def test_what_is_written_is_read() -> None:
    np.testing.assert_array_equal(wav.decode(wav_bytes(SOUND), 8000, "a.wav"), SOUND)


def test_other_parts_and_the_extensible_header_are_understood() -> None:
    plain = wav_bytes(SOUND)
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"  # an odd size is padded
    subformat = struct.pack("<HHIH", 22, 16, 4, 1) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    form = b"fmt " + struct.pack("<I", 40) + struct.pack("<H", 0xFFFE) + plain[22:36] + subformat
    whole = plain[:12] + extra + form + plain[36:]
    np.testing.assert_array_equal(wav.decode(whole, 8000, "a.wav"), SOUND)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no wav file"),
        (b"ID3\4" * 20, "is no wav file"),
        (wav_bytes(SOUND)[:-1], r"is cut off: its part 'data' has 1200 bytes, 1199 are there"),
        (wav_bytes(SOUND)[:30], "is cut off: its part 'fmt '"),
        (wav_bytes(SOUND)[:36], "holds no samples"),
        (wav_bytes(SOUND[:0]), "has 0 bytes of samples"),
        (wav_bytes(SOUND, rate=16000), "has 16000 samples a second, wanted 8000"),
        (wav_bytes(SOUND, channels=2), "has 2 channels of 16 bits"),
        (wav_bytes(SOUND, width=3), "has 1 channels of 24 bits"),
        (wav_bytes(SOUND, width=1), "has 1 channels of 8 bits"),
        (wav_bytes(SOUND).replace(b"\x10\0\0\0\x01\0", b"\x10\0\0\0\x03\0"), "floating point"),
        (wav_bytes(SOUND).replace(b"\x10\0\0\0\x01\0", b"\x10\0\0\0\x55\0"), "coding 85"),
        (wav_bytes(SOUND).replace(b"fmt ", b"xxx "), "does not say what its samples are"),
    ],
)
def test_broken_wav_files_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^a\.wav .*{message}"):
        wav.decode(content, 8000, "a.wav")


def test_no_prefix_of_a_wav_file_passes() -> None:
    whole = wav_bytes(SOUND)
    for length in range(len(whole)):
        with pytest.raises(ConfigError):
            wav.decode(whole[:length], 8000, "a.wav")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two words of three speakers, four takes each."""
    found = tmp_path / "words"
    found.mkdir()
    for label, hz in (("low", 300), ("high", 1800)):
        for pitch, group in enumerate(("ann", "bob", "eve")):
            for take in range(4):
                sound = tone(hz * (1 + 0.1 * pitch + 0.02 * take))
                (found / f"{label}_{group}_{take}.wav").write_bytes(wav_bytes(sound))
    (found / "README.txt").write_text("not a sound")
    return found


def zipped(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path


def test_a_folder_and_its_zip_are_the_same(folder: Path) -> None:
    one, other = (recordings.read(p, FSDD_NAMES, 8000) for p in (folder, zipped(folder)))
    assert [(r.label, r.group, r.take) for r in one] == [(r.label, r.group, r.take) for r in other]
    assert all((a.samples == b.samples).all() for a, b in zip(one, other, strict=True))
    assert len(one) == 24
    assert (one[0].label, one[0].group, one[0].take) == ("high", "ann", "0")


def test_recordings_may_lie_deeper(folder: Path) -> None:
    found = recordings.read(folder.parent, FSDD_NAMES, 8000)
    assert len(found) == 24
    assert found[0].label == "high"


def test_labels_may_be_folders(folder: Path) -> None:
    for name in ("yes", "no"):
        (folder / name).mkdir()
        (folder / name / "4d2a_nohash_1.wav").write_bytes(wav_bytes(SOUND))
    found = recordings.read(folder, "{label}/{group}_*_{take}.wav", 8000)
    assert [(r.label, r.group, r.take) for r in found] == [
        ("no", "4d2a", "1"),
        ("yes", "4d2a", "1"),
    ]


@pytest.mark.parametrize("names", ["{word}.wav", "*.wav", "{label}_{label}.wav", "{}_{label}.wav"])
def test_names_that_say_too_little_are_refused(folder: Path, names: str) -> None:
    with pytest.raises(ConfigError, match=r"wanted \{label\}"):
        recordings.read(folder, names, 8000)


def test_what_holds_no_recordings_is_refused(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(zipped(folder).read_bytes()[:-400])
    for path in (broken, tmp_path / "none.zip", folder / "README.txt"):
        with pytest.raises(ConfigError, match="cannot be read as a zip"):
            recordings.read(path, FSDD_NAMES, 8000)
    with pytest.raises(ConfigError, match=r"no file named like \{label\}/x\.wav"):
        recordings.read(folder, "{label}/x.wav", 8000)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("_MAX_FILE_BYTES", "has 8044 bytes, at most 8000 are read"),
        ("_MAX_BYTES", "holds more than 8000 bytes"),
        ("_MAX_FILES", "holds 24 recordings, at most 20"),
    ],
)
def test_what_is_too_large_is_refused(
    folder: Path, limit: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, limit, 20 if limit == "_MAX_FILES" else 8000)
    for path in (folder, zipped(folder)):
        with pytest.raises(ConfigError, match=message):
            recordings.read(path, FSDD_NAMES, 8000)


def test_a_damaged_member_is_refused(folder: Path) -> None:
    path = zipped(folder)
    content = bytearray(path.read_bytes())
    content[2000] ^= 0xFF  # the archive's own checksum finds it
    path.write_bytes(bytes(content))
    with pytest.raises(ConfigError, match="cannot be read as a zip"):
        recordings.read(path, FSDD_NAMES, 8000)


def test_the_file_that_is_broken_is_named(folder: Path) -> None:
    (folder / "low_bob_2.wav").write_bytes(wav_bytes(SOUND, rate=44100))
    with pytest.raises(ConfigError, match=r"low_bob_2\.wav has 44100 samples a second"):
        recordings.read(folder, FSDD_NAMES, 8000)


def test_a_clip_has_its_recording_in_the_middle() -> None:
    assert centred(np.array([1, 2, 3], np.int16), 6).tolist() == [0, 1, 2, 3, 0, 0]
    assert centred(np.arange(7, dtype=np.int16), 3).tolist() == [2, 3, 4]


def test_changed_copies_differ_and_repeat_themselves() -> None:
    def copies(seed: int) -> list[NDArray[np.int16]]:
        generator = np.random.default_rng(seed)
        return [perturb(SOUND, 7936, Perturbation(), generator) for _ in range(5)]

    one = copies(1)
    assert all((a == b).all() for a, b in zip(one, copies(1), strict=True))
    assert all((a != b).any() for a, b in zip(one, copies(2), strict=True))
    assert (one[0] != one[1]).any()
    short = perturb(SOUND[:1], 100, Perturbation(), np.random.default_rng(0))
    assert short.shape == (100,)
    long = perturb(tone(440, 20000), 7936, Perturbation(), np.random.default_rng(0))
    assert long.shape == (7936,)


def loaded(path: Path, **changes: Any) -> Any:
    return data.load(WavData(kind="wav", path=path, **changes))


def test_training_gets_what_the_board_computes(folder: Path) -> None:
    found = loaded(folder, test={"groups": ["eve"]}, validation={"takes": ["3"]}, copies=2)
    assert (len(found.train_y), len(found.val_y), len(found.test_y)) == (2 * 2 * 3 * 3, 4, 8)
    assert found.shape == (49, 13)
    assert found.train_x.dtype == np.int8
    assert found.test_y.tolist() == [0] * 4 + [1] * 4  # high, low
    sound = wav.decode((folder / "high_eve_0.wav").read_bytes(), 8000, "")
    wanted = mfcc.features(WORD_8K, centred(sound, WORD_8K.samples))
    np.testing.assert_array_equal(found.test_x[0], wanted)
    assert (found.train_x[:12] != found.train_x[12:24]).any(axis=(1, 2)).all()


@pytest.mark.parametrize(
    ("test", "validation", "message"),
    [
        ({"groups": ["zoe"]}, {}, "no recording is left for the test part"),
        ({"groups": ["ann", "bob", "eve"]}, {}, "no recording is left for the training part"),
        ({"groups": ["ann"]}, {"groups": ["bob", "eve"]}, "for the training part"),
    ],
)
def test_parts_without_recordings_are_refused(
    folder: Path, test: dict, validation: dict, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        loaded(folder, test=test, validation=validation)
    assert "groups ann, bob, eve and the takes 0, 1, 2, 3" in caught.value.hint


def test_a_label_missing_from_a_part_is_refused(folder: Path) -> None:
    for path in folder.glob("low_eve_*.wav"):
        path.unlink()
    with pytest.raises(ConfigError, match="the test part has no sample of class 1"):
        loaded(folder, test={"groups": ["eve"]})


@pytest.mark.data
def test_all_3000_spoken_digits_are_read(fsdd: Path) -> None:
    found = recordings.read(fsdd, FSDD_NAMES, 8000)
    assert len(found) == 3000
    assert {r.label for r in found} == set("0123456789")
    assert len({r.group for r in found}) == 6
    assert sum(r.take in set("01234") for r in found) == 300
