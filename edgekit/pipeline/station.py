"""Where a deployment runs: a board on its port, or the board's twin, behind one value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgekit.board import FpgaBoard, PoweredPoint, mcu
from edgekit.build.plan import Artifact
from edgekit.device import flash
from edgekit.device.find import find_port, serial_of
from edgekit.device.link import Link
from edgekit.device.port import Port
from edgekit.device.serial_port import open_port
from edgekit.errors import DeviceError
from edgekit.measure.meter import Meter, open_meter
from edgekit.pipeline import zynq
from edgekit.pipeline.settings import Settings
from edgekit.progress import Progress
from edgekit.virtual.fpga.process import sources_in, start_fpga_twin
from edgekit.virtual.meter_process import start_meter
from edgekit.virtual.process import Counts, Twin, start_twin

_PATIENCE_S = 1.0  # a board with edgekit's firmware answers at once
# A twin counts its first inference instruction by instruction: a million a second where it shares
# a busy machine, up to 60 for each MAC.
_BOOT_S = 20.0
_COUNTED_MACS_PER_S = 16_000


@dataclass(frozen=True, slots=True)
class Station:
    """A board that runs the artifact, reachable through `port`.

    `counts` asks the twin for what it counted; None on hardware and on the twin of an FPGA, which
    count cycles themselves.
    `state_port` is where a virtual meter learns what the twin does.
    """

    port: Port
    counts: Callable[[], Counts] | None
    state_port: int | None


@contextmanager
def attach(
    settings: Settings, artifact: Artifact, macs: int, *, progress: Progress
) -> Iterator[Station]:
    """Bring `artifact` onto the board, or start its twin, and open the link's port.

    `macs` of an inference say how long a twin may be silent while it counts the first one.
    The port is closed and the twin ended when the block ends, however it ends. Raises DeviceError
    when there is no board, or ToolError when its flasher is missing or fails.
    """
    if settings.virtual:
        progress.stage("start the virtual board")
        with _twin(settings, artifact) as twin, _opened(twin.link_url) as port:
            if settings.board.target == "fpga":
                yield Station(port, None, twin.state_port)  # RTL counts its own cycles
                return
            # A board is silent until its first inference is over, which here is counted, slowly.
            progress.stage("count one inference")
            twin.counts(_BOOT_S + macs / _COUNTED_MACS_PER_S)
            yield Station(port, twin.counts, twin.state_port)
        return
    url = find_port(settings.board, settings.port)
    if not _runs(url, artifact):
        if zynq.BUNDLE in artifact.products:
            zynq.bring(settings, artifact, url, progress)
        else:
            progress.stage("flash")
            flash.flash(artifact, settings.board, probe=serial_of(settings.port))
    with _opened(url) as port:
        yield Station(port, None, None)


def _twin(settings: Settings, artifact: Artifact) -> Twin:
    """Start the twin of the board: firmware on its core, or RTL in simulation."""
    board, work, cache = settings.board, settings.work / "twin", settings.work / "cache"
    point, faults = settings.contract.operating_point, settings.twin_faults
    if isinstance(board, FpgaBoard):
        sources = sources_in(artifact.directory)
        return start_fpga_twin(
            sources, board, work, cache=cache, faults=faults, operating_point=point
        )
    elf = artifact.products["elf"]
    return start_twin(elf, mcu(board), work, cache=cache, faults=faults, operating_point=point)


def _runs(url: str, artifact: Artifact) -> bool:
    """Whether the board already runs this build: flash wears out, and writing takes time."""
    if url.startswith("ssh://"):
        return False  # what answers there is only started by bringing the bundle
    with _opened(url) as port:
        link = Link(port)
        try:
            hello = link.connect(patience_s=_PATIENCE_S)
        except DeviceError:
            return False  # it runs something else, or nothing: flashing will tell
        link.bye()
    return hello.build_id.hex() == artifact.plan


@contextmanager
def metered(
    settings: Settings, station: Station, point: PoweredPoint | None
) -> Iterator[Meter | None]:
    """Open the meter: the user's, else the twin's own, which draws `point`; None without one.

    Raises DeviceError for a meter that does not answer, and where a real meter is asked to
    measure a virtual board.
    """
    if station.state_port is None:
        if settings.meter is None:
            yield None
            return
        meter = open_meter(settings.meter, open_port)
        try:
            yield meter
        finally:
            meter.close()
        return
    if settings.meter is not None and not settings.meter.startswith("replay:"):
        raise DeviceError(
            f"meter {settings.meter} cannot measure a virtual board",
            hint="leave --meter out: the twin brings its own",
        )
    if point is None:
        raise DeviceError(f"the file of {settings.board.name} has no currents to emulate")
    with start_meter(
        point, station.state_port, seed=settings.seed + 1, faults=settings.meter_faults
    ) as emulated:
        url = settings.meter or emulated.url
        meter = open_meter(url, open_port, clock=None if settings.meter else emulated.clock)
        try:
            yield meter
        finally:
            meter.close()


@contextmanager
def _opened(url: str) -> Iterator[Port]:
    port = open_port(url)
    try:
        yield port
    finally:
        port.close()
