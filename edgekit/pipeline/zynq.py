"""A Zynq board over ssh: the bundle that Vivado makes of a network, and bringing it there."""

from __future__ import annotations

from dataclasses import replace

from edgekit.board import FpgaBoard
from edgekit.board import fpga as fpga_board
from edgekit.build.plan import Artifact, FpgaSizes, Sizes
from edgekit.device.ssh import Remote
from edgekit.device.ssh_deploy import deploy_bundle
from edgekit.device.vivado_build import build_bundle, bundle_of
from edgekit.errors import DeviceError
from edgekit.ir.graph import Graph
from edgekit.pipeline.settings import Settings
from edgekit.progress import Progress
from edgekit.target.fpga.bundle import read_bundle
from edgekit.target.fpga.core import Core
from edgekit.target.fpga.plan import zynq_project
from edgekit.target.fpga.vivado import VivadoProject
from edgekit.target.fpga.vivado_reports import Slack

BUNDLE = "bundle"  # among an artifact's products: the directory


def is_wanted(settings: Settings) -> bool:
    """Say whether this deployment ends on a Zynq, whose bitstream only the vendor's tool makes."""
    board = settings.board
    return isinstance(board, FpgaBoard) and board.part.family == "zynq7" and not settings.virtual


def refuse(settings: Settings, graph: Graph, core: Core) -> None:
    """Raise what is wrong with the named bitstream and machines; to be asked before any build."""
    if settings.port is not None:
        _board(settings, settings.port)
    _build_host(settings)
    if settings.fpga.bitstream is not None:
        bundle_of(_project(settings, graph, core), core, settings.work, settings.fpga.bitstream)


def bundled(
    settings: Settings, graph: Graph, core: Core, artifact: Artifact, progress: Progress
) -> Artifact:
    """Return `artifact` with the bundle of its bitstream, under the build id that the board says.

    The bitstream is the one that was named, or Vivado makes it, here or on the build host. Raises
    ToolError where there is no Vivado (the project is written), DoesNotFitError where the clock is
    missed, ConfigError for a bitstream of something else.
    """
    made = _project(settings, graph, core)
    if settings.fpga.bitstream is not None:
        bundle, sizes = (
            bundle_of(made, core, settings.work, settings.fpga.bitstream),
            artifact.sizes,
        )
    else:
        host = _build_host(settings)
        built = build_bundle(made, core, settings.work, host=host, progress=progress)
        bundle, sizes = built.bundle, _timed(artifact.sizes, built.report.slack)
    products = {**artifact.products, BUNDLE: bundle.directory}
    return replace(artifact, plan=bundle.identity.build_id, products=products, sizes=sizes)


def _timed(sizes: Sizes | FpgaSizes, slack: Slack) -> Sizes | FpgaSizes:
    """Return `sizes`, with the clock that is reached where that is too slow.

    No clock at all mends a missed hold.
    """
    if slack.met or not isinstance(sizes, FpgaSizes):
        return sizes
    return replace(sizes, fmax_mhz=slack.fmax_mhz if slack.hold_ns >= 0 else 0.0)


def bring(settings: Settings, artifact: Artifact, url: str, progress: Progress) -> None:
    """Copy the artifact's bundle to the board at `url` (ssh://user@host) and load it.

    Raises DeviceError where the machine, the way to it or the bundle is not what it should be.
    """
    board = _board(settings, url)
    bundle = read_bundle(artifact.products[BUNDLE], settings.board.name)
    deploy_bundle(board, bundle, progress=progress)


def _project(settings: Settings, graph: Graph, core: Core) -> VivadoProject:
    board, point = fpga_board(settings.board), settings.contract.operating_point
    allow = settings.fpga.allow_timing_failure
    return zynq_project(graph, core, board, point, allow_timing_failure=allow)


def _build_host(settings: Settings) -> Remote | None:
    named = settings.fpga.build_host
    return None if named is None else Remote.parse(f"ssh://{named}")


def _board(settings: Settings, url: str) -> Remote:
    if not url.startswith("ssh://"):
        raise DeviceError(
            f"{settings.board.name} is reached by ssh, and the port is {url}",
            hint="name it with --port ssh://user@host",
        )
    return Remote.parse(url)
