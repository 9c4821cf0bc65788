"""The C of compressed networks, built for this machine, computes their graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from float_nets import image_net

from edgekit import board
from edgekit.compress import calibrate, floatnet, lowrank, quantize, structured
from edgekit.compress.quantize import Plan
from edgekit.ir import edges, interp
from edgekit.passes.memory import tensor_bytes
from edgekit.pipeline import data, native, stages


@pytest.mark.cc
@pytest.mark.parametrize(
    "cpu", ["nucleo-l4r5zi", pytest.param("rpi-pico", marks=pytest.mark.nightly)]
)
def test_factored_pruned_and_narrow_layers_in_c(tmp_path: Path, cpu: str) -> None:
    net = structured.remove_channels(image_net(), 0.26)
    net = lowrank.factorize(net, "conv", rank=3)
    net = lowrank.tensor_train(net, "dense", (1, 5), (4, 9), (4,))
    x = np.random.default_rng(5).normal(size=(64, *net.input_shape)).astype(np.float32)
    words = ("int8", "int4", "ternary", "int2", "binary")
    names = [layer.label for _, layer in floatnet.weighted(net)]
    plan = Plan(
        calibrate.grids(calibrate.observe(net, x), "mse"),
        {name: words[k % len(words)] for k, name in enumerate(names)},
    )
    graph = quantize.lower(net, plan)
    target = board.find(cpu)
    lowered = stages.lower(graph, target)
    built = stages.emit(
        lowered.graph,
        lowered.arena,
        target,
        "gcc",
        target.contract.operating_point,
    )
    samples = data.random(graph, 64, 0)
    output = graph.tensors[graph.outputs[0].tensor]
    found = native.run(built, samples.as_bytes(), tensor_bytes(output), tmp_path)
    assert found is not None
    meant = interp.run(graph, {graph.inputs[0].tensor: samples.integers})[output.name]
    np.testing.assert_array_equal(edges.from_bytes(output, found), meant.reshape(64, -1))
    assert len(np.unique(meant)) > 20
