"""Against TensorFlow itself: files that Larq writes, live models, and what they predict.

TensorFlow, tf-keras and larq are in no extra: these tests run, at night, where they are installed
beside edgekit, with TF_USE_LEGACY_KERAS=1 in the environment.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_check import compared

from edgekit import frontend
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.ir.types import InputGrid

pytestmark = [
    *(pytest.mark.larq, pytest.mark.nightly, pytest.mark.h5py),
    pytest.mark.filterwarnings("ignore"),  # TensorFlow's own
]
Net = Callable[[Any, Any], tuple[list[Any], tuple[int, ...]]]
SIGNS = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip", "use_bias": False}
PIXELS = InputGrid(1 / 16, 0, "uint8")


@pytest.fixture(scope="module")
def tensorflow() -> Any:
    pytest.importorskip("larq", reason="pip install tensorflow-cpu tf-keras larq")
    return pytest.importorskip("tensorflow")


def images(tf: Any, lq: Any) -> tuple[list[Any], tuple[int, ...]]:
    k, q = tf.keras.layers, lq.layers
    return [
        *(q.QuantConv2D(16, 3, padding="same", **SIGNS), k.MaxPool2D(2)),
        *(k.BatchNormalization(scale=False),),
        q.QuantConv2D(16, 3, padding="same", pad_values=1.0, input_quantizer="ste_sign", **SIGNS),
        k.BatchNormalization(),
        q.QuantConv2D(8, 3, strides=2, padding="same", input_quantizer="approx_sign", **SIGNS),
        *(k.BatchNormalization(), k.Flatten()),
        q.QuantDense(10, input_quantizer="swish_sign", **SIGNS),
    ], (12, 12, 3)


def ternary(tf: Any, lq: Any) -> tuple[list[Any], tuple[int, ...]]:
    k, q = tf.keras.layers, lq.layers
    weights = lq.quantizers.SteTern(ternary_weight_networks=True)
    return [
        q.QuantDepthwiseConv2D(
            3,
            depth_multiplier=2,
            padding="same",
            input_quantizer="ste_sign",
            depthwise_quantizer="magnitude_aware_sign",
        ),
        k.BatchNormalization(),
        q.QuantConv2D(
            8, (3, 2), input_quantizer=lq.quantizers.SteTern(0.4), kernel_quantizer=weights
        ),
        *(k.BatchNormalization(), k.GlobalMaxPool2D(), lq.quantizers.SteHeaviside()),
        *(q.QuantDense(7, kernel_quantizer="ste_sign"), k.BatchNormalization(), k.Softmax()),
    ], (10, 9, 4)


def signal(tf: Any, lq: Any) -> tuple[list[Any], tuple[int, ...]]:
    k, q = tf.keras.layers, lq.layers
    return [
        q.QuantConv1D(
            *(16, 5), padding="causal", dilation_rate=2, input_quantizer="ste_sign", **SIGNS
        ),
        *(k.MaxPool1D(2), k.BatchNormalization(), k.Dropout(0.1)),
        q.QuantConv1D(
            *(8, 3), input_quantizer=lq.quantizers.DoReFa(2), kernel_quantizer="ste_sign"
        ),
        *(k.BatchNormalization(), k.Activation("relu"), k.Flatten()),
        q.QuantDense(
            5,
            input_quantizer=lq.quantizers.DoReFa(3),
            kernel_quantizer=lq.quantizers.DoReFa(3, mode="weights"),
        ),
    ], (40, 6)


def scrambled(model: Any, rng: np.random.Generator) -> None:
    """Give a model weights and statistics as training leaves them; some gammas are 0."""
    for layer in model.layers:
        values = []
        for variable, old in zip(layer.weights, layer.get_weights(), strict=True):
            name = variable.name.rsplit("/", 1)[-1]
            if "kernel" in name:
                new = rng.uniform(-1, 1, old.shape)
            elif "gamma" in name:
                new = rng.normal(0, 1, old.shape) * (rng.random(old.shape) > 0.1)
            elif "variance" in name:
                new = rng.uniform(0.5, 20, old.shape)
            else:
                new = rng.normal(0, 2, old.shape)
            values.append(new.astype(np.float32))
        layer.set_weights(values)


@pytest.mark.parametrize("net", [images, ternary, signal], ids=lambda net: net.__name__)
def test_predictions(net: Net, tensorflow: Any, tmp_path: Path) -> None:
    import larq

    layers, shape = net(tensorflow, larq)
    keras = tensorflow.keras
    model = keras.Sequential([keras.layers.InputLayer(shape), *layers])
    rng = np.random.default_rng(0)
    scrambled(model, rng)
    grid = PIXELS if net is images else None
    x = rng.integers(0, 256, (200, *shape)) / 16 if grid else rng.normal(0, 1, (200, *shape))
    x = x.astype(np.float32)
    wanted = model.predict(x, verbose=0)
    graphs = [frontend.load_live(model, grid=grid)]
    for suffix in (".h5", ".keras"):
        model.save(tmp_path / f"net{suffix}")
        graphs.append(compared(tmp_path / f"net{suffix}", x, grid))
    for graph in graphs:
        agrees(graph, x, wanted)


def agrees(graph: Graph, x: np.ndarray, wanted: np.ndarray) -> None:
    edge, last = graph.inputs[0], graph.outputs[0]
    start = edges.quantize(edge, x).reshape(len(x), *graph.tensors[edge.tensor].shape)
    found = edges.dequantize(last, interp.run(graph, {edge.tensor: start})[last.tensor])
    scores = found.reshape(wanted.shape)
    bound = 2.0**-16 * np.abs(wanted).max()
    np.testing.assert_allclose(scores, wanted, atol=bound, rtol=0)
    sure = np.sort(wanted, axis=1)
    clear = sure[:, -1] - sure[:, -2] > 2 * bound
    assert clear.sum() > 50
    np.testing.assert_array_equal(scores.argmax(axis=1)[clear], wanted.argmax(axis=1)[clear])
