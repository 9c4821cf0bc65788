"""The twin's own test firmware, and real firmware of a small model, built once a run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from twin_host import Host, connect, link_port, wait_ready
from writers.random_graphs import GraphBuilder

from edgekit import board as boards
from edgekit.board import Board
from edgekit.build import run as executor
from edgekit.build.plan import Toolchain
from edgekit.ir.graph import Graph
from edgekit.passes import memory, optimize
from edgekit.target import mcu
from edgekit.virtual import Faults, qemu, start_twin

_HERE = Path(__file__).resolve().parent / "firmware"
_COMMON = ("-std=c99", "-ffreestanding", "-O2", "-Wall", "-Wextra", "-Werror", "-nostdlib")
_COMPILERS = {
    "gcc": (
        *("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16"),
        *("-mfloat-abi=hard", "-nostartfiles"),
    ),
    "zig": (
        *(sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabihf"),
        *("-mcpu=cortex_m4", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables"),
    ),
}


@pytest.fixture(scope="session")
def board() -> Board:
    return boards.find("nucleo-l4r5zi")


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    built: dict[str, Path] = {}

    def build(compiler: str) -> Path:
        if compiler not in built:
            elf = tmp_path_factory.mktemp(compiler) / "test.elf"
            script = f"-Wl,-T,{_HERE / 'link.ld'}"
            sources = (str(_HERE / "board.c"), str(_HERE / "model.c"))
            subprocess.run(
                [*_COMPILERS[compiler], *_COMMON, script, *sources, "-o", str(elf)], check=True
            )
            built[compiler] = elf
        return built[compiler]

    return build


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("counts")


@pytest.fixture
def twin_of(
    board: Board, cache: Path, tmp_path: Path
) -> Callable[..., AbstractContextManager[Host]]:
    @contextmanager
    def start(elf: Path, faults: Faults | None = None, *, ready: bool = True) -> Iterator[Host]:
        """Yield the twin of an image, waiting for input unless told otherwise."""
        with start_twin(elf, board, tmp_path / "twin", cache=cache, faults=faults) as twin:
            if ready:
                wait_ready(twin)
            with connect(link_port(twin)) as sock:
                yield Host(twin, sock)

    return start


@pytest.fixture(scope="session")
def small_graph() -> Graph:
    """A few kinds of layers, thousands of instructions."""
    builder = GraphBuilder(11, samples=2)
    x = builder.input(10, 10, 3)
    x = builder.conv(x, 8)
    x = builder.max_pool(x, (2, 2), (2, 2))
    x = builder.conv(x, 8)
    x = builder.dense(x, 10)
    return builder.graph(x)


@pytest.fixture(scope="session")
def image_of(
    tmp_path_factory: pytest.TempPathFactory, small_graph: Graph, board: Board
) -> Callable[..., Path]:
    work = tmp_path_factory.mktemp("images")
    graph = optimize(small_graph)

    def build(
        toolchain: Toolchain,
        *,
        oracle: bool = False,
        on: Board = board,
        operating_point: str | None = None,
    ) -> Path:
        scratch, overlaps = mcu.scratch_bytes(graph, on), mcu.overlaps(graph, on)
        arena = memory.plan(graph, scratch, overlaps)
        target = qemu.oracle_board(on) if oracle else on
        plan = mcu.emit(graph, arena, target, toolchain, operating_point=operating_point)
        return executor.execute(plan, work).products["elf"]

    return build


@pytest.fixture(scope="session")
def samples() -> np.ndarray:
    return np.random.default_rng(5).integers(-128, 128, (6, 300)).astype(np.int8)
