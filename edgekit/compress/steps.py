"""A recipe's steps on a float network, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

import numpy as np

from edgekit.compress import (
    calibrate,
    floatnet,
    lowrank,
    mixed,
    prune,
    prune_iterative,
    quantize,
    simulate,
    structured,
)
from edgekit.compress.calibrate import Grid
from edgekit.compress.floatnet import FloatNet, Floats
from edgekit.compress.lessons import Lessons
from edgekit.compress.prune import Mask
from edgekit.compress.prune_iterative import Masks, Weights
from edgekit.compress.quantize import Plan
from edgekit.compress.recipe import (
    Channels,
    Mixed,
    Prune,
    Quantize,
    Recipe,
    Step,
    Svd,
    TensorTrain,
    Train,
    Training,
)
from edgekit.compress.weights import Word
from edgekit.errors import ConfigError, DoesNotFitError, ToolError
from edgekit.ir.graph import Graph
from edgekit.progress import Progress, Silent

_TRIES = 4

# What a graph costs in a unit: in all, and of each layer by its label.
Measure: TypeAlias = Callable[[Graph, str], tuple[int, Mapping[str, int]]]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A network on its way; `pruned` layers keep their zeros, `plan` is set once it is rounded."""

    net: FloatNet
    pruned: frozenset[str] = frozenset()
    plan: Plan | None = None
    notes: tuple[str, ...] = field(default=())

    def masks(self) -> dict[str, Mask]:
        """Return which weights of the pruned layers are not 0."""
        return {
            layer.label: np.asarray(floatnet.rows(layer) != 0)
            for _, layer in floatnet.weighted(self.net)
            if layer.label in self.pruned
        }


@dataclass(frozen=True, slots=True, eq=False)
class Workbench:
    """What steps work with."""

    lessons: Lessons
    calibration: Floats  # network inputs [n, *input shape]
    teacher: FloatNet
    recipe: Recipe
    measure: Measure
    progress: Progress


def run(
    net: FloatNet,
    recipe: Recipe,
    lessons: Lessons,
    measure: Measure,
    *,
    progress: Progress | None = None,
) -> State:
    """Return the network after the recipe's steps, with its plan.

    `measure` returns what a graph costs in `weights_bytes`, `cycles` or `instructions`.

    Raises ConfigError for steps that do not fit the network, DoesNotFitError for a budget that
    cannot be met, ToolError where a step trains and torch is missing.
    """
    bench = Workbench(
        lessons,
        calibration_inputs(lessons, recipe.calibration.samples),
        net,
        recipe,
        measure,
        progress or Silent(),
    )
    state = State(net)
    for number, step in enumerate(recipe.steps):
        bench.progress.stage(f"step {number}: {step.kind}")
        state = _take(state, step, bench)
    return state


def calibration_inputs(lessons: Lessons, count: int) -> Floats:
    """Return `count` training inputs, evenly spread."""
    size = len(lessons.x)
    chosen = np.unique(np.linspace(0, size - 1, min(count, size)).astype(np.int64))
    return lessons.x[chosen]


def plain(net: FloatNet, x: Floats) -> Plan:
    """Return the plan that recipes are compared with: int8, grids from minimum to maximum."""
    grids = calibrate.grids(calibrate.observe(net, x), "min_max")
    return Plan(grids, {layer.label: "int8" for _, layer in floatnet.weighted(net)})


def _take(state: State, step: Step, bench: Workbench) -> State:
    match step:
        case Train():
            net, plan = _trained(state, step, bench)
            return replace(state, net=net, plan=plan)
        case Prune():
            return _pruned(state, step, bench)
        case Channels():
            return replace(
                state,
                net=structured.remove_channels(
                    state.net, step.fraction, block=step.block, layers=step.layers
                ),
            )
        case Svd():
            net = state.net
            for name in step.layers:
                _refuse_pruned(state, name)
                net = lowrank.factorize(net, name, rank=step.rank, energy=step.energy)
            return replace(state, net=net)
        case TensorTrain():
            _refuse_pruned(state, step.layer)
            factors = (step.outputs, step.inputs, step.ranks)
            return replace(state, net=lowrank.tensor_train(state.net, step.layer, *factors))
        case Quantize():
            names = _names(state.net, tuple(step.layers))
            words = dict.fromkeys(_names(state.net, None), step.weights)
            words |= {name: step.layers[name] for name in names}
            return _rounded(state, words, _grids(state.net, bench), step.bias_correction, bench)
        case Mixed():
            return _mixed(state, step, bench)
        case _:
            assert_never(step)


def _refuse_pruned(state: State, name: str) -> None:
    if name in state.pruned:
        raise ConfigError(
            f"{name}: it is pruned, and factors of it would not have its zeros",
            hint="factorize first, then prune",
        )


def _trained(state: State, settings: Training, bench: Workbench) -> tuple[FloatNet, Plan | None]:
    try:
        from edgekit.compress import tune
    except ImportError as exc:
        raise ToolError(
            f"training needs torch: {exc}", hint="pip install 'edgekit[train]'"
        ) from exc

    return tune.tune(
        state.net,
        bench.lessons,
        settings,
        plan=state.plan,
        masks=state.masks(),
        teacher=bench.teacher,
        seed=bench.recipe.seed,
        progress=bench.progress,
    )


