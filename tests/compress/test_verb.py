"""The verb, from a float ONNX file to the figures of two firmware images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from float_nets import write_onnx

from edgekit.cli import app
from edgekit.ir import serialize

CLASSES = 5


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a float network and data whose classes are its answers."""
    from edgekit.compress import floatnet, onnx

    path = write_onnx(tmp_path / "net.onnx")
    net = onnx.load(path)
    draw = np.random.default_rng(4)
    parts = {}
    for part, count in (("train", 300), ("val", 60), ("test", 60)):
        x = draw.normal(size=(count, 12, 10, 3)).astype(np.float32)
        y = floatnet.forward(net, x).argmax(axis=1)
        y[:CLASSES] = np.arange(CLASSES)  # every class has a sample
        parts |= {f"{part}_x": x, f"{part}_y": y}
    np.savez(tmp_path / "data.npz", **parts)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recipe(here: Path, *steps: str) -> Path:
    lines = ["data: {kind: npz, path: data.npz}", "steps:", *(f"  - {{{step}}}" for step in steps)]
    path = here / "recipe.yaml"
    path.write_text("\n".join(lines))
    return path


def compress(*options: str, board: str = "nucleo-l4r5zi") -> int:
    argv = ["compress", "net.onnx", "--recipe", "recipe.yaml", "--board", board, "--json"]
    return app.run([*argv, "--work", "work", *options])


