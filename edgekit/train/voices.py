"""Random changes of features of speech: another microphone, another moment, a gap."""

from __future__ import annotations

import torch
from torch import Tensor

from edgekit.errors import ConfigError
from edgekit.train.config import Voices


def check(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Raise ConfigError for samples that are no features of sound."""
    if len(shape) != 2 or dtype != torch.int8:
        raise ConfigError(
            f"voices is for int8 features of sound, (frames, coefficients); the samples are "
            f"{dtype} {shape}",
            hint="remove the section",
        )


def change(x: Tensor, wanted: Voices, generator: torch.Generator) -> Tensor:
    """Return changed copies of features (B, frames, coefficients), as whole numbers in float32.

    A frame whose coefficients but the first are all 0 is silent (docs/reference/mfcc.md) and gets
    no offset: a constant in cepstra is a filter, which silence passes unchanged.
    """
    count, frames, _ = x.shape
    silence = torch.zeros(x.shape[2])
    silence[0] = float(x[..., 0].min())
    features = x.float()
    time = torch.arange(frames)

    def drawn(low: int, high: int) -> Tensor:
        return torch.randint(low, high + 1, (count, 1), generator=generator)

    source = time - drawn(-wanted.shift_frames, wanted.shift_frames)
    inside = (source >= 0) & (source < frames)
    rows = source.clamp(0, frames - 1)[..., None].expand_as(features)
    features = torch.gather(features, 1, rows)
    length, start = drawn(0, wanted.mask_frames), drawn(0, frames - 1)
    masked = (time >= start) & (time < start + length)
    features = torch.where((inside & ~masked)[..., None], features, silence)
    spread = torch.full((x.shape[2],), wanted.offset)
    offset = torch.randn((count, 1, x.shape[2]), generator=generator) * spread
    sounding = (features[..., 1:] != 0).any(dim=2, keepdim=True)
    return torch.round(features + offset * sounding).clamp(-128, 127)
