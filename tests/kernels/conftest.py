"""Kernel libraries for the host, compiled once."""

from __future__ import annotations

import pytest
from kernel_driver import Kernels, host_library


@pytest.fixture(scope="session", params=["integer", "float"])
def kernels(request, tmp_path_factory):
    """All kernels; float32_rne by integer emulation and by float32 operations."""
    flag = f"-DEK_FLOAT32={int(request.param == 'float')}"
    directory = tmp_path_factory.mktemp(request.param)
    return Kernels(host_library(directory, flags=("-O2", flag)))
