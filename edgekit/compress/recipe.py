"""The recipe: a YAML file of data, calibration and steps, checked before anything runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgekit.compress.weights import Word
from edgekit.errors import ConfigError
from edgekit.train.config import DigitsData, TrainingData

_MAX_BYTES = 1 << 20

Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Calibration(_Strict):
    """How grids of activations are found: on training samples, spread evenly."""

    samples: Count = 512
    method: Literal["min_max", "percentile", "mse"] = "mse"
    percentile: Annotated[float, Field(gt=50, le=100)] = 99.99


class Training(_Strict):
    """AdamW with a linear warm-up over the first 5 % and a cosine to 0."""

    epochs: Count = 2
    learning_rate: Positive = 1e-3
    batch: Count = 64
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    distill: Annotated[float, Field(ge=0, le=1)] = 0.5  # weight of the original's answers
    temperature: Positive = 2.0


class Train(Training):
    """Train on: in floats, or with the rounding of the last `quantize` or `mixed` step."""

    kind: Literal["train"]


class Prune(_Strict):
    """Set single weights to 0; what is 0 stays 0 in later training."""

    kind: Literal["prune"]
    method: Literal["magnitude", "group", "n_of_m", "fan_in"] = "magnitude"
    scope: Literal["global", "layer"] = "global"  # of `magnitude`
    sparsity: Share | None = None  # of `magnitude` and `group`
    size: Count = 4  # weights of a `group`; 32: words of binary weights
    n: Count | None = None
    m: Annotated[int, Field(gt=0, le=1024)] | None = None
    inputs: Count | None = None  # of each neuron, for `fan_in`
    layers: tuple[str, ...] | None = None  # default: all that have weights
    rounds: Count = 1
    rewind: bool = False  # each round starts again from the weights before this step
    train: Training | None = None  # after each round

    @model_validator(mode="after")
    def _complete(self) -> Prune:
        wanted = {
            "magnitude": ("sparsity",),
            "group": ("sparsity",),
            "n_of_m": ("n", "m"),
            "fan_in": ("inputs",),
        }[self.method]
        for key in ("sparsity", "n", "m", "inputs"):
            said = getattr(self, key) is not None
            if said != (key in wanted):
                raise ValueError(f"method {self.method} {'takes no' if said else 'needs'} `{key}`")
        if self.n is not None and self.m is not None and self.n > self.m:
            raise ValueError(f"n {self.n} is above m {self.m}")
        if (self.rounds > 1 or self.rewind) and self.train is None:
            raise ValueError("more than one round, or rewinding, needs `train`")
        return self


class Channels(_Strict):
    """Remove whole channels and neurons: tensors become smaller."""

    kind: Literal["channels"]
    fraction: Share
    block: Count = 1
    layers: tuple[str, ...] | None = None


class Svd(_Strict):
    """Make two layers of one, by singular values."""

    kind: Literal["svd"]
    layers: Annotated[tuple[str, ...], Field(min_length=1)]
    rank: Count | None = None
    energy: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Svd:
        if (self.rank is None) == (self.energy is None):
            raise ValueError("either `rank` or `energy` is wanted")
        return self


class TensorTrain(_Strict):
    """Make a tensor train of a dense layer; factors multiply to its outputs and inputs."""

    kind: Literal["tensor_train"]
    layer: str
    outputs: Annotated[tuple[Count, ...], Field(min_length=2)]
    inputs: Annotated[tuple[Count, ...], Field(min_length=2)]
    ranks: Annotated[tuple[Count, ...], Field(min_length=1)]


class Quantize(_Strict):
    """Round: grids from calibration, `weights` for all layers but those that `layers` names."""

    kind: Literal["quantize"]
    weights: Word = "int8"
    layers: dict[str, Word] = {}
    bias_correction: bool = True


class Mixed(_Strict):
    """Round, with words by sensitivity: least harm within one budget."""

    kind: Literal["mixed"]
    words: Annotated[tuple[Word, ...], Field(min_length=2)] = ("int8", "int4")
    weights_bytes: Count | None = None
    cycles: Count | None = None  # upper end of the interval
    instructions: Count | None = None
    bias_correction: bool = True

    @model_validator(mode="after")
    def _one(self) -> Mixed:
        if sum(limit is not None for limit in self.limits().values()) != 1:
            raise ValueError("one of `weights_bytes`, `cycles` and `instructions` is wanted")
        return self

    def limits(self) -> dict[str, int | None]:
        """Return the budgets by unit."""
        return {
            "weights_bytes": self.weights_bytes,
            "cycles": self.cycles,
            "instructions": self.instructions,
        }


Step: TypeAlias = Annotated[
    Train | Prune | Channels | Svd | TensorTrain | Quantize | Mixed, Field(discriminator="kind")
]


class Recipe(_Strict):
    """A whole recipe file."""

    data: TrainingData
    input_scale: Positive = 1.0  # real input = input_scale * sample
    calibration: Calibration = Calibration()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Recipe:
        rounding = [k for k, step in enumerate(self.steps) if isinstance(step, Quantize | Mixed)]
        if len(rounding) != 1:
            raise ValueError(f"{len(rounding)} steps `quantize` or `mixed`; exactly 1 is wanted")
        for k, step in enumerate(self.steps):
            if k > rounding[0] and not isinstance(step, Train):
                raise ValueError(
                    f"steps.{k}: `{step.kind}` behind the rounding; only `train` may follow it"
                )
        return self


def load(path: Path) -> Recipe:
    """Read a recipe; relative paths in it are relative to the file.

    Raises ConfigError for a file that cannot be read or is not YAML, and for keys and values
    that are not as wanted; each is named.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path} is larger than {_MAX_BYTES} bytes: not a recipe")
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"recipe {path} cannot be read: {exc.strerror}") from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:  # not UTF-8, an impossible date
        raise ConfigError(f"recipe {path} is not YAML: {' '.join(str(exc).split())}") from exc
    if not isinstance(data, dict):
        raise ConfigError(f"recipe {path} holds a {type(data).__name__}; keys are wanted")
    try:
        found = Recipe.model_validate(data)
    except ValidationError as exc:
        raise _translated(exc, path) from exc
    source = found.data
    if isinstance(source, DigitsData):
        return found
    moved = source.model_copy(update={"path": path.resolve().parent / source.path})
    return found.model_copy(update={"data": moved})


def _translated(error: ValidationError, path: Path) -> ConfigError:
    rows, hints = [], []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        text = str(item["msg"]).removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            text = "unknown key"
            hints.append(_nearest(str(item["loc"][-1])))
        rows.append(f"{where}: {text}" if where else text)
    return ConfigError(f"recipe {path}: {'; '.join(rows)}", hint="; ".join(h for h in hints if h))


def _nearest(key: str) -> str:
    valid = sorted({name for model in _models(_Strict) for name in model.model_fields})
    close = difflib.get_close_matches(key, valid, n=1)
    return f"did you mean `{close[0]}`?" if close else ""


def _models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in base.__subclasses__():
        yield child
        yield from _models(child)
