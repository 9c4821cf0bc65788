"""Virtual boards and meters: processes that a host cannot tell from the real ones.

Names are loaded on first use: the twins below this package run on their own and need none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.virtual.meter_process import start_meter as start_meter
    from edgekit.virtual.process import CallCounts as CallCounts
    from edgekit.virtual.process import Counts as Counts
    from edgekit.virtual.process import Faults as Faults
    from edgekit.virtual.process import Twin as Twin
    from edgekit.virtual.process import start_twin as start_twin

__all__ = ["CallCounts", "Counts", "Faults", "Twin", "start_meter", "start_twin"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from edgekit.virtual import meter_process, process

    module = meter_process if name == "start_meter" else process
    value: object = getattr(module, name)
    return value
