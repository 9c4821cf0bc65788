"""Checkpoints: safetensors with the training file and a digest, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from edgekit.errors import ConfigError
from edgekit.train import config as settings
from edgekit.train.config import TrainConfig
from edgekit.train.network import Network

FORMAT = "edgekit-train 1"
_NETWORK = "network."
_OPTIMIZER = "optimizer."
_REWOUND = "rewound."
_SEAL = "metadata_sha256"
_STEP = "step"
_STATES = {_STEP, "exp_avg", "exp_avg_sq"}  # of AdamW, for each parameter


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """State after `epoch` epochs. `optimizer` and `rewound` are empty in a finished model."""

    config: TrainConfig
    epoch: int
    network: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]  # "<index of the parameter>.<name of the state>"
    rewound: Mapping[str, Tensor]  # the network that rounds of pruning begin with


def capture(
    config: TrainConfig,
    epoch: int,
    network: Network,
    optimizer: torch.optim.Optimizer | None = None,
    rewound: Mapping[str, Tensor] | None = None,
) -> Checkpoint:
    """Return the state of a training; without an optimizer, a finished model."""
    states = {} if optimizer is None else optimizer.state_dict()["state"]
    flat = {f"{index}.{key}": value for index, row in states.items() for key, value in row.items()}
    return Checkpoint(config, epoch, dict(network.state_dict()), flat, rewound or {})


def restore(
    checkpoint: Checkpoint, network: Network, optimizer: torch.optim.Optimizer | None
) -> None:
    """Put a state back, bit for bit.

    Raises ConfigError for tensors that are missing, of another shape or not finite.
    """
    network.restore(checkpoint.network, "the checkpoint")
    if optimizer is None or not checkpoint.optimizer:
        return
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in checkpoint.optimizer.items():
        index, _, key = name.partition(".")
        if not (index.isdecimal() and int(index) < len(parameters) and key in _STATES):
            raise ConfigError(f"the checkpoint holds an optimizer's {name}, which is unknown")
        parameter = parameters[int(index)]
        if key != _STEP:  # with the parameter's memory layout
            if value.shape != parameter.shape:
                raise ConfigError(
                    f"the checkpoint's optimizer has {tuple(value.shape)} for {name}, "
                    f"wanted {tuple(parameter.shape)}"
                )
            value = torch.empty_like(parameter).copy_(value)
        state.setdefault(int(index), {})[key] = value
    if any(row.keys() != _STATES for row in state.values()):
        raise ConfigError(f"the checkpoint's optimizer lacks some of {', '.join(sorted(_STATES))}")
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` under a temporary name, flush it to the disk and rename it.

    Raises ConfigError where the disk is full or not writable; what `path` held stays as it was.
    """
    tensors = _flat(checkpoint)
    metadata = {
        "format": FORMAT,
        "config": checkpoint.config.model_dump_json(),
        "epoch": str(checkpoint.epoch),
        "sha256": _digest(tensors),
    }
    metadata[_SEAL] = _seal(metadata)
    try:
        replace_file(path, to_bytes(tensors, metadata))
    except OSError as exc:
        kept = "; the last good checkpoint is kept" if path.exists() else ""
        raise ConfigError(
            f"{path}: the state after epoch {checkpoint.epoch} cannot be written: "
            f"{exc.strerror}{kept}",
            hint="make room and run the same command: it resumes from the last checkpoint",
        ) from exc


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` at `path` so that a reader, a crash or a full disk sees the old or the new.

    Raises OSError where it cannot be written; nothing is left behind then.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint or a finished model.

    Raises UnsupportedError for a pickle, ConfigError for a file that is missing, damaged or not
    of edgekit's training.
    """
    settings.refuse_pickle(path)
    hint = "delete it to begin again, or restore a copy"
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as exc:
        raise ConfigError(f"{path} does not exist") from exc
    except (SafetensorError, OSError, ValueError) as exc:
        raise ConfigError(f"{path} is damaged or no safetensors file: {exc}", hint=hint) from exc
    if metadata.get("format") != FORMAT:
        raise ConfigError(
            f"{path} is no state of a training: its format is {metadata.get('format')!r}, "
            f"wanted {FORMAT!r}"
        )
    if metadata.get("sha256") != _digest(tensors):
        raise ConfigError(f"{path} is damaged: its tensors do not have the digest it says",
                          hint=hint)  # fmt: skip
    if metadata.get(_SEAL, _seal(metadata)) != _seal(metadata):  # older files have none
        raise ConfigError(f"{path} is damaged: its epoch or training file was changed", hint=hint)
    config = settings.parse(_json(metadata.get("config", ""), path), str(path))
    network, optimizer, rewound = (
        {name.removeprefix(part): t for name, t in tensors.items() if name.startswith(part)}
        for part in (_NETWORK, _OPTIMIZER, _REWOUND)
    )
    epoch = metadata.get("epoch", "")
    if not epoch.isdecimal():
        raise ConfigError(f"{path} is damaged: its epoch is {epoch!r}", hint=hint)
    return Checkpoint(config, int(epoch), network, optimizer, rewound)


def _seal(metadata: Mapping[str, str]) -> str:
    said = [metadata.get(key, "") for key in ("format", "config", "epoch", "sha256")]
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


def _json(text: str, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as exc:
        raise ConfigError(f"{path}: its training file is no JSON") from exc
    return value if isinstance(value, dict) else {}


def _flat(checkpoint: Checkpoint) -> dict[str, Tensor]:
    tensors = {f"{_NETWORK}{name}": value for name, value in checkpoint.network.items()}
    tensors |= {f"{_OPTIMIZER}{name}": value for name, value in checkpoint.optimizer.items()}
    tensors |= {f"{_REWOUND}{name}": value for name, value in checkpoint.rewound.items()}
    return {name: value.detach().contiguous().clone() for name, value in tensors.items()}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].numpy()
        total.update(f"{name} {array.dtype} {array.shape};".encode())
        total.update(array.tobytes())
    return total.hexdigest()
