"""hls4ml projects: their operators give the graph's scores, and so does hls4ml where installed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from writers import fixed_digits
from writers.random_graphs import GraphBuilder
from writers.random_lowbit import ChainBuilder

from edgekit import passes
from edgekit.errors import ToolError, UnsupportedError
from edgekit.export import hls4ml, hls4ml_run
from edgekit.frontend import load
from edgekit.ir import check, edges, interp
from edgekit.ir.graph import Graph
from edgekit.ir.types import DType, InputGrid
from edgekit.train.data.idx import read

RESULTS = (DType.BINARY, DType.TERNARY, DType.INT4, DType.INT16)
WEIGHTS = (DType.BINARY, DType.TERNARY, DType.INT2, DType.INT4, DType.INT8)


def executed(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """Return what the operators of a project compute of x, (n, inputs), in float32."""
    values = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    values["x"] = x.astype(np.float32)
    for node in model.graph.node:
        first, *more = (values[name] for name in node.input)
        match node.op_type:
            case "MatMul":
                y = first @ more[0]
            case "BatchNormalization":
                y = first * more[0] + more[1]
                assert not more[2].any()
                assert (more[3] == 1).all()
            case "BipolarQuant":
                assert (first != 0).all()  # whatever the sign of 0 is taken for
                y = np.where(first >= 0, 1, -1)
            case "Quant":
                bits = int(more[2])
                assert (np.abs(first) <= 2 ** (bits - 1)).all()
                y = first
        values[node.output[0]] = np.asarray(y, np.float32)
    return values[model.graph.output[0].name]


def inputs_of(made: hls4ml.Project, graph: Graph, x: np.ndarray) -> np.ndarray:
    if made.encoder is None:
        return x.reshape(len(x), -1)
    check.verify(made.encoder)
    found = interp.run(made.encoder, {graph.inputs[0].tensor: x})
    return found[made.encoder.outputs[0].tensor].reshape(len(x), -1)


def scores(graph: Graph, x: np.ndarray) -> np.ndarray:
    outputs = interp.run(graph, {graph.inputs[0].tensor: x})
    return outputs[graph.outputs[0].tensor].reshape(len(x), -1)


def random_dense(seed: int) -> ChainBuilder:
    """Dense layers of every weight and activation, the input as it is or encoded first."""
    chain = ChainBuilder(seed, samples=40)
    draw = np.random.default_rng([seed, 9])
    chain.start(chain.pick(5, 12), dtype=DType.INT8 if seed % 3 else DType.BINARY)
    if seed % 3 == 2:
        chain.codes(2)
    for _ in range(2):
        weights = WEIGHTS[draw.integers(4)]
        chain.dense(chain.pick(6, 9), weights, RESULTS[draw.integers(3)])
    if draw.random() < 0.4:
        chain.dense(7, DType.TERNARY, DType.INT16)
        chain.steps(DType.INT2)
    chain.dense(4, WEIGHTS[seed % len(WEIGHTS)], DType.INT32)
    return chain


@pytest.mark.parametrize("seed", range(30))
def test_the_operators_give_the_scores(seed: int):
    chain = random_dense(seed)
    graph = chain.graph(chain.last)
    made = hls4ml.project(graph)
    x = chain.values[graph.inputs[0].tensor]
    onnx.checker.check_model(made.model)
    found = executed(made.model, inputs_of(made, graph, x))
    np.testing.assert_array_equal(found, scores(graph, x))


def test_the_precision_holds_every_sum():
    net = fixed_digits.two_layers(
        "small", np.ones((3, 9), int), np.array([-9, 0, 9]), np.ones((2, 3), int), np.zeros(2, int)
    )
    made = hls4ml.project(net)
    found = re.fullmatch(r"fixed<(\d+),(\d+)>", made.precision)
    assert found is not None
    bits, whole = int(found[1]), int(found[2])
    assert bits - whole == 2
    assert 2 ** (whole - 1) > 2 * 9


def test_what_cannot_be_written_is_named():
    builder = GraphBuilder(0)
    y = builder.dense(builder.input(8), 3)
    with pytest.raises(UnsupportedError, match="dense layers of few bits"):
        hls4ml.project(builder.graph(y))
    chain = ChainBuilder(1)
    chain.start(12, dtype=DType.BINARY)
    chain.dense(16, DType.BINARY, DType.BINARY)
    with pytest.raises(UnsupportedError, match="ends in thresholds"):
        hls4ml.project(chain.graph(chain.last))
    chain.luts(8, 4)
    with pytest.raises(UnsupportedError, match="LutLayer cannot be written for hls4ml"):
        hls4ml.project(chain.graph(chain.last))


def test_without_hls4ml_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "hls4ml.py").write_text("raise ModuleNotFoundError('hls4ml')\n", encoding="utf-8")
    here = str(Path(__file__).resolve().parents[2])
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{here}")
    chain = random_dense(0)
    graph = chain.graph(chain.last)
    with pytest.raises(ToolError, match="hls4ml is not installed") as caught:
        hls4ml_run.csim(graph, chain.values[graph.inputs[0].tensor])
    assert caught.value.hint == "pip install 'edgekit[hls]'"


@pytest.mark.nightly
@pytest.mark.hls4ml
@pytest.mark.cc
@pytest.mark.data
@pytest.mark.parametrize("name", fixed_digits.NAMES)
def test_hls4ml_on_all_digits(name: str, shared_data: Path):
    net = fixed_digits.load(shared_data, name)
    np.testing.assert_array_equal(hls4ml_run.csim(net.graph, net.x), net.scores)


@pytest.mark.nightly
@pytest.mark.hls4ml
@pytest.mark.cc
@pytest.mark.data
def test_hls4ml_for_the_board(shared_data: Path):
    net = fixed_digits.load(shared_data, "digits_bin_64-64-10_p80")
    found = hls4ml_run.csim(net.graph, net.x, "VivadoAccelerator")
    np.testing.assert_array_equal(found, net.scores)


@pytest.mark.nightly
@pytest.mark.hls4ml
@pytest.mark.cc
@pytest.mark.parametrize("seed", [1, 2, 4])
def test_hls4ml_on_random_networks(seed: int):
    chain = random_dense(seed)
    graph = chain.graph(chain.last)
    x = chain.values[graph.inputs[0].tensor]
    np.testing.assert_array_equal(hls4ml_run.csim(graph, x), scores(graph, x))


@pytest.mark.nightly
@pytest.mark.hls4ml
@pytest.mark.cc
@pytest.mark.data
@pytest.mark.parametrize("name", ["TFC_1W1A.onnx", "TFC_2W2A.onnx", "pruned.safetensors"])
def test_hls4ml_on_all_images(name: str, root: Path, shared_data: Path):
    published = name.endswith(".onnx")
    folder = shared_data / "models/qonnx_zoo" if published else root / "examples/mnist"
    grid = InputGrid(1 / 255, 0, "uint8") if published else None
    graph = passes.optimize(load(folder / name, grid=grid))
    edge = graph.inputs[0]
    x = read(shared_data / "datasets/mnist/t10k-images-idx3-ubyte.gz")
    x = x.reshape(-1, *edge.source_shape[1:])
    if edge.source_dtype == "float32":
        x = x.astype(np.float32) / np.float32(255)
    integers = edges.quantize(edge, x)
    np.testing.assert_array_equal(hls4ml_run.csim(graph, integers), scores(graph, integers))


@pytest.mark.nightly
@pytest.mark.hls4ml
@pytest.mark.cc
@pytest.mark.data
def test_hls4ml_gets_bipolar_weights_wrong(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The reason for `Quant` weights; where this fails, hls4ml was repaired."""
    net = fixed_digits.load(shared_data, "digits_bin_64-64-10_dense")
    made = hls4ml.project(net.graph)
    bipolar = onnx.ModelProto()
    bipolar.CopyFrom(made.model)
    for node in bipolar.graph.node:
        if node.op_type == "Quant":
            node.op_type = "BipolarQuant"
            del node.input[2:], node.attribute[:]
    changed = hls4ml.Project(made.encoder, bipolar, made.precision)
    monkeypatch.setattr(hls4ml_run, "project", lambda _: changed)
    hls4ml_run.write(net.graph, tmp_path, "Vitis")
    written = [
        set(re.findall(r"\d", path.read_text(encoding="utf-8")))
        for path in sorted((tmp_path / "project/firmware/weights").glob("w*.txt"))
    ]
    assert sorted(written, key=len) == [{"1"}, {"0", "1"}]
