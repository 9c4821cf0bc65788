"""Accuracy over seeds of the float network and of what each recipe makes of it.

    python evaluate.py --seeds 5                # the official test part, takes 0 to 4
    python evaluate.py --seeds 5 --speakers     # six folds, each without one speaker

Features are computed once. Every network is a line of build/accuracy.jsonl as soon as it is
finished, so that what was interrupted continues. Integer networks are run by their graphs. The
test part of a fold is used for its line alone; epochs are chosen on takes 5 to 9 of the others.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.audio import mfcc, recordings
from edgekit.audio.perturb import Perturbation, centred, perturb
from edgekit.audio.tables import Mfcc
from edgekit.compress import lessons, quantize, recipe, steps, trained
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.progress import Silent
from edgekit.train import checkpoint, config, loop, network
from edgekit.train.config import TrainConfig, WavData
from edgekit.train.data.dataset import Dataset, checked

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
RECIPES = ("int8", "int4", "ternary")


class Spoken:
    """Features of all recordings and of their changed copies: x (1 + copies, n, 49, 13)."""

    def __init__(self, source: WavData) -> None:
        cached = BUILD / "features.npz"
        if not cached.exists():
            BUILD.mkdir(exist_ok=True)
            np.savez(cached, **self._computed(source))
        with np.load(cached) as arrays:
            self.x, self.y = arrays["x"], arrays["y"]
            self.speaker, self.take = arrays["speaker"], arrays["take"]

    @staticmethod
    def _computed(source: WavData) -> dict[str, NDArray[Any]]:
        settings = Mfcc(**source.mfcc.model_dump())
        found = recordings.read(source.path, source.names, settings.rate_hz)
        wanted = Perturbation(**source.perturb.model_dump())
        generator = np.random.default_rng(source.split_seed)
        clips = [centred(one.samples, settings.samples) for one in found]
        for _ in range(source.copies):
            clips += [perturb(one.samples, settings.samples, wanted, generator) for one in found]
        x = np.stack([mfcc.features(settings, clip) for clip in clips])
        return {
            "x": x.reshape(1 + source.copies, len(found), *x.shape[1:]),
            "y": np.array([int(one.label) for one in found]),
            "speaker": np.array([one.group for one in found]),
            "take": np.array([int(one.take) for one in found]),
        }

    def without(self, test: NDArray[np.bool_]) -> Dataset:
        """Return a data set whose test part is where `test`."""
        val = ~test & (self.take >= 5) & (self.take < 10)
        train = ~test & ~val
        x = self.x[:, train]
        return checked(
            Dataset(
                x.reshape(-1, *x.shape[2:]),
                np.tile(self.y[train], len(x)),
                *(self.x[0, val], self.y[val]),
                *(self.x[0, test], self.y[test]),
                classes=10,
            ),
            "the recordings",
        )


def float_accuracy(wanted: TrainConfig, data: Dataset, path: Path) -> float:
    """Train the float network, write it to `path` and return its test accuracy."""
    with loop.reproducible(1):
        built = network.build(wanted, data)
        loop.fit(wanted, built, data, None, None, Silent())
        accuracy = loop.accuracy(built, data.test_x, data.test_y)
    checkpoint.write(path, checkpoint.capture(wanted, wanted.train.epochs, built, None))
    assert accuracy is not None
    return accuracy


def recipe_accuracy(name: str, seed: int, data: Dataset, path: Path) -> float:
    """Take the float network at `path` through a recipe; return its graph's test accuracy."""
    net = trained.load(path, data)
    learned = lessons.of(net, data, 1.0)
    wanted = recipe.load(HERE / f"{name}.yaml").model_copy(update={"seed": seed})
    done = steps.run(net, wanted, learned, measure=_uncounted)
    assert done.plan is not None
    graph = quantize.lower(done.net, done.plan)
    (given,), (taken,) = graph.inputs, graph.outputs
    x = learned.test_x
    edge = replace(given, transpose=None, source_shape=(1, *x.shape[1:]))
    y = interp.run(graph, {given.tensor: edges.quantize(edge, x)})[taken.tensor]
    return float((y.reshape(len(x), -1).argmax(axis=1) == learned.test_y).mean())


def _uncounted(graph: Graph, unit: str) -> tuple[int, dict[str, int]]:
    raise AssertionError(f"{graph.name}: no recipe here has a budget of {unit}")


def results(
    wanted: TrainConfig, spoken: Spoken, fold: str, test: NDArray[np.bool_], done: dict[Any, float]
) -> Iterator[tuple[str, float]]:
    """Yield what of this seed and fold is not done yet."""
    data = spoken.without(test)
    path = BUILD / f"float_{fold}_{wanted.seed}.safetensors"
    if ("float", fold, wanted.seed) not in done:
        yield "float", float_accuracy(wanted, data, path)
    for name in RECIPES:
        if (name, fold, wanted.seed) not in done:
            yield name, recipe_accuracy(name, wanted.seed, data, path)


def main() -> None:
    """Train every seed and fold that is missing, then print means and spreads over seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--speakers", action="store_true", help="leave each speaker out in turn")
    options = parser.parse_args()
    wanted = config.load(HERE / "float.yaml")
    assert isinstance(wanted.data, WavData)
    spoken = Spoken(wanted.data)
    folds = {"official": spoken.take < 5}
    if options.speakers:
        folds = {name: spoken.speaker == name for name in sorted(set(spoken.speaker.tolist()))}
    log = BUILD / "accuracy.jsonl"
    rows = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    done = {(r["network"], r["fold"], r["seed"]): r["accuracy"] for r in map(json.loads, rows)}
    for seed in range(options.seeds):
        seeded = wanted.model_copy(update={"seed": seed})
        for fold, test in folds.items():
            for name, accuracy in results(seeded, spoken, fold, test, done):
                done[name, fold, seed] = accuracy
                row = {"network": name, "fold": fold, "seed": seed, "accuracy": accuracy}
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
    for name in ("float", *RECIPES):
        table = np.array(
            [[100 * done[name, f, s] for f in folds] for s in range(options.seeds)]
        )  # seeds by folds
        spread = table.mean(axis=1).std(ddof=1) if options.seeds > 1 else 0.0
        each = ", ".join(f"{f} {v:.1f}" for f, v in zip(folds, table.mean(axis=0), strict=True))
        print(f"{name:8} {table.mean():6.2f} ± {spread:.2f} %   ({each})")


if __name__ == "__main__":
    main()
