"""edgekit: neural networks on microcontrollers and small FPGAs, with proof.

The public Python interface: one function per stage, the values between them, one error tree.
Names are loaded on first use, so that `edgekit --help` stays fast.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
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


def _home(name: str) -> object:
    return getattr(import_module(_HOMES[name]), name)


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return _home(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Package(ModuleType):
    """Keeps `edgekit.build` and `edgekit.measure` functions, though packages are called so too.

    Importing a sub-package sets it as an attribute of its parent; these two let that pass, so
    that what a user sees does not depend on what was imported before (decision 4).
    """

    build = property(lambda _self: _home("build"), lambda _self, _package: None)
    measure = property(lambda _self: _home("measure"), lambda _self, _package: None)


sys.modules[__name__].__class__ = _Package
