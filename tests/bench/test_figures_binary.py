"""Binary networks as firmware: what they may cost, and that every answer is the interpreter's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from writers.random_binary import BinaryBuilder

from edgekit import board as boards
from edgekit.config import Options
from edgekit.ir import serialize
from edgekit.ir.types import DType, Padding
from edgekit.pipeline.bench import bench
from edgekit.pipeline.deploy import deploy
from edgekit.pipeline.settings import resolve

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """784 bytes to bits, three layers of 64 bits, ten scores: 59,008 weights of one bit."""
    builder = BinaryBuilder(3)
    builder.never_changing = 0.0
    at = builder.threshold(builder.bytes(784), DType.BINARY, shared=True)
    for _ in range(3):
        at = builder.binary_dense(at, 64)
    at = builder.binary_dense(at, 10, DType.INT16)
    path = tmp_path_factory.mktemp("dense") / "dense.safetensors"
    serialize.save(builder.graph(at), path)
    return path


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution of 64 channels that stays as it is, and what usually follows it."""
    builder = BinaryBuilder(5)
    builder.never_changing = 0.0
    ring = Padding(1, 1, 1, 1)
    at = builder.binary_conv(builder.bits(8, 8, 64), 64, padding=ring)
    at = builder.max_of_bits(at, (2, 2), (2, 2), Padding())
    at = builder.binary_conv(at, 128, padding=ring, padding_value=-1)
    at = builder.binary_conv(at, 1, padding=ring, depthwise=True)
    at = builder.binary_dense(at, 10, DType.INT16)
    path = tmp_path_factory.mktemp("images") / "images.safetensors"
    serialize.save(builder.graph(at), path)
    return path


def _row(model: Path, board: str) -> dict[str, Any]:
    (row,) = bench([model], boards.find(board), virtual=True)["models"]
    return dict(row)


def test_a_dense_network_keeps_its_limits(dense: Path) -> None:
    row = _row(dense, "nucleo-l4r5zi")
    assert row["macs"] == 59_008
    assert row["instructions"] <= 19_000
    assert row["weights_bytes"] <= 59_008 / 8 + 16
    assert row["code_bytes"] + row["tables_bytes"] <= 5_000


def test_a_convolution_takes_an_instruction_for_four_weights(images: Path) -> None:
    first = _row(images, "nucleo-l4r5zi")["layers"][0]
    assert first["op"] == "LowBitConv2D"
    assert first["macs"] >= 4 * first["instructions"]


BOARDS = ("nucleo-l4r5zi", "mps3-an547", "qemu-virt-rv32", "rpi-pico")
PLACES = [(network, board) for board in BOARDS for network in ("dense", "images")]


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("network", "board"),
    [PLACES[0], *(pytest.param(*p, marks=pytest.mark.nightly) for p in PLACES[1:])],
)
def test_every_answer_is_the_interpreters(
    network: str, board: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(network)
    options = Options(model=model, board=board, virtual=True, work=tmp_path)
    report = deploy(resolve(options, start=tmp_path))
    assert report.error is None
    assert report.equality is not None
    assert report.equality.samples >= 16
    assert (report.equality.mismatches, report.equality.not_compared) == (0, ())
    assert "board" in report.equality.chain
