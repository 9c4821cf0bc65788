"""A work directory in which the digits are built and counted, made once a run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from deploying import BOARD, DIGITS, few, helpers_of_this_process, share

from edgekit.config import Options
from edgekit.pipeline import deploy
from edgekit.pipeline.settings import Settings, resolve


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work directory after one deployment of the digits."""
    work = tmp_path_factory.mktemp("built") / "work"
    options = Options(model=DIGITS, board=BOARD, virtual=True, work=work)
    report = deploy.verify(resolve(options, start=work.parent))
    assert report.error is None, report.error
    assert report.exit_code == 0
    return work


@pytest.fixture
def work(built: Path, tmp_path: Path) -> Path:
    """A fresh work directory for a model that need not be built and counted again."""
    return share(built, tmp_path / "work")


@pytest.fixture
def settings(work: Path, tmp_path: Path) -> Callable[..., Settings]:
    """Settings of a deployment of 24 digits on the virtual board, with some of them changed."""

    def make(samples: int = 24, **changes: object) -> Settings:
        options = Options(
            model=DIGITS,
            board=BOARD,
            virtual=True,
            work=work,
            data=few(tmp_path / "few.npz", samples),
            rate_hz=10.0,
        )
        return replace(resolve(options, start=tmp_path), **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture(autouse=True)
def _nothing_survives() -> Iterator[None]:
    """Every twin, meter and reference has ended when a test ends."""
    before = signal.getsignal(signal.SIGTERM)
    there = helpers_of_this_process()  # of session fixtures, elsewhere
    yield
    signal.signal(signal.SIGTERM, before)  # the command line installs a handler of its own
    assert helpers_of_this_process() - there == set()


@pytest.fixture
def project(tmp_path: Path, work: Path) -> Path:
    """A directory with an edgekit.yaml that deploys 24 digits on the virtual board."""
    few(tmp_path / "few.npz", 24)
    (tmp_path / "edgekit.yaml").write_text(
        f"model: {os.path.relpath(DIGITS, tmp_path)}\ndata: few.npz\nboard: {BOARD}\n"
        "virtual: true\ncontract: {rate_hz: 10}\n",
        encoding="utf-8",
    )
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "edgekit").symlink_to(work)
    return tmp_path
