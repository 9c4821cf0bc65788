"""A chain of layers becomes a graph: the function that front ends call."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from edgekit.errors import UnsupportedError
from edgekit.frontend import limits
from edgekit.frontend.lowering.chain import Chain
from edgekit.frontend.lowering.entry import enter
from edgekit.frontend.lowering.layers import InputSpec, Layer
from edgekit.frontend.lowering.nodes import Nodes
from edgekit.frontend.lowering.scores import affine
from edgekit.frontend.lowering.sums import Stored, Sum
from edgekit.ir import check
from edgekit.ir.graph import Graph, NotCompared, Source
from edgekit.ir.types import DType, Edge, HostOp, InputGrid


def lower(
    name: str,
    source: Source,
    spec: InputSpec,
    layers: Sequence[Layer],
    grid: InputGrid | None = None,
    output_name: str = "output",
) -> Graph:
    """Return the integer graph of a chain of layers, verified.

    Args:
        name: of the model; anything that is no C identifier is changed.
        source: which file, and the runtime that the graph must equal.
        spec: the float input.
        layers: in order; the last are a layer of sums (and functions of it), or a quantizer.
        grid: integers that the input's real numbers stand for; None: the host quantizes.
        output_name: of the output in the source.

    Raises:
        UnsupportedError: a layer, scale or order of layers without an exact integer meaning;
            names the layer.
    """
    if len(layers) > limits.MAX_NODES:
        raise UnsupportedError(f"the model has {len(layers)} layers; {limits.MAX_NODES} are read")
    built = Nodes()
    edge, stored, taken = enter(built, spec, layers, grid)
    chain = Chain(built, stored)
    for layer in layers[taken:]:
        chain.add(layer)
    host: tuple[HostOp, ...] = ("dequantize",)
    if chain.softmax is not None:
        host = ("dequantize", "log_softmax" if chain.softmax.log else "softmax")
    output = _output(chain, spec, output_name, host)
    if not built.nodes:
        raise UnsupportedError("the model computes nothing in integers")
    graph = Graph(
        name=identifier(name),
        source=source,
        inputs=(edge,),
        outputs=(output,),
        nodes=tuple(built.nodes),
        tensors=built.tensors,
        constants=built.constants,
        not_compared=tuple(built.not_compared),
    )
    check.verify(graph)
    return graph


def identifier(name: str) -> str:
    """Return a model's name as an identifier of C."""
    cleaned = re.sub(r"[^A-Za-z0-9_]", "_", name)[:48]
    return cleaned if check.is_name(cleaned) else f"model_{cleaned}"


def _output(chain: Chain, spec: InputSpec, name: str, host: tuple[HostOp, ...]) -> Edge:
    if isinstance(chain.state, Stored):
        return _quantized_output(chain.state, spec, name, host)
    total = chain.state
    if total.layer is None:
        raise UnsupportedError(
            "the model ends in a float function of a quantized activation",
            hint="end the model in a layer of sums, or quantize its output",
        )
    scale, offset, kept = affine(total, total.layer.label)
    if not kept:
        reason = (
            "the real values of scores are rounded otherwise on the host, up to 2**-18 of the "
            "largest; only scores that are as near to each other can change places"
        )
        chain.built.not_compared.append(NotCompared(total.layer.label, reason))
    fits = DType.INT16.low <= total.low.min() and total.high.max() <= DType.INT16.high
    dtype = DType.INT16 if fits else DType.INT32
    tensor = chain.built.activation(total.shape, dtype)
    chain.built.add_sum(total, total.layer, tensor, None, 0)
    shape, order = _source_shape(total, spec)
    return Edge(
        tensor=tensor,
        source_name=name,
        source_shape=shape,
        source_dtype="float32",
        scale=1.0,
        zero_point=0,
        transpose=order,
        host_ops=host,
        dtype=dtype,
        channel_scale=tuple(float(value) for value in scale),
        channel_offset=tuple(float(value) for value in offset),
    )


def _quantized_output(state: Stored, spec: InputSpec, name: str, host: tuple[HostOp, ...]) -> Edge:
    if state.flipped.any():
        raise UnsupportedError("the model ends in an activation whose order is reversed")
    shape, order = _source_shape(state, spec)
    return Edge(
        tensor=state.tensor,
        source_name=name,
        source_shape=shape,
        source_dtype="float32",
        scale=float(state.scale),
        zero_point=state.zero_point,
        transpose=order,
        host_ops=host,
        dtype=state.dtype,
    )


def _source_shape(
    state: Stored | Sum, spec: InputSpec
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Return the output's shape in the source's layout and the edge's transpose."""
    places = state.places if isinstance(state, Stored) else None
    if places is not None and (places != np.arange(places.size)).any():
        raise UnsupportedError("the model ends in a Flatten that moves data")
    if len(state.shape) == 1 or places is not None:
        return (1, int(np.prod(state.shape))), None
    height, width, channels = state.shape
    spatial = (width,) if len(spec.shape) == 3 else (height, width)
    if not spec.channels_first:
        return (1, *spatial, channels), None
    return (1, channels, *spatial), (0, *range(2, 2 + len(spatial)), 1)
