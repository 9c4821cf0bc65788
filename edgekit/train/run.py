"""From a training file to a trained network and its figures, in a work directory."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.build.hold import hold
from edgekit.errors import ConfigError
from edgekit.ir import serialize
from edgekit.progress import Progress
from edgekit.train import checkpoint, config, data, distill, export, loop, network
from edgekit.train.config import TrainConfig
from edgekit.train.data.dataset import Dataset
from edgekit.train.layers import Weighted
from edgekit.train.lut import LookUpTables
from edgekit.train.network import Network

CHECKPOINT, MODEL = "checkpoint.safetensors", "model.safetensors"
GRAPH, RESULT = "graph.safetensors", "result.json"
_STORED_BITS = {"float": 32, "binary": 1, "ternary": 2, "int2": 2, "int4": 4, "int8": 8}


@dataclass(frozen=True, slots=True)
class Bits:
    """Bits that the network's weights, look-up tables and connections take as stored."""

    weights: int
    tables: int
    connections: int
    nonzero_weights: int


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A finished training: the network in evaluation mode, its data and its figures."""

    config: TrainConfig
    network: Network
    dataset: Dataset
    result: dict[str, Any]


def train(wanted: TrainConfig, work: Path, progress: Progress, *, restart: bool = False) -> Trained:
    """Train `wanted` in `work`, from its checkpoint where one is, and evaluate the result once.

    The test part is touched only here, after the last epoch; a finished training is not
    evaluated again. Raises ConfigError for bad data, layers that do not fit, a loss that is not
    finite and a disk that is full.
    """
    work.mkdir(parents=True, exist_ok=True)
    with hold(work, wait=False), loop.reproducible(wanted.train.threads):
        if restart:
            for name in (CHECKPOINT, MODEL, GRAPH, RESULT):
                (work / name).unlink(missing_ok=True)
        progress.stage("data")
        dataset = data.load(wanted.data)
        built = network.build(wanted, dataset)
        finished = _finished(wanted, work)
        if finished is not None:
            checkpoint.restore(checkpoint.read(work / MODEL), built, None)
            built.eval()
            return Trained(wanted, built, dataset, finished)
        _begin(wanted, built)
        teacher = _teacher(wanted, dataset, work, progress)
        started = time.monotonic(), time.process_time()
        loop.fit(wanted, built, dataset, teacher, work / CHECKPOINT, progress)
        checkpoint.write(work / MODEL, checkpoint.capture(wanted, wanted.train.epochs, built))
        if _integer(built):
            graph = export.to_graph(built, wanted.name, dataset.shape, dataset.train_x.dtype)
            serialize.save(graph, work / GRAPH)
        seconds = time.monotonic() - started[0], time.process_time() - started[1]
        result = _result(wanted, built, dataset, work, seconds)
        checkpoint.replace_file(work / RESULT, json.dumps(result, indent=1).encode())
        return Trained(wanted, built, dataset, result)


def bits(trained: Network) -> Bits:
    """Return what the network takes as stored; binary weights with a mask take two bits."""
    weights = tables = connections = nonzero = 0
    for block in trained.blocks:
        if isinstance(block, Weighted):
            stored = 2 if block.pruned and block.spec.weight == "binary" else None
            weights += block.latent.numel() * (stored or _STORED_BITS[block.spec.weight])
            nonzero += int((block.weights().codes != 0).sum())
        elif isinstance(block, LookUpTables):
            tables += block.tables.numel()
            address = max(math.ceil(math.log2(len(block.candidates))), 1)
            connections += block.connections().numel() * address
    return Bits(weights, tables, connections, nonzero)


def _integer(built: Network) -> bool:
    """Whether all weights are of few bits; a float network has no integer graph."""
    return all(block.spec.weight != "float" for _, block in built.weighted())


def _begin(wanted: TrainConfig, built: Network) -> None:
    if wanted.initial is not None:
        state = checkpoint.read(wanted.initial)
        built.begin_from(state.network, str(wanted.initial))


def _teacher(
    wanted: TrainConfig, dataset: Dataset, work: Path, progress: Progress
) -> Network | None:
    """Return the teacher: from its model, or trained now from its own training file."""
    if wanted.distill is None:
        return None
    path = wanted.distill.teacher
    if path.suffix in (".yaml", ".yml"):
        inner = config.load(path)
        if inner.distill is not None:
            raise ConfigError(f"{path}: a teacher that is trained here has no teacher of its own")
        train(inner, work / "teacher", progress)
        path = work / "teacher"
    state = checkpoint.read(path / MODEL if path.is_dir() else path)
    distill.check_same_test(state, wanted)
    return distill.teacher_of(state, dataset)


def _finished(wanted: TrainConfig, work: Path) -> dict[str, Any] | None:
    path = work / RESULT
    if not path.exists() or not (work / MODEL).exists():
        return None
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}", hint="--restart begins again") from exc
    if not isinstance(result, dict) or result.get("digest") != wanted.digest():
        raise ConfigError(
            f"{work} holds another training",
            hint="choose another --work, or --restart to begin again",
        )
    return result


def _rounds(wanted: TrainConfig, dataset: Dataset, work: Path) -> list[dict[str, Any]]:
    """Return what each round of pruning gave on the validation part, the dense one first."""
    rows: list[dict[str, Any]] = []
    levels = () if wanted.prune is None else (0.0, *wanted.prune.levels)
    for part, level in enumerate(levels):
        path = loop.round_path(work, part)
        built = network.build(wanted, dataset)
        checkpoint.restore(checkpoint.read(path), built, None)
        rows.append(
            {
                "sparsity": level,
                "validation": loop.accuracy(built, dataset.val_x, dataset.val_y),
                "nonzero_weights": bits(built).nonzero_weights,
                "model": str(path),
            }
        )
    return rows


def _result(
    wanted: TrainConfig, built: Network, dataset: Dataset, work: Path, seconds: tuple[float, float]
) -> dict[str, Any]:
    stored = bits(built)
    rounds = _rounds(wanted, dataset, work)
    return {
        "schema": 1,
        "name": wanted.name,
        "seed": wanted.seed,
        "digest": wanted.digest(),
        "accuracy": {
            "validation": loop.accuracy(built, dataset.val_x, dataset.val_y),
            "test": loop.accuracy(built, dataset.test_x, dataset.test_y),
        },
        "samples": {
            "training": len(dataset.train_y),
            "validation": len(dataset.val_y),
            "test": len(dataset.test_y),
        },
        "bits": {
            "weights": stored.weights,
            "tables": stored.tables,
            "connections": stored.connections,
            "nonzero_weights": stored.nonzero_weights,
        },
        "rounds": rounds,
        "seconds": round(seconds[0], 1),  # of this run; a resumed one did not do it all
        "cpu_seconds": round(seconds[1], 1),
        "checkpoint": str(work / CHECKPOINT),
        "model": str(work / MODEL),
        "graph": str(work / GRAPH) if _integer(built) else None,
    }
