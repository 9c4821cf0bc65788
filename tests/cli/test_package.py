"""The verb package: what it prints, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgekit.cli.app import run

MODEL = str(Path(__file__).resolve().parents[2] / "examples" / "digits" / "digits.onnx")
BOARD = ("--board", "nucleo-l4r5zi")


def test_writes_a_package(tmp_path, capsys):
    out = tmp_path / "new" / "digits"
    assert run(["package", MODEL, *BOARD, "--format", "cmake", "-o", str(out)]) == 0
    assert "wrote" in capsys.readouterr().out
    assert (out / "CMakeLists.txt").is_file()
    assert (out / "include" / "model.h").is_file()


def test_json_lists_files_sizes_and_digest(tmp_path, capsys):
    answers = []
    for name in ("a", "b"):
        argv = ["package", MODEL, "--cpu", "cortex-m33", "--format", "arduino"]
        argv += ["--prefix", "digits", "-o", str(tmp_path / name), "--json"]
        assert run(argv) == 0
        answers.append(json.loads(capsys.readouterr().out))
    first, second = answers
    assert first["digest"] == second["digest"]
    assert first["schema"] == 1
    assert first["error"] is None
    assert first["target"] == first["cpu"] == "cortex-m33"
    assert (first["format"], first["prefix"]) == ("arduino", "digits")
    written = {
        p.relative_to(tmp_path / "a").as_posix(): p.stat().st_size
        for p in (tmp_path / "a").rglob("*")
        if p.is_file()
    }
    assert first["files"] == written
    assert set(first["sizes"]) == {
        *("arena_bytes", "arena_lower_bound_bytes", "weights_bytes", "tables_bytes"),
    }
    assert all(value > 0 for value in first["sizes"].values())


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((*BOARD, "-o", "x"), "no format was named"),
        ((*BOARD, "--format", "make", "-o", "x"), "'make' is not one of"),
        ((*BOARD, "--format", "cmake"), "no output directory was named"),
        (("--format", "cmake", "-o", "x"), "no board was named"),
        ((*BOARD, "--cpu", "cortex-m4f", "--format", "cmake", "-o", "x"), "exclude each other"),
        (("--cpu", "z80", "--format", "cmake", "-o", "x"), "no CPU is called 'z80'"),
        ((*BOARD, "--format", "cmake", "--prefix", "for", "-o", "x"), "a keyword of C"),
        ((*BOARD, "--format", "cmake", "--prefix", "1x", "-o", "x"), "lower-case C identifier"),
        ((*BOARD, "--format", "cmake", "-o", "."), "is not an empty directory"),
    ],
)
def test_wrong_words(tmp_path, monkeypatch, capsys, argv, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").write_text("")
    assert run(["package", MODEL, *argv, "--json"]) == 2
    answer = capsys.readouterr()
    assert message in json.loads(answer.out)["error"]["message"]
    assert message in answer.err
    assert [p.name for p in tmp_path.iterdir()] == ["full"]


def test_too_large_for_the_board(tmp_path, capsys):
    board = Path(__file__).resolve().parents[2] / "boards" / "nucleo-l4r5zi.yaml"
    text = board.read_text().replace("name: nucleo-l4r5zi", "name: tiny")
    text = re.sub(r"^(ram: .*size_bytes:) \d+", r"\1 16400", text, flags=re.MULTILINE)
    (tmp_path / "tiny.yaml").write_text(text)
    argv = ["package", MODEL, "--board", str(tmp_path / "tiny.yaml"), "--format", "zephyr"]
    assert run([*argv, "-o", str(tmp_path / "x"), "--json"]) == 4
    assert "bytes are needed" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert not (tmp_path / "x").exists()


def test_help_names_the_formats(capsys):
    assert run(["package", "--help"]) == 0
    text = capsys.readouterr().out
    for word in ("cmake", "zephyr", "arduino", "platformio", "cmsis-pack", "--prefix", "--cpu"):
        assert word in text
