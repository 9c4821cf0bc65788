"""examples/keywords: its files are understood, and its model is what its README says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mfcc_image import digits_on_m4f

from edgekit import frontend
from edgekit.audio import mfcc
from edgekit.audio import recordings as sets
from edgekit.audio.perturb import centred
from edgekit.audio.tables import WORD_8K
from edgekit.compress import recipe
from edgekit.ir import interp
from edgekit.ir.graph import Graph
from edgekit.pipeline import package
from edgekit.train import config
from edgekit.train.config import WavData


@pytest.fixture(scope="module")
def example(root: Path) -> Path:
    return root / "examples" / "keywords"


@pytest.fixture(scope="module")
def graph(example: Path) -> Graph:
    return frontend.load(example / "int4.safetensors")


def scores(graph: Graph, features: np.ndarray) -> np.ndarray:
    (given,), (taken,) = graph.inputs, graph.outputs
    x = features.astype(np.int64).reshape(len(features), *graph.tensors[given.tensor].shape)
    return interp.run(graph, {given.tensor: x})[taken.tensor].reshape(len(features), -1)


def test_training_file_and_recipes_are_of_the_same_data(example: Path) -> None:
    wanted = config.load(example / "float.yaml").data
    for name in ("int8", "int4", "ternary"):
        assert recipe.load(example / f"{name}.yaml").data == wanted


def test_the_model_takes_features_as_they_are(graph: Graph) -> None:
    """Then the front end may write straight into the network's input."""
    assert (graph.inputs[0].scale, graph.inputs[0].zero_point) == (1.0, 0)


@pytest.mark.data
def test_accuracy_is_the_readmes(example: Path, graph: Graph, fsdd: Path) -> None:
    wanted = config.load(example / "float.yaml").data
    assert isinstance(wanted, WavData)
    found = sets.read(fsdd, wanted.names, wanted.mfcc.rate_hz)
    official = [one for one in found if one.take in wanted.test.takes]
    clips = [centred(one.samples, WORD_8K.samples) for one in official]
    digits = np.array([int(one.label) for one in official])
    features = np.stack([mfcc.features(WORD_8K, clip) for clip in clips])
    right = int((scores(graph, features).argmax(axis=1) == digits).sum())
    assert len(digits) == 300
    text = (example / "README.md").read_text(encoding="utf-8")
    stated = re.search(r"tells (\d+) of the 300 official test recordings right", text)
    assert stated is not None
    assert right == int(stated[1])


@pytest.mark.data
@pytest.mark.gcc
@pytest.mark.qemu
def test_from_sound_to_digit_on_an_emulated_core(
    example: Path, graph: Graph, recordings: Sequence[Any], tmp_path: Path
) -> None:
    clips = np.stack([centred(one, WORD_8K.samples) for one in recordings])
    library = tmp_path / "library"
    made = package.package(graph, "cortex-m4f", "cmake", prefix="digit")
    package.write(made.files, library)
    digits, found = digits_on_m4f(tmp_path, library, example / "listen.c", clips)
    wanted = scores(graph, np.stack([mfcc.features(WORD_8K, clip) for clip in clips]))
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(digits, wanted.argmax(axis=1))
