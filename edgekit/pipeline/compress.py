"""compress: a float network through a recipe, judged on what is generated before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.board import McuBoard
from edgekit.compress import floatnet, lessons, load, luts, quantize, simulate, steps
from edgekit.compress.floatnet import Floats
from edgekit.compress.lessons import Lessons
from edgekit.compress.recipe import Recipe
from edgekit.compress.steps import Measure, State
from edgekit.cost import energy
from edgekit.errors import ConfigError, MismatchError
from edgekit.ir import edges, interp, serialize
from edgekit.ir.graph import Graph
from edgekit.passes.memory import tensor_bytes
from edgekit.pipeline import bench, detail, native, stages
from edgekit.pipeline.prepare import McuPrepared, prepare
from edgekit.pipeline.settings import Settings
from edgekit.pipeline.station import attach
from edgekit.progress import Progress, Silent
from edgekit.target import mcu
from edgekit.train import data
from edgekit.virtual.process import Counts

_SIZES = ("weights_bytes", "code_bytes", "tables_bytes", "arena_bytes")
_FLASH = ("weights_bytes", "code_bytes", "tables_bytes")
_SPEEDS = ("instructions", "energy_uj")


@dataclass(frozen=True, slots=True)
class Job:
    """What is compressed, for which board, and where files go."""

    model: Path
    recipe: Recipe
    board: McuBoard
    operating_point: str
    output: Path  # the integer graph, .safetensors
    work: Path


def compress(job: Job, *, progress: Progress | None = None) -> dict[str, Any]:
    """Run the recipe, write the graph to `job.output` and return the report.

    Before: the same float network in int8, its grids from minimum to maximum and nothing else.
    Both are generated, built, counted on the board's twin where there is one, and run on the data.

    Raises what loading, the recipe's steps and building raise; ConfigError for an output that
    cannot be written, MismatchError if the generated C is not the graph.
    """
    progress = progress or Silent()
    _check_output(job.output)
    job.work.mkdir(parents=True, exist_ok=True)
    progress.stage("data")
    samples = data.load(job.recipe.data)
    net = load.load(job.model, samples)
    learned = lessons.of(net, samples, job.recipe.input_scale)
    count = job.recipe.calibration.samples
    plain = steps.plain(net, steps.calibration_inputs(learned, count))
    first = quantize.lower(net, plain)
    before = _figures(job, first, "before", progress)
    done = steps.run(net, job.recipe, learned, _measure(job, progress), progress=progress)
    assert done.plan is not None  # a recipe rounds once
    final = quantize.lower(done.net, done.plan)
    after = _figures(job, final, "after", progress)
    serialize.save(final, job.output)
    progress.stage("accuracy")
    return {
        "schema": 1,
        "model": job.model.name,
        "board": job.board.name,
        "output": str(job.output),
        "samples": {"validation": len(learned.val_y), "test": len(learned.test_y)},
        "accuracy": {
            "metric": "top1",
            "float": _accuracies(learned, lambda x: floatnet.forward(net, x)),
            "before": _accuracies(learned, lambda x: _run(first, x)),
            "after": _accuracies(learned, lambda x: _run(final, x)),
        },
        "before": before,
        "after": after,
        "layers": _layers(done),
        **_verdict(before, after),
        "notes": list(done.notes),
        "error": None,
    }


def _measure(job: Job, progress: Progress) -> Measure:
    """Return what counts a graph for a budget: bytes from its code, the rest on the twin."""

    def measure(graph: Graph, unit: str) -> tuple[int, Mapping[str, int]]:
        if unit == "weights_bytes":
            lowered = stages.lower(graph, job.board).graph
            by_tensor = mcu.weights_bytes(lowered, job.board)
            layers = {node.label: by_tensor.get(node.y, 0) for node in lowered.nodes}
            return sum(layers.values()), layers
        with TemporaryDirectory(prefix="edgekit-compress-") as folder:
            path = Path(folder) / "graph.safetensors"
            serialize.save(graph, path)
            settings = _settings(job, path)
            if not settings.virtual:
                raise ConfigError(
                    f"a budget of {unit}: {job.board.name} has no twin to count them on",
                    hint="give the budget in weights_bytes, or name an emulated board",
                )
            prepared = prepare(settings, progress)
            with attach(settings, prepared.artifact, prepared.macs, progress=progress) as station:
                counts = None if station.counts is None else station.counts()
        return _counted(job, prepared, counts, unit)

    return measure


def _counted(
    job: Job, prepared: McuPrepared, counts: Counts | None, unit: str
) -> tuple[int, Mapping[str, int]]:
    rows = detail.layer_rows(prepared.lowered, mcu.kernels(prepared.lowered, job.board), counts)
    assert counts is not None
    if unit == "instructions":
        return counts.instructions, {row.name: row.instructions or 0 for row in rows}
    if counts.cycles_hi is None:
        raise ConfigError(
            f"a budget of cycles: the twin of {job.board.name} has no timing of {job.board.cpu}",
            hint="give the budget in instructions",
        )
    return counts.cycles_hi, {row.name: 0 if row.cycles is None else row.cycles.hi for row in rows}


def _figures(job: Job, graph: Graph, name: str, progress: Progress) -> dict[str, Any]:
    """Return what the generated artefact takes, after seeing that it computes the graph."""
    path = job.work / f"{name}.safetensors"
    serialize.save(graph, path)
    settings = _settings(job, path)
    prepared = prepare(settings, progress)
    equality = _equality(prepared, settings, progress)
    if settings.virtual:
        found = bench.row(settings, prepared, progress)
    else:
        sizes = prepared.artifact.sizes
        found = {key: getattr(sizes, key) for key in _SIZES}
    cycles = found.get("cycles")
    point = job.board.operating_points[job.operating_point]
    powered = point.powered()
    modelled = None
    if cycles is not None and powered is not None:
        modelled = energy.active_mw(powered) * cycles["hi"] / point.clock_hz * 1e3
    return {
        **{key: found[key] for key in _SIZES},
        "instructions": found.get("instructions"),
        "cycles": cycles,
        "energy_uj": modelled,
        "energy_source": None if modelled is None else "modelled",
        "lut_estimate": luts.estimate(graph),
        "equality": equality,
    }


def _equality(prepared: McuPrepared, settings: Settings, progress: Progress) -> dict[str, Any]:
    """Compare the generated C with the graph on the seeded inputs of `prepared`."""
    progress.stage("generated C on this machine")
    samples, graph = prepared.samples, prepared.graph
    tensor = graph.tensors[graph.outputs[0].tensor]
    meant = interp.run(graph, {graph.inputs[0].tensor: samples.integers})[tensor.name]
    host = native.run(prepared.plan, samples.as_bytes(), tensor_bytes(tensor), settings.work)
    if host is None:
        return {"samples": 0, "mismatches": None, "chain": ["graph"]}
    wrong = (edges.from_bytes(tensor, host) != meant.reshape(len(samples), -1)).any(axis=1)
    if wrong.any():
        raise MismatchError(
            f"{graph.name}: the generated C differs from the graph in {int(wrong.sum())} of "
            f"{len(samples)} samples, first in {int(wrong.argmax())}",
            hint="run `edgekit verify` on the graph to find the layer",
        )
    return {"samples": len(samples), "mismatches": 0, "chain": ["graph", "c"]}


def _settings(job: Job, model: Path) -> Settings:
    contract = job.board.contract.model_copy(update={"operating_point": job.operating_point})
    return Settings(model, job.board, contract, job.work, virtual=job.board.emulated)


def _check_output(output: Path) -> None:
    if output.suffix != ".safetensors" or output.is_dir() or not output.parent.is_dir():
        raise ConfigError(
            f"{output} cannot be written: the name of a .safetensors file in a directory that "
            "exists is wanted"
        )
    probe = output.with_name(f"{output.name}.partial")
    try:  # before minutes of work, not after
        probe.touch()
        probe.unlink()
    except OSError as exc:
        raise ConfigError(
            f"{output} cannot be written: {exc.strerror}", hint="check the directory and its space"
        ) from exc


def _run(graph: Graph, x: Floats) -> NDArray[np.int64]:
    """Return the graph's integers for samples in its own layout."""
    (given,), (taken,) = graph.inputs, graph.outputs
    plain = replace(given, transpose=None, source_shape=(1, *x.shape[1:]))
    return interp.run(graph, {given.tensor: edges.quantize(plain, x)})[taken.tensor]


