"""The training file: a frozen model of CONFIG.yaml, its defaults and its errors.

Relative paths are relative to the file. `edgekit train` says what each section does; the example
`examples/digits_binary/train.yaml` is a whole one.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import yaml
from pydantic import BaseModel, Field, ValidationError

from edgekit.errors import ConfigError, UnsupportedError
from edgekit.train.config_layers import (
    Count,
    Fraction,
    Input,
    IntegerInput,
    Layer,
    NotNegative,
    NotNegativeInt,
    Positive,
    Share,
    Strict,
)

_MAX_BYTES = 1 << 20
PICKLED = {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib"}


class DigitsData(Strict):
    """scikit-learn's digits; fractions of the whole set. Validation 0: none is held out."""

    kind: Literal["digits"]
    validation: Fraction = 0.15
    test: Fraction = 0.25
    split_seed: NotNegativeInt = 0


class IdxData(Strict):
    """A directory with the four files of MNIST, plain or gzip."""

    kind: Literal["idx"]
    path: Path
    validation: Fraction = 0.1
    split_seed: NotNegativeInt = 0


class NpzData(Strict):
    """An archive with train_x, train_y, test_x, test_y and optionally val_x, val_y."""

    kind: Literal["npz"]
    path: Path
    validation: Fraction = 0.1
    split_seed: NotNegativeInt = 0


Decibels = Annotated[float, Field(ge=-200, le=200)]


class Held(Strict):
    """Recordings kept apart: those of a group or a take that is listed."""

    groups: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


class MfccSettings(Strict):
    """The front end: docs/reference/mfcc.md."""

    rate_hz: Count = 8000
    window: Count = 256
    hop: Count = 160
    frames: Count = 49
    mels: Count = 26
    coefficients: Count = 13
    low_hz: NotNegativeInt = 60
    high_hz: Count = 4000
    floor: NotNegativeInt = 22


class Perturbed(Strict):
    """How far the copies of a recording are changed: edgekit/audio/perturb.py."""

    speed: Annotated[float, Field(ge=0, lt=1)] = 0.2
    equalizer_db: Annotated[float, Field(ge=0, le=60)] = 4.0
    loudness_db: tuple[Decibels, Decibels] = (-25.0, 5.0)
    noise_db: tuple[Decibels, Decibels] = (5.0, 45.0)


class WavData(Strict):
    """A folder or zip of wav files, 16-bit mono; labels are in their names."""

    kind: Literal["wav"]
    path: Path
    names: str = "{label}_{group}_{take}.wav"
    test: Held
    validation: Held = Held()
    mfcc: MfccSettings = MfccSettings()
    copies: NotNegativeInt = 0  # of each training recording, changed
    perturb: Perturbed = Perturbed()
    split_seed: NotNegativeInt = 0  # of the changes


TrainingData: TypeAlias = Annotated[
    DigitsData | IdxData | NpzData | WavData, Field(discriminator="kind")
]


class TrainSettings(Strict):
    """The optimizer (AdamW) and its schedule."""

    epochs: Count = 50
    batch: Count = 64
    learning_rate: Positive = 0.01  # at a batch of 64; grows with the square root of the batch
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05  # share of the steps, linear
    final_rate: Share = 0.0  # the cosine ends at this share of the rate
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    epsilon: Positive = 1e-8
    weight_decay: NotNegative = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    sparsity_ramp: tuple[Share, Share] = (0.1, 0.6)  # shares of the epochs in which weights go
    checkpoint_seconds: NotNegative = 20.0
    compute: Literal["float32", "bfloat16"] = "float32"  # of convolutions while training
    threads: Annotated[int, Field(gt=0, le=1024)] = 1


class Pruning(Strict):
    """Iterative pruning: train, then for each level remove weights, rewind the rest and retrain.

    Rewinding puts back all that was trained as it was after `rewind_epoch` epochs of the first
    round (Frankle et al., arXiv 1903.01611). Magnitudes are those of the latent weights.
    """

    levels: Annotated[tuple[Share, ...], Field(min_length=1)]  # shares of zeros, rising
    scope: Literal["global", "layer"] = "global"  # the smallest of all layers, or of each
    rewind_epoch: NotNegativeInt = 1


