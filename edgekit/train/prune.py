"""Fine-grained masks by magnitude, while training."""

from __future__ import annotations

import torch

from edgekit.train import schedule
from edgekit.train.config import TrainConfig
from edgekit.train.layers import Weighted
from edgekit.train.network import Network


def at_epoch(config: TrainConfig, network: Network, epoch: int) -> None:
    """Set the masks of `epoch` (from 0): each layer's smallest latents go.

    Latents that went are 0 and stay the smallest, so masks only ever lose weights.
    """
    for block, layer in zip(network.blocks, config.network, strict=True):
        if isinstance(block, Weighted):
            share = schedule.sparsity(config.train, epoch, getattr(layer, "sparsity", 0.0))
            if share > 0:
                block.set_mask(smallest_removed(block.latent, share))


@torch.no_grad()
def smallest_removed(latent: torch.Tensor, share: float) -> torch.Tensor:
    """Return a mask of ones without the `share` of smallest magnitudes (ties: lowest index)."""
    flat = latent.abs().reshape(-1)
    count = round(share * flat.numel())
    mask = torch.ones_like(flat)
    mask[torch.argsort(flat, stable=True)[:count]] = 0
    return mask.reshape(latent.shape)