def _accuracies(learned: Lessons, run: Callable[[Floats], NDArray[Any]]) -> dict[str, float]:
    parts = {
        "validation": (learned.val_x, learned.val_y),
        "test": (learned.test_x, learned.test_y),
    }
    return {
        name: float((run(x).reshape(len(y), -1).argmax(axis=1) == y).mean())
        for name, (x, y) in parts.items()
    }


def _layers(done: State) -> list[dict[str, Any]]:
    assert done.plan is not None
    rows = []
    for _, layer, at, out in simulate.between(done.net, done.plan):
        word = done.plan.words[layer.label]
        scale = done.plan.scales.get(layer.label)
        codes = quantize.coded(layer, word, scale, at, out).rows
        zeros = float((codes == 0).mean())
        rows.append(
            {"name": layer.label, "weights": word, "count": codes.size, "zero_share": zeros}
        )
    return rows


def _verdict(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what became larger or slower, in words too."""
    worse = [
        f"{key} grows from {before[key]:,.0f} to {after[key]:,.0f}"
        for key in (*_SIZES, *_SPEEDS)
        if None not in (before[key], after[key]) and after[key] > before[key]
    ]
    flash = [sum(side[key] for key in _FLASH) for side in (before, after)]
    counted = None not in (before["instructions"], after["instructions"])
    return {
        "larger": flash[1] > flash[0],
        "slower": after["instructions"] > before["instructions"] if counted else None,
        "worse": worse,
    }