def _pruned(state: State, step: Prune, bench: Workbench) -> State:
    names = _names(state.net, step.layers)
    pruned = state.pruned | frozenset(names)
    latest = state.net

    def train(weights: Weights, _masks: Masks, number: int) -> Weights:
        nonlocal latest
        latest = _with_rows(state.net if step.rewind else latest, weights)
        if step.train is not None:
            bench.progress.stage(f"prune: round {number} of {step.rounds}")
            latest, _ = _trained(State(latest, pruned), step.train, bench)
        return _rows(latest, names)

    def choose(weights: Weights, sparsity: float) -> Masks:
        return _masks(step, weights, sparsity)

    begun = _rows(state.net, names)
    weights, masks = prune_iterative.iterate(
        begun,
        choose,
        train,
        sparsity=step.sparsity or 0.0,
        steps=step.rounds,
        rewind=begun if step.rewind else None,
    )
    note = f"prune: {100 * prune.sparsity_of(masks):.1f} % of the weights of its layers are 0"
    net = _with_rows(latest, weights)
    return replace(state, net=net, pruned=pruned, notes=(*state.notes, note))


def _masks(step: Prune, rows: Weights, sparsity: float) -> Masks:
    match step.method:
        case "magnitude":
            if step.scope == "global":
                return prune.by_magnitude_global(rows, sparsity)
            return {name: prune.by_magnitude(one, sparsity, name) for name, one in rows.items()}
        case "group":
            return {
                name: prune.by_group(one, sparsity, step.size, name) for name, one in rows.items()
            }
        case "n_of_m":
            assert step.n is not None
            assert step.m is not None
            return {name: prune.n_of_m(one, step.n, step.m) for name, one in rows.items()}
        case "fan_in":
            assert step.inputs is not None
            return {name: prune.fixed_fan_in(one, step.inputs) for name, one in rows.items()}
        case _:
            assert_never(step.method)


def _mixed(state: State, step: Mixed, bench: Workbench) -> State:
    (unit, budget), *_ = [(u, b) for u, b in step.limits().items() if b is not None]
    words = [word for word in step.words if not (word == "binary" and state.pruned)]
    grids = _grids(state.net, bench)
    base = Plan(grids, {layer.label: words[0] for _, layer in floatnet.weighted(state.net)})
    harm = mixed.harms(state.net, base, words, bench.calibration)
    cost, rest = _costs(state.net, base, words, unit, bench)
    apart = 0.0  # what layers cost more together than the sum of them
    for _ in range(_TRIES):
        chosen = mixed.choose(harm, cost, budget, unit, rest + apart)
        total = _total(state.net, replace(base, words=chosen), unit, bench)
        if total <= budget:
            break
        apart = total - rest - sum(cost[name][word] for name, word in chosen.items())
    else:
        raise DoesNotFitError(
            f"a budget of {budget:,} {unit}: what was found takes {total:,}",
            hint="allow more, add a narrower word, or remove channels first",
        )
    listed = ", ".join(f"{name} {word}" for name, word in chosen.items())
    state = replace(state, notes=(*state.notes, f"mixed: {listed}"))
    return _rounded(state, chosen, grids, step.bias_correction, bench)


def _costs(
    net: FloatNet, base: Plan, words: Sequence[Word], unit: str, bench: Workbench
) -> tuple[mixed.Table, float]:
    """Return what each layer costs with each word in the artefact, and what all else costs."""
    found: dict[str, dict[Word, float]] = {name: {} for name in base.words}
    rest = 0.0
    for word in words:
        plan = replace(base, words=dict.fromkeys(base.words, word))
        total, layers = bench.measure(quantize.lower(net, plan), unit)
        for name, costs in found.items():
            costs[word] = float(layers.get(name, 0))
        rest = max(rest, total - sum(costs[word] for costs in found.values()))
    return found, rest


def _total(net: FloatNet, plan: Plan, unit: str, bench: Workbench) -> int:
    return bench.measure(quantize.lower(net, plan), unit)[0]


def _rounded(
    state: State,
    words: Mapping[str, Word],
    grids: Mapping[int, Grid],
    bias_correction: bool,
    bench: Workbench,
) -> State:
    for name in sorted(state.pruned):
        if words.get(name) == "binary":
            raise ConfigError(
                f"{name}: it is pruned, and binary weights have no 0",
                hint="give it ternary weights, or prune whole channels",
            )
    plan, net = Plan(grids, words), state.net
    if bias_correction:
        net = simulate.bias_corrected(net, plan, bench.calibration)
    return replace(state, net=net, plan=plan)


def _grids(net: FloatNet, bench: Workbench) -> dict[int, Grid]:
    how = bench.recipe.calibration
    return calibrate.grids(calibrate.observe(net, bench.calibration), how.method, how.percentile)


def _names(net: FloatNet, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Return the weighted layers that a step names, or all."""
    known = tuple(layer.label for _, layer in floatnet.weighted(net))
    for name in wanted or ():
        if name not in known:
            raise ConfigError(
                f"no layer is called {name!r}", hint=f"layers with weights: {', '.join(known)}"
            )
    return known if wanted is None else tuple(wanted)


def _rows(net: FloatNet, names: Sequence[str]) -> dict[str, Floats]:
    return {
        layer.label: floatnet.rows(layer)
        for _, layer in floatnet.weighted(net)
        if layer.label in names
    }


def _with_rows(net: FloatNet, rows: Weights) -> FloatNet:
    new: dict[int, floatnet.Layer] = {
        index: replace(
            layer,
            weight=np.asarray(floatnet.from_rows(layer, rows[layer.label]), np.float32),
        )
        for index, layer in floatnet.weighted(net)
        if layer.label in rows
    }
    return floatnet.with_layers(net, new)
