"""Spoken digits from the data folder, and the front end compiled for this machine."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from mfcc_image import FRONTEND, HostLibrary
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> HostLibrary:
    """The front end in C on this machine, with traps for what C leaves undefined."""
    flags = ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover")
    directory = tmp_path_factory.mktemp("mfcc")
    return HostLibrary(directory, sorted(FRONTEND.glob("*.c")), *flags)


@pytest.fixture(scope="session")
def fsdd(shared_data: Path) -> Path:
    """The zip of 3,000 recordings."""
    return shared_data / "datasets" / "fsdd" / "fsdd_recordings.zip"


@pytest.fixture(scope="session")
def recordings(fsdd: Path) -> list[NDArray[np.int16]]:
    """60 recordings: each digit of each speaker."""
    with zipfile.ZipFile(fsdd) as archive:
        names = [name for name in sorted(archive.namelist()) if name.endswith("_7.wav")]
        data = [archive.read(name)[44:] for name in names]
    assert len(data) == 60
    return [np.frombuffer(one, "<i2").astype(np.int16) for one in data]
