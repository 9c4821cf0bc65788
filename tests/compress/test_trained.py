"""Float networks of `edgekit train`: read as the training ran them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.compress import floatnet, lessons
from edgekit.compress import load as loader
from edgekit.errors import UnsupportedError
from edgekit.progress import Silent

pytestmark = pytest.mark.torch

_FLOAT = (
    {"kind": "conv2d", "channels": 4, "kernel": 3, "pool": 2, "weight": "float",
     "activation": "relu"},
    {"kind": "depthwise", "kernel": 3, "stride": 2, "weight": "float", "activation": "relu"},
    {"kind": "average_pool", "size": 2},
    {"kind": "dense", "units": 3, "weight": "float"},
)  # fmt: skip
_TIMES = (
    {"kind": "conv1d", "channels": 5, "kernel": 3, "padding": "valid", "weight": "float",
     "activation": "relu", "norm": "none", "sparsity": 0.5},
    {"kind": "dense", "units": 3, "weight": "float"},
)  # fmt: skip
_FLAT = (
    {"kind": "dense", "units": 8, "weight": "float", "activation": "relu"},
    {"kind": "dense", "units": 3, "weight": "float"},
)


def train(folder: Path, shape: tuple[int, ...], network: tuple, dtype: type, **more: object):
    from edgekit.train import config, run

    draw = np.random.default_rng(0)
    high = 255 if dtype is np.uint8 else 3
    parts = {}
    for part, count in (("train", 64), ("val", 12), ("test", 12)):
        parts[f"{part}_x"] = (draw.random((count, *shape)) * high).astype(dtype)
        parts[f"{part}_y"] = np.arange(count) % 3
    np.savez(folder / "d.npz", **parts)
    wanted = config.parse(
        {
            "name": "small",
            "data": {"kind": "npz", "path": str(folder / "d.npz")},
            "network": list(network),
            "train": {"epochs": 1, "batch": 16},
            **more,
        },
        "here",
    )
    return run.train(wanted, folder / "work", Silent())


@pytest.mark.parametrize(
    ("shape", "network", "dtype"),
    [
        ((9, 11, 2), _FLOAT, np.uint8),
        ((9, 4), _TIMES, np.float32),
        ((5, 4, 2), _FLAT, np.uint8),
    ],
    ids=["images", "times", "flat"],
)
def test_the_float_network_is_what_was_trained(
    tmp_path: Path, shape: tuple[int, ...], network: tuple, dtype: type
) -> None:
    import torch

    trained = train(tmp_path, shape, network, dtype)
    net = loader.load(tmp_path / "work", trained.dataset)
    taught = lessons.of(net, trained.dataset, 1.0)
    found = floatnet.forward(net, taught.test_x)
    with torch.no_grad():
        wanted = trained.network(torch.from_numpy(trained.dataset.test_x)).numpy()
    # Float samples are rounded by the training, and here by the grid that calibration finds.
    np.testing.assert_allclose(found, wanted, atol=1e-4 if dtype is np.uint8 else 0.1)
    assert loader.load(tmp_path / "work/model.safetensors", trained.dataset).sha256 == net.sha256


def test_a_binary_layer_is_named(tmp_path: Path) -> None:
    network = ({"kind": "dense", "units": 8, "activation": "binary"}, _FLOAT[-1])
    trained = train(tmp_path, (6,), network, np.float32)
    with pytest.raises(UnsupportedError) as caught:
        loader.load(tmp_path / "work", trained.dataset)
    assert "weighted_0 has binary weights, activation binary" in caught.value.message
    assert "deploys as it is" in caught.value.hint
