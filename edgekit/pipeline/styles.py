"""`--optimize`: every style of a network built and counted; the best that keeps the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import get_args

from edgekit.board import FpgaBoard
from edgekit.build.plan import Artifact, FpgaSizes
from edgekit.cost import fpga_choice, fpga_power
from edgekit.cost.fpga_activity import Activity
from edgekit.cost.fpga_power import Scope
from edgekit.errors import DoesNotFitError, UnsupportedError
from edgekit.pipeline.settings import Settings
from edgekit.progress import Progress
from edgekit.target.fpga import plan
from edgekit.target.fpga.core import Style
from edgekit.target.fpga.plan import Design


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """One style of a network, routed, and what its netlist switches."""

    design: Design
    artifact: Artifact
    activity: Activity


def best(
    settings: Settings,
    board: FpgaBoard,
    scope: Scope,
    build: Callable[[Settings, Progress], Built],
    progress: Progress,
) -> tuple[Built, str]:
    """Return the style that serves `fpga.optimize` best, and a sentence that says why.

    `build` is called with the settings of each style. Raises DoesNotFitError or UnsupportedError
    where no style can be built, and OverBudgetError where none that keeps the rate keeps the limit.
    """
    goal = settings.fpga.optimize
    assert goal is not None  # the caller looked
    found: dict[Style, Built] = {}
    refused: list[DoesNotFitError | UnsupportedError] = []
    for style in get_args(Style):
        progress.stage(f"style {style}")
        wish = settings.fpga.model_copy(update={"style": style})
        try:
            found[style] = build(replace(settings, fpga=wish), progress)
        except (DoesNotFitError, UnsupportedError) as error:
            refused.append(error)
    if not found:
        raise refused[0]
    contract = settings.contract
    clock_hz = board.operating_points[contract.operating_point].clock_hz
    wanted = fpga_choice.Contract(
        limit_mw=contract.limit_mw,
        rate_hz=contract.rate_hz,
        scope=scope,
        source=fpga_power.source_of(board, contract.operating_point),
        sleep="slow",
    )
    designs = [_design(built, board) for built in found.values()]
    chosen = fpga_choice.choose(designs, (clock_hz,), wanted, goal)
    words = ", ".join(
        f"{c.design.style} {c.design.cells:,} cells, {c.latency_us:.3g} µs, {c.energy_nj:.3g} nJ"
        for c in fpga_choice.candidates(designs, (clock_hz,), wanted)
    )
    why = f"optimized for {goal}: {chosen.design.style}, of {words} (modelled)"
    return found[chosen.design.style], why


def _design(built: Built, board: FpgaBoard) -> fpga_choice.Design:
    core, sizes = built.design.core, built.artifact.sizes
    assert isinstance(sizes, FpgaSizes)  # a bitstream has no others
    return fpga_choice.Design(
        style=core.style,
        stages=None,
        cells=sizes.lc or sizes.lut,
        fmax_mhz=sizes.fmax_mhz or 0.0,
        latency_cycles=core.latency_cycles,
        interval_cycles=plan.interval_cycles(core, board),
        activity=built.activity,
    )
