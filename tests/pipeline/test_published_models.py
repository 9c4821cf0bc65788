"""Published int8 models, from the file to the answers of the virtual board."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from deploying import edgekit
from numpy.typing import NDArray

pytestmark = [pytest.mark.data, pytest.mark.virtual, pytest.mark.gcc, pytest.mark.tflite]

CHAIN = ["tflite-ref", "graph", "c", "board"]


def hello_world(_: Path) -> NDArray[np.int8]:
    return np.arange(-128, 128, dtype=np.int8).reshape(256, 1)


def micro_speech(_: Path) -> NDArray[np.int8]:
    x = np.random.default_rng(5).normal(-60, 50, (16, 1960))
    return np.clip(x, -128, 127).astype(np.int8)


def person_detect(_: Path) -> NDArray[np.int8]:
    """Waves and noise, which both answers are given to."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:96, :96]
    waves = [80 * np.sin(columns / (4 + k)) + 60 * np.cos(rows / (6 + k)) for k in range(2)]
    x = np.stack([*waves, rng.normal(0, 60, (96, 96))])[..., np.newaxis]
    return np.clip(x, -128, 127).astype(np.int8)


def digits(data: Path) -> NDArray[np.float32]:
    with gzip.open(data / "datasets/mnist/t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, 16 * 784, 16)
    return (images.reshape(16, 28, 28, 1) / 255).astype(np.float32)


MODELS = {
    "tflm/hello_world_int8": hello_world,
    "tflm/micro_speech_quantized": micro_speech,
    "tflm/person_detect": person_detect,
    "tinyengine/ptq_mnist_lenet-300-100": digits,
}


# The largest of them is for the night.
NAMES = [
    pytest.param(name, marks=pytest.mark.nightly) if name.endswith("person_detect") else name
    for name in MODELS
]


@pytest.mark.parametrize("name", NAMES)
def test_the_board_answers_as_the_reference(shared_data: Path, tmp_path: Path, name: str) -> None:
    x = MODELS[name](shared_data)
    np.savez(tmp_path / "x.npz", x=x)
    model = shared_data / "models" / f"{name}.tflite"
    arguments = ("verify", model, "--data", "x.npz", "--board", "nucleo-l4r5zi", "--virtual")
    ended = edgekit(tmp_path, *arguments, "--json", "-o", "work")
    assert ended.code == 0, ended.err
    found = ended.json["equality"]
    assert found["chain"] == CHAIN
    assert (found["samples"], found["mismatches"]) == (len(x), 0)