class Distillation(Strict):
    """A teacher: a trained work directory, or a training file that is trained first."""

    teacher: Path
    weight: Share = 0.7
    temperature: Positive = 2.0


class Augmentation(Strict):
    """Random changes of each training image, drawn anew every epoch."""

    shift_pixels: NotNegative = 0.0
    rotate_degrees: NotNegative = 0.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0  # 0.1: 0.9 to 1.1 of the size
    shear: NotNegative = 0.0
    elastic_pixels: NotNegative = 0.0
    elastic_grid: Annotated[int, Field(ge=2, le=256)] = 5


class Voices(Strict):
    """Random changes of features of speech, drawn anew every epoch."""

    offset: NotNegative = 0.0  # spread of a constant in each coefficient: another microphone
    shift_frames: NotNegativeInt = 0
    mask_frames: NotNegativeInt = 0  # longest gap


class TrainConfig(Strict):
    """A whole training file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    data: TrainingData
    input: Input = IntegerInput()
    network: Annotated[tuple[Layer, ...], Field(min_length=1)]
    train: TrainSettings = TrainSettings()
    augment: Augmentation | None = None
    voices: Voices | None = None
    prune: Pruning | None = None
    distill: Distillation | None = None
    initial: Path | None = None  # weights to begin with: a model.safetensors of the same shapes

    def digest(self) -> str:
        """Return the sha256 of everything that decides the trained weights."""
        values = self.model_dump(mode="json")
        for unrelated in ("checkpoint_seconds",):
            values["train"].pop(unrelated)
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def load(path: Path) -> TrainConfig:
    """Read a training file.

    Raises ConfigError for a file that cannot be read, is not YAML, or has an unknown key (the
    nearest valid one is named) or a wrong value; UnsupportedError for a pickle.
    """
    refuse_pickle(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path} is larger than {_MAX_BYTES} bytes: not a training file")
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is not UTF-8 text: {exc.reason}") from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(exc).split())}") from exc
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds a {type(data).__name__}, wanted keys with values")
    return _anchored(parse(data, str(path)), path.resolve().parent)


def parse(data: dict[str, Any], origin: str) -> TrainConfig:
    """Return the training file of `data`; errors name `origin`."""
    try:
        return TrainConfig.model_validate(data)
    except ValidationError as exc:
        raise _translate(exc, origin) from exc


def refuse_pickle(path: Path) -> None:
    """Raise UnsupportedError for files that only unpickling could read."""
    if path.suffix.lower() in PICKLED:
        raise UnsupportedError(
            f"{path} is a pickle by its name; reading one runs the code inside it",
            hint="save the weights with safetensors, or train again from the training file",
        )


def _anchored(config: TrainConfig, base: Path) -> TrainConfig:
    changes: dict[str, Any] = {}
    if isinstance(config.data, IdxData | NpzData | WavData):
        changes["data"] = config.data.model_copy(update={"path": base / config.data.path})
    if config.distill is not None:
        refuse_pickle(config.distill.teacher)
        teacher = base / config.distill.teacher
        changes["distill"] = config.distill.model_copy(update={"teacher": teacher})
    if config.initial is not None:
        refuse_pickle(config.initial)
        changes["initial"] = base / config.initial
    return config.model_copy(update=changes)


def _translate(error: ValidationError, origin: str) -> ConfigError:
    rows, hints = [], []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            rows.append(f"unknown key {where!r}")
            hints.append(_nearest(str(item["loc"][-1])))
        elif item["type"] == "missing":
            rows.append(f"{where} is missing")
        elif item["type"] == "union_tag_invalid":
            context = item["ctx"]
            rows.append(f"{where}.kind {context['tag']!r} is none of {context['expected_tags']}")
        elif item["type"] != "too_short" or item["input"] in ((), []):  # else a follower
            said = item["msg"][:1].lower() + item["msg"][1:]
            rows.append(f"{where}: {said}, found {_short(item['input'])}")
    return ConfigError(f"{origin}: {'; '.join(rows)}", hint="; ".join(h for h in hints if h))


def _nearest(key: str) -> str:
    valid = sorted({name for model in _models(Strict) for name in model.model_fields})
    close = difflib.get_close_matches(key, valid, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""


def _models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in base.__subclasses__():
        yield child
        yield from _models(child)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
