"""The RTL of the link in a simulator, built once for all tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "firmware_link"))  # the bad wire is the same for both devices

from link_host import HostBoard, wait_less  # noqa: E402
from rtl_board import CLOCK_MHZ, DIV, INPUT_BYTES, SLEEPING, build  # noqa: E402


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("verilated"), "popcount", SLEEPING)


@pytest.fixture
def boards(simulator: Path, tmp_path: Path) -> Iterator[Callable[..., HostBoard]]:
    made: list[HostBoard] = []

    def make(*, free_running: bool = False, **kwargs: object) -> HostBoard:
        arguments = (str(DIV), str(CLOCK_MHZ), str(int(free_running)), str(tmp_path / "states"))
        made.append(HostBoard(simulator, arguments=arguments, **kwargs))
        return made[-1]

    yield make
    for board in made:
        board.close()


@pytest.fixture
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulation answers in milliseconds: wait less for what a fault has eaten."""
    wait_less(monkeypatch, 0.04)


@pytest.fixture
def inputs() -> np.ndarray:
    return np.random.default_rng(7).integers(-128, 128, (70, INPUT_BYTES)).astype(np.int8)
