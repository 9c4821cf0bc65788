"""The firmware's portable part, compiled once for this machine in its variants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from link_host import INPUT_BYTES, HostBoard, compile_host, wait_less


@pytest.fixture(scope="session")
def variants(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile a variant of the firmware by its flags, once."""
    folder = tmp_path_factory.mktemp("host_firmware")
    built: dict[tuple[str, ...], Path] = {}

    def build(*flags: str) -> Path:
        if flags not in built:
            built[flags] = compile_host(folder / f"firmware{len(built)}", *flags)
        return built[flags]

    return build


@pytest.fixture
def boards(variants: Callable[..., Path]) -> Iterator[Callable[..., HostBoard]]:
    """Start boards that end with the test."""
    running: list[HostBoard] = []

    def start(*flags: str, **options: object) -> HostBoard:
        running.append(HostBoard(variants(*flags), **options))  # type: ignore[arg-type]
        return running[-1]

    yield start
    for board in running:
        board.close()


@pytest.fixture
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process answers in microseconds: wait less for what a fault has eaten."""
    wait_less(monkeypatch, 0.02)


@pytest.fixture
def inputs() -> np.ndarray:
    return np.random.default_rng(7).integers(-128, 128, (12, INPUT_BYTES)).astype(np.int8)
