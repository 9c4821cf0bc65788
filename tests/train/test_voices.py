"""Changes of features while training: what moves, and what silence keeps."""

from __future__ import annotations

import pytest
import torch

from edgekit.errors import ConfigError
from edgekit.train import voices
from edgekit.train.config import Voices

pytestmark = pytest.mark.torch


def features() -> torch.Tensor:
    """64 clips of 20 frames, all alike: silence but for the frames 8 to 11."""
    x = torch.zeros((64, 20, 5), dtype=torch.int8)
    x[:, :, 0] = -96
    x[:, 8:12] = torch.tensor([50, 10, -20, 30, 5], dtype=torch.int8)
    return x


def changed(**wanted: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return voices.change(features(), Voices(**wanted), generator)


def test_nothing_wanted_changes_nothing() -> None:
    assert torch.equal(changed(), features().float())


def test_an_offset_is_one_constant_where_there_is_sound() -> None:
    y = changed(offset=8)
    difference = y - features().float()
    assert (difference[:, :8] == 0).all()
    assert (difference[:, 12:] == 0).all()
    assert (difference[:, 8:12] == difference[:, 8:9]).all()
    assert 4 < difference[:, 8].std() < 12
    assert torch.equal(y, torch.round(y))


def test_values_stay_in_int8() -> None:
    y = changed(offset=300)
    assert y.min() == -128
    assert y.max() == 127


def test_shifts_bring_silence_in() -> None:
    starts = (changed(shift_frames=5)[:, :, 1] != 0).int().argmax(dim=1)
    assert set(starts.tolist()) == set(range(3, 14))
    y = changed(shift_frames=19)
    assert set(y[:, :, 0].unique().tolist()) == {-96.0, 50.0}


def test_gaps_are_silent() -> None:
    sounding = (changed(mask_frames=3)[:, :, 1] != 0).sum(dim=1)
    assert set(sounding.tolist()) == {1, 2, 3, 4}


def test_the_generator_decides() -> None:
    assert torch.equal(changed(offset=8, shift_frames=4), changed(offset=8, shift_frames=4))


@pytest.mark.parametrize(
    ("shape", "dtype"), [((20, 5, 1), torch.int8), ((100,), torch.int8), ((20, 5), torch.float32)]
)
def test_other_samples_are_refused(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    with pytest.raises(ConfigError, match="voices is for int8 features of sound"):
        voices.check(shape, dtype)
