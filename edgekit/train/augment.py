"""Random changes of training images: shift, rotation, size, shear and elastic deformation."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from edgekit.errors import ConfigError
from edgekit.train.config import Augmentation


def check(shape: tuple[int, ...]) -> None:
    """Raise ConfigError for samples that are no images."""
    if len(shape) != 3:
        raise ConfigError(
            f"augment is for images of (height, width, channels), the samples are {shape}",
            hint="remove the section",
        )


def augment(x: Tensor, wanted: Augmentation, generator: torch.Generator) -> Tensor:
    """Return changed copies of images (B, H, W, C), bilinear, with zeros from outside.

    Values of integer images are rounded to integers again. `shift_pixels` and the others are
    the largest changes; each image's are uniform up to them. Elastic: displacements drawn on a
    coarse grid and interpolated between its points (after Simard et al., ICDAR 2003).
    """
    images = x.permute(0, 3, 1, 2).float()
    grid = F.affine_grid(_matrices(len(x), wanted, images, generator), list(images.shape),
                         align_corners=False)  # fmt: skip
    if wanted.elastic_pixels > 0:
        size = (len(x), 2, wanted.elastic_grid, wanted.elastic_grid)
        coarse = torch.rand(size, generator=generator) * 2 - 1
        fine = F.interpolate(coarse, images.shape[2:], mode="bicubic", align_corners=True)
        extents = torch.tensor([images.shape[3], images.shape[2]])
        grid = grid + fine.permute(0, 2, 3, 1) * (2 * wanted.elastic_pixels / extents)
    changed = F.grid_sample(images, grid, align_corners=False).permute(0, 2, 3, 1)
    return changed if x.dtype == torch.float32 else torch.round(changed)


def _matrices(
    count: int, wanted: Augmentation, images: Tensor, generator: torch.Generator
) -> Tensor:
    """Return (B, 2, 3) maps from output to input places, in units of half an image."""

    def uniform(limit: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    height, width = images.shape[2:]
    angle = uniform(math.radians(wanted.rotate_degrees))
    wide, high = 1 + uniform(wanted.scale), 1 + uniform(wanted.scale)
    shear = uniform(wanted.shear)
    right, down = uniform(wanted.shift_pixels), uniform(wanted.shift_pixels)
    cos, sin = torch.cos(angle), torch.sin(angle)
    top = torch.stack([cos * wide, shear - sin * high, right * 2 / width], dim=1)
    bottom = torch.stack([sin * wide, cos * high, down * 2 / height], dim=1)
    return torch.stack([top, bottom], dim=1)
