"""Training: learns, repeats itself, resumes after kill -9, and survives what goes wrong."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from small import BINARY, archive, training

from edgekit.errors import ConfigError, UnsupportedError
from edgekit.progress import Silent
from edgekit.train import checkpoint, config, run
from edgekit.train.quantizers import ternary_weights

pytestmark = pytest.mark.torch

NO_RAMP = {"depthwise": {"sparsity": 0.0}}


def _train(path: Path, work: Path, **changes: Any) -> run.Trained:
    return run.train(config.parse(training(path, **changes), "a.yaml"), work, Silent())


def _weights(work: Path) -> dict[str, np.ndarray]:
    return {name: t.numpy() for name, t in checkpoint.read(work / run.MODEL).network.items()}


def _assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.tobytes() == other[name].tobytes(), name


def test_a_binary_network_learns_and_the_seed_decides_the_weights(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz")
    settings = {"epochs": 30, "batch": 16}
    first = _train(path, tmp_path / "1", train=settings)
    _train(path, tmp_path / "2", train=settings)
    _train(path, tmp_path / "3", train=settings, seed=1)
    assert first.result["accuracy"]["validation"] > 0.8
    _assert_same(_weights(tmp_path / "1"), _weights(tmp_path / "2"))
    one, other = _weights(tmp_path / "1"), _weights(tmp_path / "3")
    assert not np.array_equal(one["blocks.0.latent"], other["blocks.0.latent"])


def test_a_ternary_network_learns_with_weights_that_are_not_all_zeros(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz")
    network = [dict(layer, weight="ternary") for layer in BINARY]
    done = _train(path, tmp_path / "1", network=network, train={"epochs": 30, "batch": 16})
    assert done.result["accuracy"]["validation"] > 0.8
    for name, latent in _weights(tmp_path / "1").items():
        if name.endswith("latent"):
            codes = ternary_weights(torch.from_numpy(latent))
            assert 0.15 < (codes == 0).float().mean().item() < 0.7, name


@pytest.mark.parametrize(
    "network",
    [
        BINARY,
        [
            {"kind": "conv2d", "channels": 4, "pool": 2, "weight": "int4", "activation": "uint4"},
            {"kind": "depthwise", "weight": "ternary", "activation": "ternary", "sparsity": 0.5},
            {"kind": "average_pool", "activation": "int8"},
            {"kind": "dense", "units": 3, "weight": "int8", "norm": "batch"},
        ],
        [{"kind": "lut", "nodes": 12}, {"kind": "group_count", "temperature": 2}],
    ],
    ids=["binary", "mixed", "lut"],
)
@pytest.mark.parametrize("stop", [2, 5], ids=["", "pruned"])
def test_an_interrupted_training_ends_with_the_same_weights(
    tmp_path: Path, network: list[dict[str, Any]], stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path / "a.npz", (6, 4, 1))
    changes = {"network": network, "augment": {"shift_pixels": 1, "elastic_pixels": 0.5}}
    if stop > 4:  # in the second round
        if network[0]["kind"] == "lut":
            network = [BINARY[0], *network]
        changes["network"] = [dict(layer, **NO_RAMP.get(layer["kind"], {})) for layer in network]
        changes["prune"] = {"levels": [0.4, 0.7], "rewind_epoch": 1}
    _train(path, tmp_path / "whole", **changes)

    real = checkpoint.write

    def write_and_stop(place: Path, state: checkpoint.Checkpoint) -> None:
        real(place, state)
        if state.epoch == stop and place.name == run.CHECKPOINT:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write", write_and_stop)
    with pytest.raises(KeyboardInterrupt):
        _train(path, tmp_path / "cut", **changes)
    monkeypatch.setattr(checkpoint, "write", real)
    assert checkpoint.read(tmp_path / "cut" / run.CHECKPOINT).epoch == stop
    _train(path, tmp_path / "cut", **changes)
    _assert_same(_weights(tmp_path / "whole"), _weights(tmp_path / "cut"))


def test_resumed_after_kill_9(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz")
    settings = {"epochs": 60, "batch": 16}
    file = tmp_path / "a.yaml"
    often = training(path, train={**settings, "checkpoint_seconds": 0})
    file.write_text(yaml.safe_dump(often), encoding="utf-8")
    work = tmp_path / "killed"
    command = [sys.executable, "-m", "edgekit", "train", str(file), "-o", str(work)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    limit = time.monotonic() + 120
    while not (work / run.CHECKPOINT).exists() and time.monotonic() < limit:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    epoch = checkpoint.read(work / run.CHECKPOINT).epoch
    assert 0 < epoch < 60
    resumed = _train(path, work, train=settings)
    whole = _train(path, tmp_path / "whole", train=settings)
    _assert_same(_weights(tmp_path / "whole"), _weights(work))
    assert resumed.result["accuracy"] == whole.result["accuracy"]


def test_a_finished_training_is_not_evaluated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path / "a.npz")
    first = _train(path, tmp_path / "w")
    monkeypatch.setattr(run.loop, "accuracy", lambda *_: pytest.fail("evaluated again"))
    again = _train(path, tmp_path / "w")
    assert again.result == first.result
    assert not again.network.training


def test_another_training_file_is_not_mixed_in(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz")
    _train(path, tmp_path / "w")
    with pytest.raises(ConfigError, match="holds another training"):
        _train(path, tmp_path / "w", seed=5)
    (tmp_path / "w" / run.RESULT).unlink()
    with pytest.raises(ConfigError, match="is from another training file or seed"):
        _train(path, tmp_path / "w", seed=5)


def test_a_full_disk_leaves_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path / "a.npz")
    real = os.fsync
    calls = []

    def full_at_the_third(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 5:  # file and directory of two checkpoints, then the third file
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full_at_the_third)
    with pytest.raises(ConfigError) as caught:
        _train(path, tmp_path / "w")
    assert caught.value.message.endswith(
        "after epoch 3 cannot be written: No space left on device; the last good checkpoint is kept"
    )
    assert sorted(p.name for p in (tmp_path / "w").iterdir()) == [run.CHECKPOINT]
    assert checkpoint.read(tmp_path / "w" / run.CHECKPOINT).epoch == 2
    monkeypatch.setattr(os, "fsync", real)
    _train(path, tmp_path / "w")
    _train(path, tmp_path / "whole")
    _assert_same(_weights(tmp_path / "w"), _weights(tmp_path / "whole"))


def test_every_damaged_byte_of_a_checkpoint_is_noticed(tmp_path: Path) -> None:
    _train(archive(tmp_path / "a.npz"), tmp_path / "w")
    path = tmp_path / "w" / run.MODEL
    good = path.read_bytes()
    generator = np.random.default_rng(0)
    for cut in (0, 5, 100, len(good) - 1):
        path.write_bytes(good[:cut])
        with pytest.raises(ConfigError):
            checkpoint.read(path)
    header = int.from_bytes(good[:8], "little") + 8
    for place in generator.integers(header, len(good), 20):
        damaged = bytearray(good)
        damaged[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(ConfigError, match="is damaged"):
            checkpoint.read(path)


def _with(path: Path, **changes: Any) -> None:
    """Change fields of the checkpoint at `path` that its own writer would never write."""
    state = checkpoint.read(path)
    checkpoint.write(path, dataclasses.replace(state, **changes))


def test_a_changed_epoch_or_optimizer_is_noticed(tmp_path: Path) -> None:
    path, state = archive(tmp_path / "a.npz"), tmp_path / "w" / run.CHECKPOINT
    _train(path, tmp_path / "w")
    (tmp_path / "w" / run.RESULT).unlink()
    whole = state.read_bytes()
    state.write_bytes(whole.replace(b'"epoch":"4"', b'"epoch":"2"'))
    with pytest.raises(ConfigError, match="its epoch or training file was changed"):
        _train(path, tmp_path / "w")
    state.write_bytes(whole)
    moments = dict(checkpoint.read(state).optimizer)
    for changes, words in (
        ({"epoch": 10**9}, "epoch 1000000000 of 4"),
        ({"optimizer": {**moments, "99.exp_avg": torch.zeros(2)}}, "99.exp_avg, which is unknown"),
        ({"optimizer": {**moments, "0.exp_avg": torch.zeros(2)}}, r"\(2,\) for 0.exp_avg"),
        ({"optimizer": {"0.step": moments["0.step"]}}, "lacks some of exp_avg"),
    ):
        state.write_bytes(whole)
        _with(state, **changes)
        with pytest.raises(ConfigError, match=words):
            _train(path, tmp_path / "w")


def test_pickles_are_refused_as_teacher_and_as_beginning(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz")
    for section in ({"initial": "net.pth"}, {"distill": {"teacher": "net.pt"}}):
        with pytest.raises(UnsupportedError, match="is a pickle by its name"):
            _train(path, tmp_path / "w", **section)


def test_a_rate_that_is_too_high_is_said(tmp_path: Path) -> None:
    network = [{"kind": "dense", "units": 3, "weight": "float"}]
    with pytest.raises(ConfigError, match=r"the loss became|no longer finite"):
        _train(
            archive(tmp_path / "a.npz"),
            tmp_path / "w",
            network=network,
            train={"epochs": 40, "learning_rate": 1e38, "warmup": 0},
        )


def test_batches_of_one_sample_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz")
    wanted = config.parse(training(path, train={"batch": 1}), "a.yaml")
    with pytest.raises(ConfigError, match="batches of 1 sample"):
        run.train(wanted, tmp_path / "run", Silent())


def test_a_latent_that_is_nan_is_noticed_behind_its_sign(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz")
    _train(path, tmp_path / "w")
    state = checkpoint.read(tmp_path / "w" / run.CHECKPOINT)
    state.network["blocks.0.latent"][0, 0] = float("nan")
    checkpoint.write(tmp_path / "bad.safetensors", state)
    with pytest.raises(ConfigError, match=r"NaN or infinity in blocks\.0\.latent"):
        _train(path, tmp_path / "w2", initial=str(tmp_path / "bad.safetensors"))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ([{"kind": "dense", "units": 10**12}, *BINARY], "24000000000000 parameters"),
        ([{"kind": "lut", "nodes": 10**9}, *BINARY], "96000000000 parameters"),
        ([{"kind": "dense", "units": 4}], r"gives \(4,\), wanted one score for each of the 3"),
        ([{"kind": "conv2d", "channels": 4}], r"network\.0 \(conv2d\): wants samples with height"),
        ([{"kind": "lut", "nodes": 7}, {"kind": "group_count"}], "7 bits cannot be shared out"),
        (
            [{"kind": "dense", "units": 3, "weight": "float", "activation": "binary"}],
            "float weights take the activations none and relu",
        ),
        ([{"kind": "dense", "units": 3, "sparsity": 2}], r"network\.0\.dense\.sparsity"),
    ],
)
def test_layers_that_do_not_fit_are_named(tmp_path: Path, network: list, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        _train(archive(tmp_path / "a.npz"), tmp_path / "w", network=network)


def test_padding_with_a_value_that_the_input_cannot_have_is_refused(tmp_path: Path) -> None:
    network = [{"kind": "conv2d", "channels": 2, "pad_value": -1}, BINARY[1]]
    with pytest.raises(ConfigError, match="pad_value -1 around an input that is never negative"):
        _train(
            archive(tmp_path / "a.npz", (6, 6, 1)),
            tmp_path / "w",
            network=network,
            input={"kind": "integer"},
        )


def test_a_student_learns_from_a_teacher_that_is_trained_first(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz")
    floats = [
        {"kind": "dense", "units": 16, "weight": "float", "activation": "relu"},
        {"kind": "dense", "units": 3, "weight": "float"},
    ]
    teacher = training(path, network=floats, input={"kind": "integer"})
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(teacher), encoding="utf-8")
    distilled = {"teacher": str(tmp_path / "t.yaml"), "weight": 0.9}
    _train(path, tmp_path / "alone")
    _train(path, tmp_path / "taught", distill=distilled)
    alone, taught = _weights(tmp_path / "alone"), _weights(tmp_path / "taught")
    assert not np.array_equal(alone["blocks.0.latent"], taught["blocks.0.latent"])
    distilled["teacher"] = str(tmp_path / "taught" / "teacher")
    _train(path, tmp_path / "again", distill=distilled)
    _assert_same(taught, _weights(tmp_path / "again"))
    other = archive(tmp_path / "b.npz", seed=1)
    with pytest.raises(ConfigError, match="may have seen the student's test samples"):
        _train(other, tmp_path / "other", distill=distilled)


def test_sparsity_is_reached_and_pruned_weights_are_zero(tmp_path: Path) -> None:
    network = [dict(BINARY[0], sparsity=0.8), BINARY[1]]
    trained = _train(archive(tmp_path / "a.npz"), tmp_path / "w", network=network)
    block = trained.network.blocks[0]
    weight = block.weights().codes
    assert not bool(block.latent[block.mask == 0].any())
    assert int((weight == 0).sum()) == round(0.8 * weight.numel())
    assert set(weight.unique().tolist()) == {-1, 0, 1}
    assert trained.result["bits"]["weights"] == 2 * weight.numel() + 3 * 16


def test_rounds_of_pruning_rewind_what_is_left(tmp_path: Path) -> None:
    levels = {"levels": [0.5, 0.75], "rewind_epoch": 2}
    path = archive(tmp_path / "a.npz")
    trained = _train(path, tmp_path / "w", prune=levels, train={"epochs": 5, "batch": 16})
    total = 24 * 16 + 16 * 3
    assert [row["nonzero_weights"] for row in trained.result["rounds"]] == [
        *(total, total // 2, total // 4)
    ]
    states = [checkpoint.read(tmp_path / "w" / f"round{part}.safetensors") for part in range(3)]
    masks = [state.network["blocks.0.mask"] for state in states]
    assert not bool((masks[2] > masks[1]).any())  # what went stays away
    _train(path, tmp_path / "dense", train={"epochs": 5, "batch": 16})
    dense = _weights(tmp_path / "dense")
    assert np.array_equal(dense["blocks.0.latent"], states[0].network["blocks.0.latent"].numpy())


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"prune": {"levels": [0.5, 0.5]}}, "do not rise"),
        ({"prune": {"levels": [0.5], "rewind_epoch": 4}}, "is not before epoch 4, the last"),
        ({"prune": {"levels": [0.5]}, "network": [dict(BINARY[1], sparsity=0.5)]}, "choose one"),
    ],
)
def test_rounds_that_make_no_sense_are_refused(tmp_path: Path, section: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        _train(archive(tmp_path / "a.npz"), tmp_path / "w", **section)


def test_convolutions_in_bfloat16_are_exact(tmp_path: Path) -> None:
    network = [{"kind": "conv2d", "channels": 8, "activation": "binary", "kernel": 5}, BINARY[1]]
    path = archive(tmp_path / "a.npz", (12, 16, 1))
    found = {}
    for compute in ("float32", "bfloat16"):
        settings = {"epochs": 1, "compute": compute}
        trained = _train(path, tmp_path / compute, network=network, train=settings)
        block = trained.network.blocks[0].train()
        coded = trained.network.encoding(torch.from_numpy(trained.dataset.val_x))
        found[compute] = (block.compute, block.sums(coded, block.weights()))
    assert [dtype for dtype, _ in found.values()] == [torch.float32, torch.bfloat16]
    assert torch.equal(found["float32"][1], found["bfloat16"][1])


def test_few_bits_begin_from_trained_floats(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz")
    parts = [("float", "relu"), ("int4", "uint4")]
    networks = [
        [dict(BINARY[0], weight=w, activation=a), dict(BINARY[1], weight=w, norm="batch")]
        for w, a in parts
    ]
    source = {"kind": "integer"}
    float_run = _train(
        path, tmp_path / "f", network=networks[0], input=source, train={"epochs": 20, "batch": 16}
    )
    tuned = _train(
        path,
        tmp_path / "q",
        network=networks[1],
        input=source,
        train={"epochs": 2, "batch": 16, "learning_rate": 1e-4},
        initial=str(tmp_path / "f" / run.MODEL),
    )
    assert float_run.result["accuracy"]["validation"] > 0.9
    assert tuned.result["accuracy"]["validation"] > 0.9
    wrong = [dict(networks[1][0], units=15), networks[1][1]]
    with pytest.raises(ConfigError, match=r"has \(16, 12\) for blocks\.0\.latent"):
        _train(
            path,
            tmp_path / "w",
            network=wrong,
            input=source,
            initial=str(tmp_path / "f" / run.MODEL),
        )
