"""The integer front end: equal in Python, in C and on an emulated core, and close to floats."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from mfcc_image import FRONTEND, STANDARD, STRICT, HostLibrary, compiled, run_on_m4f
from sounds import extremes, fit, float_coefficients

from edgekit.audio import c_tables, exact, mfcc
from edgekit.audio.tables import LOG_TABLE, WORD_8K, WORD_16K, Mfcc, tables_of
from edgekit.board import Cpu
from edgekit.errors import ConfigError

SMALL = Mfcc(
    rate_hz=8000,
    window=128,
    hop=128,
    frames=3,
    mels=12,
    coefficients=12,
    low_hz=100,
    high_hz=3000,
)

# What stands in the C, and what the mutant has.
MUTANTS = {
    "window of a neighbour": ("p->hann[2 * i + 1]", "p->hann[2 * i]"),
    "gain counts the sign": ("samples[i] < 0 ? ~samples[i] : samples[i]", "samples[i]"),
    "gain is forgotten": ("2 * gain * (1 << LEVEL_BITS)", "gain * (1 << LEVEL_BITS)"),
    "carry lost": ("bit >>= 1;", "bit >>= 2;"),
    "turn backwards": ("high(im, turn.re) - high(re, turn.im)",
                       "high(im, turn.re) + high(re, turn.im)"),
    "real parts swapped": ("a[half].re = u.re - v.re;", "a[half].re = v.re - u.re;"),
    "mirror image not conjugated": ("z[k].im = a.im - b.im + u.im * 4;",
                                    "z[k].im = a.im + b.im + u.im * 4;"),
    "middle bin left out": ("2 * k <= points", "2 * k < points"),
    "power cut": ("(uint64_t)(re * re + im * im) >>", "(uint64_t)(uint32_t)(re * re + im * im) >>"),
    "falling slope": ("before + (total << MEL_BITS) - rising", "before + (total << MEL_BITS)"),
    "table entry": ("& 31U", "& 15U"),
    "one table point": ("17156", "17356"),
    "no rest": ("((step * rest) >> 15)", "0"),
    "below the floor": ("level > 0 ? level : 0", "level"),
    "not clamped": ("sum > 127 ? 127 : sum", "sum"),
}  # fmt: skip


@pytest.mark.cc
@pytest.mark.parametrize("name", STANDARD)
def test_c_equals_the_twin_on_extremes(library: HostLibrary, name: str) -> None:
    settings = STANDARD[name]
    for clip in extremes(settings.samples, seed=1):
        found = library.features(name, settings, clip)
        np.testing.assert_array_equal(found, mfcc.features(settings, clip))


@pytest.mark.cc
@pytest.mark.data
def test_c_equals_the_twin_on_recordings(library: HostLibrary, recordings: Sequence) -> None:
    for samples in recordings:
        clip = fit(samples, WORD_8K.samples)
        found = library.features("ek_mfcc_8k", WORD_8K, clip)
        np.testing.assert_array_equal(found, mfcc.features(WORD_8K, clip))


@pytest.mark.cc
def test_c_with_other_settings(tmp_path: Path) -> None:
    tables = tmp_path / "small.c"
    declared = "extern const ek_mfcc_params small;\nconst ek_mfcc_params small = {"
    text = c_tables.source(SMALL, "small")
    tables.write_text(text.replace("const ek_mfcc_params small = {", declared))
    library = HostLibrary(tmp_path, [FRONTEND / "ek_mfcc.c", tables], "-O2")
    for clip in extremes(SMALL.samples, seed=2):
        found = library.features("small", SMALL, clip)
        np.testing.assert_array_equal(found, mfcc.features(SMALL, clip))


@pytest.mark.gcc
@pytest.mark.qemu
@pytest.mark.parametrize("name", STANDARD)
def test_an_emulated_core_equals_the_twin(name: str, root: Path, tmp_path: Path) -> None:
    settings = STANDARD[name]
    clips = np.stack(extremes(settings.samples, seed=3)[::3])
    run = run_on_m4f(tmp_path, name, clips)
    np.testing.assert_array_equal(
        run.features, np.stack([mfcc.features(settings, clip) for clip in clips])
    )
    # The figure of the reference page, which is of gcc 12.2; loudness moves it a little.
    page = (root / "docs" / "reference" / "mfcc.md").read_text(encoding="utf-8")
    stated = re.search(rf"`{name}` \| .* \| ([\d,]+) \|", page)
    assert stated is not None
    noise = run.instructions[2]
    assert noise == pytest.approx(int(stated[1].replace(",", "")), rel=0.06)


@pytest.mark.gcc
@pytest.mark.qemu
@pytest.mark.data
def test_an_emulated_core_equals_the_twin_on_recordings(
    recordings: Sequence, tmp_path: Path
) -> None:
    clips = np.stack([fit(samples, WORD_8K.samples) for samples in recordings])
    run = run_on_m4f(tmp_path, "ek_mfcc_8k", clips)
    wanted = np.stack([mfcc.features(WORD_8K, clip) for clip in clips])
    np.testing.assert_array_equal(run.features, wanted)


@pytest.mark.cc
@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_found(mutant: str, tmp_path: Path) -> None:
    old, new = MUTANTS[mutant]
    for path in FRONTEND.iterdir():
        shutil.copy(path, tmp_path)
    source = tmp_path / "ek_mfcc.c"
    text = source.read_text()
    assert text.count(old) == 1, f"ek_mfcc.c does not hold {old!r} once"
    source.write_text(text.replace(old, new))
    sources = [source, tmp_path / "ek_mfcc_8k.c"]
    library = HostLibrary(tmp_path, sources, "-O1", "-Wno-error")
    clips = extremes(WORD_8K.samples, seed=4)
    found = [library.features("ek_mfcc_8k", WORD_8K, clip) for clip in clips]
    wanted = [mfcc.features(WORD_8K, clip) for clip in clips]
    assert any((a != b).any() for a, b in zip(found, wanted, strict=True))


@pytest.mark.clang
@pytest.mark.parametrize("compiler", ["clang", "gcc"])
def test_strict_compilers_take_it(compiler: str, tmp_path: Path) -> None:
    for source in FRONTEND.glob("*.c"):
        argv = [compiler, *STRICT, "-O2", "-c", str(source), "-o", str(tmp_path / "out.o")]
        subprocess.run(argv, check=True)


@pytest.mark.gcc
@pytest.mark.parametrize("cpu", ["cortex-m0plus", "cortex-m4f", "cortex-m55"])
def test_arm_gcc_takes_it(cpu: Cpu, tmp_path: Path) -> None:
    for source in FRONTEND.glob("*.c"):
        compiled(tmp_path, source, "ek_mfcc_8k", cpu)


@pytest.mark.riscv
def test_riscv_gcc_takes_it(tmp_path: Path) -> None:
    for source in FRONTEND.glob("*.c"):
        compiled(tmp_path, source, "ek_mfcc_8k", "rv32imc")


@pytest.mark.clang_format
def test_format() -> None:
    files = [FRONTEND / "ek_mfcc.c", FRONTEND / "ek_mfcc.h"]
    argv = ["clang-format", "--dry-run", "-Werror", *map(str, files)]
    assert subprocess.run(argv, capture_output=True).returncode == 0


@pytest.mark.data
def test_close_to_floating_point(recordings: Sequence) -> None:
    clips = [fit(samples, WORD_8K.samples) for samples in recordings]
    wanted = float_coefficients(WORD_8K, clips)
    found = np.concatenate([mfcc.features(WORD_8K, clip) for clip in clips]).astype(np.float64)
    error = np.abs(found - wanted)
    assert error.max() < 0.75  # 0.5 is the rounding to int8
    assert error.mean() < 0.26  # 0.25 likewise
    for coefficient in range(WORD_8K.coefficients):
        pair = found[:, coefficient], wanted[:, coefficient]
        assert np.corrcoef(*pair)[0, 1] > 0.9995


def test_16_khz_is_close_to_floating_point() -> None:
    clips = extremes(WORD_16K.samples, seed=5)[4:15]
    wanted = float_coefficients(WORD_16K, clips)
    found = np.concatenate([mfcc.features(WORD_16K, clip) for clip in clips])
    assert np.abs(found - wanted).max() < 1.0


def test_silence_is_silent() -> None:
    features = mfcc.features(WORD_8K, np.zeros(WORD_8K.samples, np.int16))
    assert (features[:, 0] == -96).all()
    assert (features[:, 1:] == 0).all()


@pytest.mark.parametrize("name", STANDARD)
def test_checked_in_tables_are_the_generated_ones(name: str) -> None:
    text = (FRONTEND / f"{name}.c").read_text(encoding="utf-8")
    assert text == c_tables.source(STANDARD[name], name)


def test_logarithms_of_the_c_are_the_twins() -> None:
    text = (FRONTEND / "ek_mfcc.c").read_text(encoding="utf-8")
    (body,) = re.findall(r"log_table\[33\] = \{([^}]*)\}", text)
    assert tuple(int(value) for value in re.findall(r"\d+", body)) == LOG_TABLE


def test_exact_functions() -> None:
    for turns in np.linspace(-1.3, 1.7, 61):
        wanted = np.cos(2 * np.pi * turns)
        assert float(exact.cosine(Decimal(float(turns)))) == pytest.approx(wanted, abs=1e-14)
    assert exact.integers([Decimal("2.5"), Decimal("3.5"), Decimal("-0.4")]) == (2, 4, 0)
    assert exact.integers([Decimal("2.5") - Decimal("1e-40")]) == (2,)
    assert exact.cosine(Decimal(0)) == 1
    assert exact.integers([exact.cosine(Decimal("0.25")), exact.sine(Decimal("0.75"))]) == (0, -1)


def test_no_table_value_is_near_a_tie() -> None:
    """Windows and turns: twice their exact value is far from odd, or odd exactly."""
    for settings in (WORD_8K, WORD_16K):
        for k in range(settings.window // 2):
            twice = 2**15 * exact.cosine(Decimal(k) / settings.window)
            distance = abs(twice - 2 * (twice / 2).to_integral_value())
            assert distance == 1 or abs(distance - 1) > Decimal("1e-6")
    assert tables_of(WORD_8K).window[0] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 200}, "window is 200 samples, wanted 128, 256 or 512"),
        ({"hop": 300}, "hop is 300, wanted 1 to 256"),
        ({"coefficients": 27}, "coefficients is 27, wanted 1 to 26"),
        ({"high_hz": 5000}, "high_hz is 5000, wanted 1 to 4000"),
        ({"low_hz": 4000}, "low_hz is 4000, wanted 0 to 3999"),
        ({"frames": 0}, "frames is 0, wanted 1 to 1000"),
        (
            {"mels": 64, "window": 128, "hop": 128},
            "lies between two of the window's 64 frequencies",
        ),
        ({"mels": 30, "coefficients": 30}, "which 32 bits do not hold"),
    ],
)
def test_settings_that_cannot_be(change: dict[str, int], message: str) -> None:
    given = {name: getattr(WORD_8K, name) for name in WORD_8K.__slots__}
    with pytest.raises(ConfigError, match=message):
        Mfcc(**{**given, **change})


@pytest.mark.parametrize("clip", [np.zeros(5, np.int16), np.zeros(WORD_8K.samples, np.int32)])
def test_clips_that_do_not_fit(clip) -> None:
    with pytest.raises(ConfigError, match=r"wanted int16 \(7936,\)"):
        mfcc.features(WORD_8K, clip)
