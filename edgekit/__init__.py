"""edgekit: neural networks on microcontrollers and small FPGAs, with proof.

The public Python interface: one function per stage, the values between them, one error tree.
Names are loaded on first use, so that `edgekit --help` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.board import Board as Board
    from edgekit.build.plan import Artifact as Artifact
    from edgekit.device.session import Run as Run
    from edgekit.errors import EdgekitError as EdgekitError
    from edgekit.ir.graph import Graph as Graph
    from edgekit.pipeline.deploy import deploy as deploy
    from edgekit.pipeline.deploy import measure as measure
    from edgekit.pipeline.deploy import verify as verify
    from edgekit.pipeline.stages import build as build
    from edgekit.pipeline.stages import compile as compile
    from edgekit.pipeline.stages import flash as flash
    from edgekit.pipeline.stages import load as load
    from edgekit.pipeline.stages import run as run
    from edgekit.report.types import Report as Report

__version__ = "0.1.0"

_HOMES = {
    "load": "edgekit.pipeline.stages",
    "compile": "edgekit.pipeline.stages",
    "build": "edgekit.pipeline.stages",
    "flash": "edgekit.pipeline.stages",
    "run": "edgekit.pipeline.stages",
    "measure": "edgekit.pipeline.deploy",
    "verify": "edgekit.pipeline.deploy",
    "deploy": "edgekit.pipeline.deploy",
    "Graph": "edgekit.ir.graph",
    "Board": "edgekit.board",
    "Artifact": "edgekit.build.plan",
    "Run": "edgekit.device.session",
    "Report": "edgekit.report.types",
    "EdgekitError": "edgekit.errors",
}

__all__ = [  # noqa: RUF022 - in the order in which a deployment goes
    "load",
    "compile",
    "build",
    "flash",
    "run",
    "measure",
    "verify",
    "deploy",
    "Graph",
    "Board",
    "Artifact",
    "Run",
    "Report",
    "EdgekitError",
]


def __getattr__(name: str) -> object:
    # `measure`, `build` and others are sub-packages too: Python sets those as attributes when
    # they are imported, so the functions are reached through this table only until then.
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
