"""Learning rate and sparsity over the steps."""

from __future__ import annotations

import math

from edgekit.train.config import TrainSettings

REFERENCE_BATCH = 64


def learning_rate(settings: TrainSettings, step: int, steps: int) -> float:
    """Return the rate of `step` (from 0): linear warm-up, then a cosine to the final share.

    The rate is for a batch of 64 and grows with the square root of the batch.
    """
    peak = settings.learning_rate * math.sqrt(settings.batch / REFERENCE_BATCH)
    warm = settings.warmup * steps
    if step < warm:
        return peak * (step + 1) / (warm + 1)
    done = (step - warm) / max(steps - warm, 1)
    share = settings.final_rate + (1 - settings.final_rate) * 0.5 * (1 + math.cos(math.pi * done))
    return peak * share


def sparsity(settings: TrainSettings, epoch: int, wanted: float) -> float:
    """Return the share of pruned weights at the start of `epoch`: cubic to `wanted`.

    Zhu and Gupta (arXiv 1710.01878): s * (1 - (1 - t)**3) between the two ends of the ramp.
    """
    begin, end = (share * settings.epochs for share in settings.sparsity_ramp)
    if epoch < begin:
        return 0.0
    share = 1.0 if end <= begin else min((epoch + 1 - begin) / (end - begin), 1.0)
    return float(wanted * (1 - (1 - share) ** 3))
