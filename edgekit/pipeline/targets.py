"""What a deployment does differently on each kind of board, one row a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from edgekit.board import PoweredPoint
from edgekit.pipeline import firmware, prepare, programmable
from edgekit.pipeline.equality import Link
from edgekit.pipeline.prepare import Prepared
from edgekit.pipeline.settings import Settings
from edgekit.progress import Progress
from edgekit.report.types import Budget, Detail, Equality, LayerRow
from edgekit.virtual.process import Counts

P = TypeVar("P", bound=Prepared)


@dataclass(frozen=True, slots=True)
class Target(Generic[P]):
    """The steps of one kind of board; P is what it makes of a model."""

    budget: Callable[[Settings], Budget]
    prepare: Callable[[Settings, Progress], P]
    finished: Callable[[Settings, P, Progress], P]  # with what only the vendor's tool makes
    described: Callable[[Settings, P], Detail]
    layers: Callable[[P, Counts | None], tuple[LayerRow, ...]]
    links: Callable[[Settings, P, Progress], list[Link]]  # of the chain, between graph and board
    locate: Callable[[Settings, P, Equality, Progress], Equality]
    powered: Callable[[Settings, P, Progress], PoweredPoint | None]


TARGETS: Mapping[str, Target[Any]] = {
    "mcu": Target(
        firmware.budget,
        prepare.prepare,
        firmware.finished,
        firmware.described,
        firmware.layers,
        firmware.links,
        firmware.locate,
        firmware.powered,
    ),
    "fpga": Target(
        programmable.budget,
        programmable.prepare,
        programmable.finished,
        programmable.described,
        programmable.layers,
        programmable.links,
        programmable.locate,
        programmable.powered,
    ),
}
