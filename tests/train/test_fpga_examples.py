"""The examples for the UP5K: their graphs, how many images they tell right, and their RTL."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.board import FpgaBoard, find
from edgekit.build import fpga
from edgekit.build.plan import FpgaSizes
from edgekit.config import FpgaWish
from edgekit.ir import edges, interp
from edgekit.ir.graph import Graph
from edgekit.ir.nodes import GroupCount, LutLayer
from edgekit.ir.serialize import load_bytes
from edgekit.ir.types import DType
from edgekit.target.fpga.hardwired import generate
from edgekit.target.fpga.plan import design
from edgekit.virtual.fpga import run_core

IMAGES, FIRST_RIGHT = 500, 488
CELLS = 2400  # of the network, its input registers and its counts: what the shell has none of


def _graph(root: Path, example: str, name: str) -> Graph:
    path = root / "examples" / example / f"{name}.safetensors"
    return load_bytes(path.read_bytes(), name)


def _right(graph: Graph, x: NDArray[np.uint8], y: NDArray[np.uint8]) -> int:
    (source,), (scores,) = graph.inputs, graph.outputs
    integers = edges.quantize(source, x).reshape(len(x), *graph.tensors[source.tensor].shape)
    found = interp.run(graph, {source.tensor: integers})[scores.tensor]
    return int(np.count_nonzero(found.argmax(axis=1) == y))


def _mnist(shared_data: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    folder = shared_data / "datasets" / "mnist"
    x = _idx(folder / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1)
    return x, _idx(folder / "t10k-labels-idx1-ubyte.gz", 8)


def _idx(path: Path, header: int) -> NDArray[np.uint8]:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


@pytest.mark.parametrize(
    ("example", "name", "inputs", "tables"),
    [
        ("mnist_fpga", "mnist_luts", 784, (987, 360)),
        ("digits_fpga", "digits_luts", 192, (400, 200)),
    ],
)
def test_a_graph_is_two_layers_of_tables_and_ten_counts(
    root: Path, example: str, name: str, inputs: int, tables: tuple[int, int]
) -> None:
    graph = _graph(root, example, name)
    first, second, count = graph.nodes
    assert isinstance(first, LutLayer)
    assert isinstance(second, LutLayer)
    assert isinstance(count, GroupCount)
    source = graph.tensors[graph.inputs[0].tensor]
    assert (source.shape, source.dtype) == ((inputs,), DType.BINARY)
    assert [graph.constants[n.tables].shape for n in (first, second)] == [(t, 16) for t in tables]


def test_mnist_reads_what_the_shell_stores_in_a_word(root: Path) -> None:
    graph = _graph(root, "mnist_fpga", "mnist_luts")
    first = graph.nodes[0]
    assert isinstance(first, LutLayer)
    assert len(np.unique(graph.constants[first.connections] // 8)) <= 48


def test_look_up_tables_are_kept_apart_on_the_icebreaker(root: Path) -> None:
    graph = _graph(root, "digits_fpga", "digits_luts")
    board = find("icebreaker")
    assert isinstance(board, FpgaBoard)
    made = design(graph, board, FpgaWish(), operating_point="run_12mhz", rate_hz=10)
    assert made.core.style == "hardwired"
    steps = [command.log for command in made.plan.commands]
    assert steps == ["synth", "loose", "place-{seed}", "pack"]


@pytest.mark.data
def test_the_first_images_of_mnist_are_told_right(root: Path, shared_data: Path) -> None:
    x, y = _mnist(shared_data)
    assert _right(_graph(root, "mnist_fpga", "mnist_luts"), x[:IMAGES], y[:IMAGES]) == FIRST_RIGHT


@pytest.mark.data
@pytest.mark.nightly
def test_all_images_of_mnist_have_the_accuracy_that_the_page_says(
    root: Path, shared_data: Path
) -> None:
    x, y = _mnist(shared_data)
    right = _right(_graph(root, "mnist_fpga", "mnist_luts"), x, y)
    assert right >= 9730
    page = (root / "examples" / "mnist_fpga" / "README.md").read_text(encoding="utf-8")
    assert f"seed 0, tells {right:,} of 10,000" in page


def test_the_digits_have_the_accuracy_that_the_page_says(root: Path) -> None:
    held_out = np.load(root / "examples" / "digits_binary" / "held_out.npz")
    right = _right(_graph(root, "digits_fpga", "digits_luts"), held_out["x"], held_out["y"])
    assert right >= 0.95 * 450
    page = (root / "examples" / "digits_fpga" / "README.md").read_text(encoding="utf-8")
    assert f"seed 0, tells {right} of 450" in page


def _assert_rtl_equals(root: Path, graph: Graph, x: NDArray[np.uint8], work: Path) -> None:
    (source,), (scores,) = graph.inputs, graph.outputs
    tensor = graph.tensors[source.tensor]
    integers = edges.quantize(source, x).reshape(len(x), *tensor.shape)
    wanted = interp.run(graph, {source.tensor: integers})[scores.tensor]
    wire = edges.to_bytes(tensor, integers).view(np.uint8)
    found = run_core(generate(graph), root / "fpga" / "rtl", wire, "verilator", work)
    answers = edges.from_bytes(graph.tensors[scores.tensor], found.outputs.view(np.int8))
    np.testing.assert_array_equal(answers, wanted.reshape(len(x), -1))


@pytest.mark.data
@pytest.mark.nightly
@pytest.mark.verilator
def test_rtl_answers_all_images_of_mnist_as_the_graph(
    root: Path, shared_data: Path, tmp_path: Path
) -> None:
    x, _ = _mnist(shared_data)
    _assert_rtl_equals(root, _graph(root, "mnist_fpga", "mnist_luts"), x, tmp_path)


@pytest.mark.nightly
@pytest.mark.verilator
def test_rtl_answers_all_digits_as_the_graph(root: Path, tmp_path: Path) -> None:
    held_out = np.load(root / "examples" / "digits_binary" / "held_out.npz")
    graph = _graph(root, "digits_fpga", "digits_luts")
    _assert_rtl_equals(root, graph, held_out["x"], tmp_path)


_EMPTY = """`default_nettype none
module ek_core (input wire clk, input wire rst, input wire in_valid, output wire in_ready,
    input wire [{inputs}:0] in_data, output wire out_valid, input wire out_ready,
    output wire [{outputs}:0] out_data, input wire load_valid, input wire [15:0] load_data);
    assign in_ready = out_ready;
    assign out_valid = in_valid;
    assign out_data = in_data[{outputs}:0];
    wire unused = &{{1'b0, clk, rst, in_data, load_valid, load_data}};
endmodule
`default_nettype wire
"""


@pytest.mark.nightly
@pytest.mark.nextpnr
def test_mnist_with_the_shell_routes_within_its_cells(root: Path, tmp_path: Path) -> None:
    """Whole design less the same shell around a core that passes its first bits on."""
    board = find("icebreaker")
    assert isinstance(board, FpgaBoard)
    graph = _graph(root, "mnist_fpga", "mnist_luts")
    wish = FpgaWish(toolchain="native")
    made = design(graph, board, wish, operating_point="run_12mhz", rate_hz=10)
    artifact = fpga.execute(made.plan, tmp_path)
    assert isinstance(artifact.sizes, FpgaSizes)
    assert artifact.sizes.fmax_mhz is not None
    assert artifact.sizes.fmax_mhz >= 12
    (name,) = [path for path in made.plan.files if path.name == "ek_core.v"]
    inputs, outputs = made.core.in_width - 1, made.core.out_width - 1
    empty = _EMPTY.format(inputs=inputs, outputs=outputs).encode()
    shell = replace(made.plan, files={**made.plan.files, name: empty})
    shell = replace(shell, name="empty")
    around = fpga.execute(shell, tmp_path)
    assert isinstance(around.sizes, FpgaSizes)
    assert artifact.sizes.lc - around.sizes.lc <= CELLS


@pytest.mark.torch
@pytest.mark.parametrize(
    ("example", "name"), [("mnist_fpga", "mnist_luts"), ("digits_fpga", "digits_luts")]
)
def test_training_files_are_valid(root: Path, example: str, name: str) -> None:
    from edgekit.train import config

    assert config.load(root / "examples" / example / "train.yaml").name == name


@pytest.mark.torch
@pytest.mark.nightly
def test_training_the_digits_anew_takes_less_than_60_seconds_of_one_core(
    root: Path, tmp_path: Path
) -> None:
    from edgekit.progress import Silent
    from edgekit.train import config, run

    wanted = config.load(root / "examples" / "digits_fpga" / "train.yaml")
    result = run.train(wanted, tmp_path, Silent()).result
    assert result["cpu_seconds"] < 60
    assert result["accuracy"]["validation"] > 0.96
