"""Models, boards and project files that cannot be used, refused before any tool runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from deploying import DIGITS, ROOT, edgekit

from edgekit.build import tools
from edgekit.cli import app

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]


@pytest.fixture
def refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, str]]:
    """Run a verb that must fail with `code` before any tool runs; return the error."""

    def never(name: str) -> tuple[str, ...]:
        raise AssertionError(f"{name} was about to run")

    monkeypatch.setattr(tools, "require", never)
    monkeypatch.chdir(tmp_path)

    def run(code: int, *args: object) -> dict[str, str]:
        found = app.run([*(str(a) for a in args), "--json"])
        out, err = capsys.readouterr()
        assert found == code, err
        assert "Traceback" not in err
        error = json.loads(out)["error"]
        assert f"error: {error['message']}".splitlines()[0] in err
        assert list(tmp_path.glob("**/*.o")) == []
        return error

    return run


def on_twin(model: Path, board: str = "nucleo-l4r5zi") -> tuple[object, ...]:
    return ("deploy", model, "--board", board, "--virtual", "-o", "work")


def test_unknown_board(refused: Callable[..., dict[str, str]]) -> None:
    error = refused(2, *on_twin(DIGITS, "nucleo-l4r5"))
    assert "'nucleo-l4r5'" in error["message"]
    assert "nucleo-l4r5zi" in error["hint"]


def test_misspelt_key(tmp_path: Path, refused: Callable[..., dict[str, str]]) -> None:
    path = tmp_path / "edgekit.yaml"
    path.write_text("model: m.onnx\nbaord: nucleo-l4r5zi\ncontract: {rate_hertz: 1}\n")
    error = refused(2, "deploy")
    assert str(path) in error["message"]
    assert "unknown key 'baord'" in error["message"]
    assert "unknown key 'contract.rate_hertz'" in error["message"]
    assert "did you mean 'board'?" in error["hint"]
    assert "did you mean 'rate_hz'?" in error["hint"]


def test_no_model_file(refused: Callable[..., dict[str, str]]) -> None:
    assert "none.onnx does not exist" in refused(2, *on_twin(Path("none.onnx")))["message"]


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite", "model"])
@pytest.mark.parametrize("content", [b"", b"not a model at all\n", bytes(5000)])
def test_not_a_model(
    name: str, content: bytes, tmp_path: Path, refused: Callable[..., dict[str, str]]
) -> None:
    (tmp_path / name).write_bytes(content)
    error = refused(2, *on_twin(tmp_path / name))
    assert error["kind"] == "config"
    assert name in error["message"]
    assert not (tmp_path / "work" / "build").exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_model(
    share: float, tmp_path: Path, refused: Callable[..., dict[str, str]]
) -> None:
    data = DIGITS.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(data[: int(share * len(data))])
    error = refused(2, *on_twin(tmp_path / "cut.onnx"))
    assert "cut.onnx" in error["message"]


def small_board(directory: Path, **sizes: int) -> Path:
    """Write the board's file with other sizes of memories."""
    path = directory / "nucleo-l4r5zi.yaml"
    data = yaml.safe_load((ROOT / "boards" / "nucleo-l4r5zi.yaml").read_text(encoding="utf-8"))
    for memory, size in sizes.items():
        data[memory]["size_bytes"] = size
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("memory", "size", "words"),
    [
        ("flash_memory", 34_000, ("flash of nucleo-l4r5zi", "34,000 are available")),
        ("ram", 16_400, ("RAM of nucleo-l4r5zi", "16,400 are available")),
    ],
)
def test_too_large(
    memory: str,
    size: int,
    words: tuple[str, ...],
    tmp_path: Path,
    refused: Callable[..., dict[str, str]],
) -> None:
    board = small_board(tmp_path, **{memory: size})
    error = refused(4, *on_twin(DIGITS, str(board)))
    assert error["kind"] == "does_not_fit"
    for word in (*words, "bytes are needed", "largest: "):
        assert word in error["message"]
    largest = error["message"].partition("largest: ")[2].split(" bytes")
    assert len([part for part in largest if part.strip()]) == 3
    assert error["hint"]


def test_what_the_estimate_lets_through_fits(tmp_path: Path) -> None:
    """Flash and RAM are asked for with a reserve, which the image then stays below."""
    board = small_board(tmp_path, flash_memory=36_000, ram=16_600)
    done = edgekit(tmp_path, "build", DIGITS, "--board", board, "-o", "work", "--json")
    assert done.code == 0, done.err
    assert done.json["sizes"]["flash_bytes"] <= 36_000
    assert done.json["sizes"]["ram_bytes"] <= 16_600


def test_unsupported_model_names_the_operator(
    tmp_path: Path, refused: Callable[..., dict[str, str]]
) -> None:
    import onnx

    model = onnx.load(DIGITS)
    model.graph.node[-2].op_type = "Softsign"
    onnx.save(model, tmp_path / "odd.onnx")
    error = refused(3, *on_twin(tmp_path / "odd.onnx"))
    assert error["kind"] == "unsupported"
    assert "Softsign" in error["message"]