@pytest.mark.gcc
@pytest.mark.virtual
def test_fewer_channels_make_a_smaller_and_faster_artefact(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(here, "kind: channels, fraction: 0.5", "kind: quantize, weights: int8")
    assert compress("-o", "out.safetensors") == 0
    found = json.loads(capsys.readouterr().out)
    before, after = found["before"], found["after"]
    for key in ("weights_bytes", "arena_bytes", "instructions", "energy_uj"):
        assert 0 < after[key] < before[key]
    assert after["cycles"]["lo"] <= after["cycles"]["hi"]
    assert found["larger"] is False
    assert found["slower"] is False
    assert after["equality"] == {"samples": 64, "mismatches": 0, "chain": ["graph", "c"]}
    assert after["energy_source"] == "modelled"
    graph = serialize.load_bytes((here / "out.safetensors").read_bytes(), "out")
    shapes = [graph.tensors[node.y].shape[-1] for node in graph.nodes]
    assert shapes == [4, 4, 8, 3, 3, 8, 5]
    accuracy = found["accuracy"]
    assert accuracy["before"]["test"] > 0.8
    assert set(accuracy) == {"metric", "float", "before", "after"}


@pytest.mark.nightly
@pytest.mark.gcc
@pytest.mark.virtual
def test_a_recipe_that_makes_it_larger_says_so(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(here, "kind: svd, layers: [MatMul 11], energy: 1.0", "kind: quantize")
    argv = ["compress", "net.onnx", "--recipe", "recipe.yaml", "--board", "nucleo-l4r5zi"]
    assert app.run([*argv, "--work", "work"]) == 0
    text = capsys.readouterr().out
    assert "THIS RECIPE MAKES THE ARTEFACT LARGER AND SLOWER" in text
    assert "worse: weights_bytes grows from" in text


def test_what_became_worse_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    from edgekit.cli.compress import _show
    from edgekit.pipeline.compress import _verdict

    keys = ("weights_bytes", "code_bytes", "tables_bytes", "arena_bytes")
    before = {**dict.fromkeys(keys, 1000), "instructions": 5000, "energy_uj": None}
    after = {**before, "weights_bytes": 1001, "arena_bytes": 900, "lut_estimate": None}
    found = _verdict(before, after)
    assert found == {
        "larger": True,
        "slower": False,
        "worse": ["weights_bytes grows from 1,000 to 1,001"],
    }
    assert _verdict(after, before) == {"larger": False, "slower": False, "worse": [
        "arena_bytes grows from 900 to 1,000"
    ]}  # fmt: skip
    assert _verdict(before, {**after, "instructions": None})["slower"] is None
    shares = {"validation": 0.5, "test": 0.5}
    _show({
        "board": "b", "output": "o", "notes": [], "accuracy": dict.fromkeys(
            ("before", "after", "float"), shares
        ), "before": {**before, "lut_estimate": None}, "after": after, **found,
    })  # fmt: skip
    assert "THIS RECIPE MAKES THE ARTEFACT LARGER\n" in capsys.readouterr().out


def test_budgets_are_met_or_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from edgekit import board
    from edgekit.compress import recipe as recipes
    from edgekit.pipeline import compress as verb

    file = recipe(here, "kind: mixed, weights_bytes: 10")
    job = verb.Job(
        here / "net.onnx", recipes.load(file), board.find("nucleo-l4r5zi"), "", here / "o", here
    )
    measure = verb._measure(job, verb.Silent())
    from edgekit.compress import lessons, onnx, steps
    from edgekit.errors import DoesNotFitError
    from edgekit.train import data

    net = onnx.load(here / "net.onnx")
    taught = lessons.of(net, data.load(job.recipe.data), 1.0)
    with pytest.raises(DoesNotFitError, match="a budget of 10 weights_bytes"):
        steps.run(net, job.recipe, taught, measure)
    roomy = recipes.load(recipe(here, "kind: mixed, weights_bytes: 100000"))
    done = steps.run(net, roomy, taught, measure)
    assert set(done.plan.words.values()) == {"int8"}


@pytest.mark.parametrize(
    ("steps", "options", "code", "message"),
    [
        (("kind: quantize",), ("-o", "absent/o.safetensors"), 2, "cannot be written"),
        (("kind: quantize",), ("-o", "/proc/o.safetensors"), 2, "/proc/o.safetensors cannot be"),
        (("kind: quantize, layers: {nine: int8}",), (), 2, "no layer is called 'nine'"),
        (("kind: prune, sparsity: 0.999", "kind: quantize"), (), 2, "some of them none"),
        (
            ("kind: prune, sparsity: 0.5", "kind: quantize, weights: binary"),
            (),
            2,
            "it is pruned, and binary weights have no 0",
        ),
    ],
)
def test_bad_wishes_end_typed(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    steps: tuple[str, ...],
    options: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    from edgekit.pipeline import compress as verb

    monkeypatch.setattr(verb, "_figures", lambda *_: {})  # what is before it costs a build
    recipe(here, *steps)
    assert compress(*options) == code
    assert message in json.loads(capsys.readouterr().out)["error"]["message"]


def test_the_project_file_names_model_and_recipe(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(here, "kind: quantize, layers: {nine: int8}")
    (here / "edgekit.yaml").write_text(
        "board: nucleo-l4r5zi\ncompress: {model: net.onnx, recipe: absent.yaml}\n"
    )
    assert app.run(["compress"]) == 2
    assert "absent.yaml cannot be read" in capsys.readouterr().err
    (here / "edgekit.yaml").write_text("board: nucleo-l4r5zi\n")
    assert app.run(["compress"]) == 2
    assert "no float network was named" in capsys.readouterr().err


def test_an_integer_model_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe(here, "kind: quantize")
    (here / "net.onnx").write_bytes(b"\x00\x00\x00\x00TFL3" + bytes(40))
    assert compress() == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert "is a TFLite file; a float .onnx file" in error["message"]
    assert "edgekit deploy" in error["hint"]


def test_data_that_do_not_fit_are_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = np.zeros((20, 7), np.float32), np.arange(20) % 2
    np.savez(here / "data.npz", train_x=x, train_y=y, val_x=x, val_y=y, test_x=x, test_y=y)
    recipe(here, "kind: quantize")
    assert compress() == 2
    message = json.loads(capsys.readouterr().out)["error"]["message"]
    assert message == "samples of shape [7]; input x takes [3, 12, 10]"
