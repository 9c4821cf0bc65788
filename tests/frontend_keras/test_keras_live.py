"""Live models: what TensorFlow's objects say of themselves, without TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from writers.keras_writer import STE_SIGN, KerasNet

import edgekit
from edgekit.errors import ConfigError
from edgekit.frontend.bounded import BoundedProcess
from edgekit.frontend.keras import load

pytestmark = pytest.mark.h5py


def live(net: KerasNet) -> Any:
    layers = [SimpleNamespace(name="input_1", weights=[], get_weights=list)]
    for _, config, arrays in net.layers:
        weights = [SimpleNamespace(name=f"{config['name']}/{key}:0") for key in arrays]
        layer = SimpleNamespace(name=config["name"], weights=weights)
        layer.get_weights = lambda arrays=arrays: list(arrays.values())
        layers.append(layer)
    return SimpleNamespace(
        name="live", layers=layers, to_json=lambda: json.dumps(net.model_config())
    )


def test_live_model_equals_its_file(tmp_path: Path, process: BoundedProcess) -> None:
    net = KerasNet((9,), 3).dense(9, 8, input_quantizer=STE_SIGN, bias=True).norm(8)
    net.dense(8, 4, input_quantizer=STE_SIGN)
    stored = load(net.save(tmp_path / "net.h5"), process=process)
    graph = edgekit.load(live(net))
    assert graph.nodes == stored.nodes
    for name, values in graph.constants.items():
        np.testing.assert_array_equal(values, stored.constants[name])


def test_objects_that_are_no_models() -> None:
    with pytest.raises(ConfigError, match="a dict is no model"):
        edgekit.load({})
    with pytest.raises(ConfigError, match="does not say what its input is"):
        edgekit.load(SimpleNamespace(state_dict=dict))
