"""Fine-grained masks by magnitude: on a ramp while training, or iteratively with rewinding.

Pruned latents are 0 and stay the smallest, so masks only ever lose weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from edgekit.errors import ConfigError
from edgekit.train import schedule
from edgekit.train.config import TrainConfig
from edgekit.train.layers import Weighted
from edgekit.train.network import Network


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch of a training: the round it belongs to, and its number in that round, from 0."""

    round: int
    number: int
    begins: bool  # the first of its round
    ends: bool  # the last


def plan(config: TrainConfig) -> list[Epoch]:
    """Return all epochs in order; rounds after the first begin at the rewound one.

    Raises ConfigError for levels that do not rise, a rewinding beyond the first round, or layers
    with a sparsity of their own beside it.
    """
    rounds, rewound, last = 1, 0, config.train.epochs
    if config.prune is not None:
        levels = config.prune.levels
        rounds, rewound = 1 + len(levels), config.prune.rewind_epoch
        if list(levels) != sorted(set(levels)):
            raise ConfigError(f"prune.levels {list(levels)} do not rise")
        if rewound >= last:
            raise ConfigError(f"prune.rewind_epoch {rewound} is not before epoch {last}, the last")
        if any(getattr(layer, "sparsity", 0.0) > 0 for layer in config.network):
            raise ConfigError("prune beside a layer with a sparsity of its own: choose one")
        if not any(hasattr(layer, "weight") for layer in config.network):
            raise ConfigError("prune, but no layer of the network has weights")
    return [
        Epoch(part, number, number == first, number == last - 1)
        for part in range(rounds)
        for first in (0 if part == 0 else rewound,)
        for number in range(first, last)
    ]


def begin_round(
    config: TrainConfig, network: Network, part: int, rewound: dict[str, Tensor]
) -> None:
    """Remove the weights of round `part` (1 is the first that does) and put the rest back."""
    if config.prune is None:
        return
    share = config.prune.levels[part - 1]
    latents = [block.latent for _, block in network.weighted()]
    if config.prune.scope == "global":
        kept = smallest_removed(torch.cat([latent.reshape(-1) for latent in latents]), share)
        flat = kept.split([latent.numel() for latent in latents])
        masks = [mask.reshape(latent.shape) for mask, latent in zip(flat, latents, strict=True)]
    else:
        masks = [smallest_removed(latent, share) for latent in latents]
    network.restore(rewound, "the rewound state")
    for (_, block), mask in zip(network.weighted(), masks, strict=True):
        block.set_mask(mask)


def on_ramp(config: TrainConfig, network: Network, epoch: int) -> None:
    """Set the masks of `epoch` (from 0) of layers that have a sparsity."""
    for block, layer in zip(network.blocks, config.network, strict=True):
        if isinstance(block, Weighted):
            share = schedule.sparsity(config.train, epoch, getattr(layer, "sparsity", 0.0))
            if share > 0:
                block.set_mask(smallest_removed(block.latent, share))


@torch.no_grad()
def smallest_removed(latent: Tensor, share: float) -> Tensor:
    """Return a mask of ones without the `share` of smallest magnitudes (ties: lowest index)."""
    flat = latent.abs().reshape(-1)
    count = round(share * flat.numel())
    mask = torch.ones_like(flat)
    mask[torch.argsort(flat, stable=True)[:count]] = 0
    return mask.reshape(latent.shape)
