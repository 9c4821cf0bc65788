"""The training file: defaults, and errors that name what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small import training

from edgekit.errors import ConfigError, UnsupportedError
from edgekit.train import config


def test_a_misspelt_key_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    wrong = training(tmp_path, train={"epoch": 3})
    with pytest.raises(ConfigError) as caught:
        config.parse(wrong, "a.yaml")
    assert caught.value.message == "a.yaml: unknown key 'train.epoch'"
    assert caught.value.hint == "did you mean 'epochs'?"


def test_a_wrong_layer_key_is_named_with_its_place(tmp_path: Path) -> None:
    wrong = training(tmp_path, network=[{"kind": "dense", "unit": 3}])
    with pytest.raises(ConfigError) as caught:
        config.parse(wrong, "a.yaml")
    assert "network.0.dense.units is missing" in caught.value.message
    assert "unknown key 'network.0.dense.unit'" in caught.value.message


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"network": [{"kind": "danse"}]}, "network.0.kind 'danse' is none of 'dense', 'conv2d'"),
        ({"train": {"learning_rate": float("inf")}}, "train.learning_rate: "),
        ({"train": {"epochs": 0}}, "train.epochs: "),
        ({"train": {"betas": [1.0, 0.9]}}, "train.betas.0: "),
        ({"train": {"threads": 10**6}}, "train.threads: "),
        ({"augment": {"elastic_grid": 10**5}}, "augment.elastic_grid: "),
        ({"data": {"kind": "npz", "path": "a.npz", "split_seed": -1}}, "data.npz.split_seed: "),
        ({"network": []}, "network: "),
        ({"name": "no name"}, "name: "),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, section: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(training(tmp_path, **section), "a.yaml")
    assert message in caught.value.message


def test_what_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for text, words in (("- 1", "holds a list"), ("{", "is not YAML"), ("", "holds a NoneType")):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=words):
            config.load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", ["net.pt", "net.PTH", "net.pkl"])
def test_pickles_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedError, match="is a pickle by its name"):
        config.load(tmp_path / name)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: a\ndata: {kind: npz, path: d.npz}\nnetwork: [{kind: dense, units: 2}]\n"
        "distill: {teacher: t.yaml}\n",
        encoding="utf-8",
    )
    found = config.load(path)
    assert found.data.path == tmp_path / "d.npz"
    assert found.distill is not None
    assert found.distill.teacher == tmp_path / "t.yaml"


def test_the_digest_ignores_how_often_the_state_is_kept(tmp_path: Path) -> None:
    often = config.parse(training(tmp_path, train={"checkpoint_seconds": 0}), "a")
    seldom = config.parse(training(tmp_path, train={"checkpoint_seconds": 99}), "a")
    other = config.parse(training(tmp_path, train={"epochs": 3}), "a")
    assert often.digest() == seldom.digest() != other.digest()


def test_every_key_is_on_the_page(root: Path) -> None:
    pages = ("train.md", "recordings.md")
    text = "".join((root / "docs/reference" / name).read_text(encoding="utf-8") for name in pages)
    schema = config.TrainConfig.model_json_schema()
    sections = [schema, *schema["$defs"].values()]
    keys = {key for section in sections for key in section["properties"]} - {"kind"}
    assert {key for key in keys if not re.search(rf"\b{key}\b", text)} == set()
