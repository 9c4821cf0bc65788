"""Knowledge distillation: a student learns from a teacher's scores as well as from labels."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from edgekit.errors import ConfigError
from edgekit.train import checkpoint, network
from edgekit.train.config import Distillation, TrainConfig
from edgekit.train.data.dataset import Dataset
from edgekit.train.network import Network

# What decides which samples are the test part.
_TEST_PART = ("kind", "path", "test", "split_seed")


def check_same_test(state: checkpoint.Checkpoint, wanted: TrainConfig) -> None:
    """Raise ConfigError where a teacher may have learned from the student's test samples."""
    own, its = (config.data.model_dump(mode="json") for config in (wanted, state.config))
    differing = [key for key in _TEST_PART if own.get(key) != its.get(key)]
    if differing:
        key = differing[0]
        raise ConfigError(
            f"the teacher was trained with data.{key} {its.get(key)!r}, the student with "
            f"{own.get(key)!r}: the teacher may have seen the student's test samples",
            hint="train the teacher on the same data and split",
        )


def teacher_of(state: checkpoint.Checkpoint, dataset: Dataset) -> Network:
    """Return the trained network of `state`, ready to be asked.

    Raises ConfigError where it was trained on samples of another shape or other classes.
    """
    try:
        found = network.build(state.config, dataset)
    except ConfigError as exc:
        raise ConfigError(f"the teacher does not fit the data: {exc.message}") from exc
    checkpoint.restore(state, found, None)
    found.eval()
    for parameter in found.parameters():
        parameter.requires_grad_(False)
    return found


def loss(scores: Tensor, taught: Tensor, labels_loss: Tensor, wanted: Distillation) -> Tensor:
    """Return `(1 - weight) * labels_loss + weight * T**2 * KL(teacher || student)` at T.

    Hinton et al., arXiv 1503.02531; scores are (B, classes).
    """
    t = wanted.temperature
    divergence = F.kl_div(
        F.log_softmax(scores / t, dim=1),
        F.log_softmax(taught / t, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - wanted.weight) * labels_loss + wanted.weight * t * t * divergence


@torch.no_grad()
def scores(teacher: Network, x: Tensor) -> Tensor:
    """Return the teacher's scores."""
    return cast("Tensor", teacher(x))
