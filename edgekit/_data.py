"""Where the C, Verilog and board files are: a checkout's own, else the wheel's copy."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_HERE = Path(__file__).resolve().parent


def data_dir(name: Literal["firmware", "fpga", "boards"]) -> Path:
    """Return the directory `name`; a checkout's own wins over the wheel's copy.

    An editable install also copies `_bundled/`, which then goes stale: hence checkout first.
    """
    checkout = _HERE.parent / name
    if (_HERE.parent / "pyproject.toml").is_file() and checkout.is_dir():
        return checkout
    return _HERE / "_bundled" / name
