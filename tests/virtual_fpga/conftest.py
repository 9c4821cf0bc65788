"""One folder of compiled simulators for all tests here: the small board takes 10 s of CPU."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # which all workers share
    folder = base / "fpga_boards"
    folder.mkdir(exist_ok=True)
    return folder
