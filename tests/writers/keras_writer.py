"""Writes small Keras models of Larq and QKeras layers as `.h5` and `.keras` files, with h5py.

The layouts are those of tf_keras 2.21: `.h5` names the variables, `.keras` counts them in the
order in which a layer makes them.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Config = dict[str, Any]
Arrays = dict[str, np.ndarray]
STE_SIGN: Config = {
    "module": "larq.quantizers",
    "class_name": "SteSign",
    "config": {"name": "ste_sign", "trainable": True, "dtype": "float32", "clip_value": 1.0},
    "registered_name": "SteSign",
}


def larq(name: str, **settings: Any) -> Config:
    """A quantizer of Larq as a file has it."""
    config = {"name": name.lower(), "trainable": True, "dtype": "float32", **settings}
    return {
        "module": "larq.quantizers",
        "class_name": name,
        "config": config,
        "registered_name": name,
    }


def qkeras(name: str, **settings: Any) -> Config:
    """A quantizer of QKeras as a file has it."""
    return {"class_name": name, "config": settings, "__passive_serialization__": True}


class KerasNet:
    """Layers in order; random weights unless given. Every method returns the net."""

    def __init__(self, shape: tuple[int, ...], seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.shape = shape
        self.layers: list[tuple[str, Config, Arrays]] = []
        self.inner: dict[int, str] = {}
        self._count: Counter[str] = Counter()

    def layer(
        self, kind: str, config: Config | None = None, arrays: Arrays | None = None
    ) -> KerasNet:
        """Any layer."""
        stem = re.sub("([a-z])([A-Z])", r"\1_\2", kind).lower()
        name = f"{stem}_{self._count[stem]}" if self._count[stem] else stem
        self._count[stem] += 1
        common = {"name": name, "trainable": True, "dtype": "float32"}
        self.layers.append((kind, {**common, **(config or {})}, arrays or {}))
        return self

    def dense(self, inputs: int, units: int, *, bias: bool = False, **config: Any) -> KerasNet:
        """A QuantDense, sign weights unless said otherwise."""
        return self._weights("QuantDense", "kernel", (inputs, units), bias, units=units, **config)

    def conv(
        self, size: tuple[int, ...], inputs: int, filters: int, *, bias: bool = False, **config: Any
    ) -> KerasNet:
        """A QuantConv1D or QuantConv2D."""
        kind = f"QuantConv{len(size)}D"
        shape = (*size, inputs, filters)
        given = {"kernel_size": list(size), "strides": [1] * len(size), "padding": "valid"}
        return self._weights(kind, "kernel", shape, bias, filters=filters, **(given | config))

    def depthwise(
        self, size: tuple[int, int], inputs: int, multiplier: int = 1, **config: Any
    ) -> KerasNet:
        """A QuantDepthwiseConv2D."""
        quantizer = {"depthwise_quantizer": STE_SIGN, **config}
        kernel = self.rng.uniform(-1, 1, (*size, inputs, multiplier)).astype(np.float32)
        given = {"kernel_size": list(size), "strides": [1, 1], "padding": "valid"}
        settings = {"depth_multiplier": multiplier, "use_bias": False, "pad_values": 0.0}
        return self.layer(
            "QuantDepthwiseConv2D",
            {**given, **settings, "dilation_rate": [1, 1], **quantizer},
            {"depthwise_kernel": kernel},
        )

    def _weights(
        self, kind: str, name: str, shape: tuple[int, ...], bias: bool, **config: Any
    ) -> KerasNet:
        arrays = {name: self.rng.uniform(-1, 1, shape).astype(np.float32)}
        if bias:
            arrays["bias"] = self.rng.normal(0, 2, shape[-1]).astype(np.float32)
        start = {"use_bias": bias, "activation": "linear", "input_quantizer": None}
        if "Conv" in kind:
            axes = len(shape) - 2
            start |= {"pad_values": 0.0, "dilation_rate": [1] * axes, "groups": 1}
        return self.layer(kind, {**start, "kernel_quantizer": STE_SIGN, **config}, arrays)

    def norm(
        self, channels: int, *, scale: bool = True, center: bool = True, **config: Any
    ) -> KerasNet:
        """A batch norm with gammas of either sign."""
        arrays: Arrays = {}
        if scale:
            arrays["gamma"] = self.rng.normal(0, 1, channels).astype(np.float32)
        if center:
            arrays["beta"] = self.rng.normal(0, 1, channels).astype(np.float32)
        arrays["moving_mean"] = self.rng.normal(0, 3, channels).astype(np.float32)
        arrays["moving_variance"] = self.rng.uniform(0.5, 20, channels).astype(np.float32)
        given = {"axis": [-1], "epsilon": 0.001, "center": center, "scale": scale}
        return self.layer("BatchNormalization", {**given, **config}, arrays)

    def pool(self, kind: str = "MaxPooling2D", size: int = 2, **config: Any) -> KerasNet:
        """A max or average pool."""
        axes = 1 if "1D" in kind else 2
        given = {"pool_size": [size] * axes, "strides": [size] * axes, "padding": "valid"}
        return self.layer(kind, {**given, **config})

    def model_config(self) -> Config:
        """The configuration of a Sequential model."""
        start = {"batch_input_shape": [None, *self.shape], "dtype": "float32", "name": "input_1"}
        listed = [{"class_name": "InputLayer", "config": start}]
        listed += [{"class_name": kind, "config": config} for kind, config, _ in self.layers]
        return {"class_name": "Sequential", "config": {"name": "sequential", "layers": listed}}

    def functional_config(self) -> Config:
        """The same as a Functional model."""
        start = {"batch_input_shape": [None, *self.shape], "dtype": "float32", "name": "input_1"}
        listed: list[Config] = [
            {"class_name": "InputLayer", "config": start, "name": "input_1", "inbound_nodes": []}
        ]
        before = "input_1"
        for kind, config, _ in self.layers:
            entry = {"class_name": kind, "config": config, "name": config["name"]}
            listed.append({**entry, "inbound_nodes": [[[before, 0, 0, {}]]]})
            before = config["name"]
        ends = {"input_layers": [["input_1", 0, 0]], "output_layers": [[before, 0, 0]]}
        return {"class_name": "Functional", "config": {"name": "model", "layers": listed, **ends}}

    def save(self, path: Path, config: Config | None = None) -> Path:
        """Write `.h5` or `.keras`, by the name."""
        config = self.model_config() if config is None else config
        if path.suffix == ".keras":
            path.write_bytes(self._archive(config))
            return path
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(config)
            file.attrs["backend"] = "tensorflow"
            for _, settings, arrays in self.layers:
                group = file.create_group(f"model_weights/{settings['name']}")
                for key, array in arrays.items():
                    group[f"{settings['name']}/{key}:0"] = array
        return path

    def _archive(self, config: Config) -> bytes:
        weights = io.BytesIO()
        with h5py.File(weights, "w") as file:
            count: Counter[str] = Counter()
            for kind, _, arrays in self.layers:
                snake = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)
                snake = re.sub("([a-z])([A-Z])", r"\1_\2", snake).lower()
                name = f"{snake}_{count[snake]}" if count[snake] else snake
                count[snake] += 1
                group = file.create_group(f"layers/{name}/vars")
                for place, array in enumerate(arrays.values()):
                    group[str(place)] = array
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "2.21.0"}))
            archive.writestr("config.json", json.dumps(config))
            archive.writestr("model.weights.h5", weights.getvalue())
        return packed.getvalue()
