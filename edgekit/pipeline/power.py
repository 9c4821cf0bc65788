"""The energy contract on a running station: stimuli stored, windows metered, verdict given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edgekit.board import Board, FpgaBoard, McuBoard, PoweredPoint
from edgekit.build.plan import FpgaSizes, Sizes
from edgekit.device.layout import Kind
from edgekit.device.link import Link
from edgekit.device.session import EnergyRun, RunStats, energy_run
from edgekit.device.transfer import upload_weights
from edgekit.errors import UnsureError
from edgekit.measure import meter as meters
from edgekit.measure import verdict, windows
from edgekit.measure.meter import Meter
from edgekit.measure.types import Judgement, PowerFigures, Trace, Verdict
from edgekit.measure.uncertainty import Model
from edgekit.measure.verdict import MIN_INFERENCES
from edgekit.pipeline import data, energy
from edgekit.pipeline.data import Samples
from edgekit.pipeline.energy import Schedule
from edgekit.pipeline.prepare import Prepared
from edgekit.pipeline.settings import Settings
from edgekit.pipeline.station import Station, metered
from edgekit.progress import Progress
from edgekit.report.types import Stimuli
from edgekit.virtual.process import Counts

_BOARD_SILENT_S = 30.0
_LONGEST_WINDOW_S = 1800.0  # a meter's 100,000 samples a second are kept until the end


@dataclass(frozen=True, slots=True, eq=False)
class Metered:
    """What the contract's window gave."""

    figures: PowerFigures | None  # None: the board was late, and its marks ran together
    judgement: Judgement
    trace: Trace | None
    stimuli: Stimuli | None
    notes: tuple[str, ...]


def refuse(settings: Settings) -> None:
    """Raise UnsureError for a scope that cannot be judged here; to be asked before any work."""
    contract, board = settings.contract, settings.board
    for rail in board.rails:
        if rail.name == contract.scope and rail.measurable == "none":
            raise UnsureError(
                f"rail {rail.name} of {board.name} cannot be measured: {rail.how}",
                hint="use --scope supply or --scope delta",
            )
    least = _least(board)
    window_s = energy.shortest_window_s(contract, least)
    if window_s > _LONGEST_WINDOW_S:
        raise UnsureError(
            f"at {contract.rate_hz:g} inferences per second the shortest window takes "
            f"{window_s:,.0f} s, and at most {_LONGEST_WINDOW_S:g} s are metered",
            hint=f"ask for at least {energy.slowest_rate_hz(_LONGEST_WINDOW_S, least):g} per "
            "second, or for --mode active; `edgekit verify` compares without a meter",
        )
    refused = verdict.refusal(contract.scope, contract.limit_mw, board.floor_mw)
    if refused is not None:
        raise UnsureError(refused, hint="use --scope delta, or a board with a lower floor")


def meter_contract(
    settings: Settings,
    prepared: Prepared,
    station: Station,
    currents: PoweredPoint | None,
    counts: Counts | None,
    cycles: int,
    *,
    progress: Progress,
) -> Metered:
    """Run the contract's window and judge it.

    `cycles` is what an inference takes; `currents` what the board draws, None where nobody knows;
    `counts` the twin's, None where the board counts itself. Raises
    DeviceError when the board or the meter breaks off.
    """
    point = settings.board.operating_points[settings.contract.operating_point]
    busy_s = cycles / point.clock_hz
    model = _model(settings, currents, counts)
    with metered(settings, station, currents) as meter:
        if meter is None:
            return _without_meter(settings, model, busy_s)
        link = Link(station.port)
        hello = link.connect()
        upload_weights(link, prepared.weights)
        room = hello.store_bytes // hello.input_bytes
        chosen, note = data.stimuli(prepared.samples, prepared.graph, room=room, seed=settings.seed)
        virtual = settings.virtual or hello.kind == Kind.VIRTUAL
        interval = prepared.interval_cycles
        window = _Window(
            settings,
            meter,
            link,
            chosen,
            model if virtual else None,
            "virtual" if virtual else "hardware",
            None if interval is None else interval / point.clock_hz,
            progress,
        )
        metered_ = window.contract(busy_s)
        link.bye()
    stimuli = Stimuli(len(chosen), data.digest(chosen))
    return replace(metered_, stimuli=stimuli, notes=(f"energy: {note}", *metered_.notes))


def _model(settings: Settings, point: PoweredPoint | None, counts: Counts | None) -> Model | None:
    """Return what energy is modelled with; None on hardware whose currents are not known.

    Raises UnsureError where a twin cannot tell time or currents: nothing can then be metered.
    """
    board, name = settings.board, settings.contract.operating_point
    if counts is None:
        if point is None and settings.virtual:
            raise UnsureError(
                f"no power coefficients of {_device(board)} are known, so that the virtual "
                f"{board.name} says nothing of power",
                hint="measure on the board",
            )
        return None if point is None else Model(point)
    if counts.cycles_lo is None or counts.cycles_hi is None:
        core = board.cpu if isinstance(board, McuBoard) else board.name
        raise UnsureError(
            f"the twin has no timing of {core}: instructions are known, time and power not",
            hint="measure on the board",
        )
    if point is None:
        raise UnsureError(
            f"the file of {board.name} has no currents for {name}: power is not known",
            hint="measure on the board",
        )
    return Model(point, counts.cycles_lo, counts.cycles_hi)


def _device(board: Board) -> str:
    if isinstance(board, FpgaBoard):
        return f"{board.part.family} {board.part.device}"
    return board.name


def _without_meter(settings: Settings, model: Model | None, busy_s: float) -> Metered:
    contract = settings.contract
    if model is None:
        raise UnsureError(
            f"no meter was attached and the file of {settings.board.name} has no currents",
            hint="name a meter with --meter",
        )
    figures = windows.modelled(
        model,
        scope=contract.scope,
        mode=contract.mode,
        rate_hz=contract.rate_hz,
        busy_s=busy_s,
    )
    judgement = verdict.judge(figures, contract.limit_mw, board="hardware")
    return Metered(figures, judgement, None, None, ())


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """One meter, one link and the inputs: what a recording needs."""

    settings: Settings
    meter: Meter
    link: Link
    stimuli: Samples
    model: Model | None
    board: Literal["hardware", "virtual"]
    interval_s: float | None
    progress: Progress

    def contract(self, busy_s: float) -> Metered:
        contract = self.settings.contract
        rate_hz = self.meter.info.sample_rate_hz
        least = _least(self.settings.board)
        plan = energy.contract_schedule(
            contract, busy_s, rate_hz, interval_s=self.interval_s, least=least
        )
        session = self._session(plan)
        trace, stats = self._record(session, plan)
        try:
            figures = self._figures(trace, plan)
        except UnsureError as error:
            if contract.mode != "average" or stats.missed == 0:
                raise
            cut = Judgement("unsure", error.message, contract.limit_mw)
            return Metered(None, _in_time(cut, stats, plan), trace, None, ())
        notes: tuple[str, ...] = ()
        if contract.mode == "average":
            figures, notes = self._several(figures, busy_s, session)
        judgement = verdict.judge(
            figures,
            contract.limit_mw,
            board=self.board,
            floor_mw=self.settings.board.floor_mw,
        )
        judgement = _varied(judgement, len(self.stimuli), self.settings.board)
        if contract.mode == "average":
            judgement = _in_time(judgement, stats, plan)
        return Metered(figures, judgement, trace, None, notes)

    def _several(
        self, figures: PowerFigures, busy_s: float, before: EnergyRun
    ) -> tuple[PowerFigures, tuple[str, ...]]:
        """Return `figures` with the energy per inference from marks long enough for the meter.

        A mark of few samples says little of one inference: several share one in a second run.
        """
        contract, rate_hz = self.settings.contract, self.meter.info.sample_rate_hz
        if self.interval_s is None:
            plan = energy.inference_schedule(contract, busy_s, rate_hz)
        else:
            plan = energy.overlapped_schedule(contract, self.interval_s, rate_hz)
        if plan.batch == 1:
            return figures, ()
        session = before.again(plan.inferences, plan.period_us, plan.batch)
        trace, _ = self._record(session, plan)
        try:
            apart = self._figures(trace, plan)
        except UnsureError as error:
            return figures, (f"energy per inference: from short marks, since {error.message}",)
        found = replace(
            figures,
            energy_uj=apart.energy_uj,
            energy_plus_minus_uj=apart.energy_plus_minus_uj,
            inferences_per_mark=plan.batch,
        )
        note = (
            f"energy per inference: from a second recording with {plan.batch} inferences to a "
            "mark, because one lasts fewer than 100 samples of the meter"
        )
        return found, (note,)

    def _session(self, plan: Schedule) -> EnergyRun:
        """Store the inputs on the board and prepare `plan`."""
        return energy_run(
            self.link,
            self.stimuli.as_bytes(),
            plan.inferences,
            plan.period_us,
            batch=plan.batch,
            progress=self.progress,
        )

    def _record(self, session: EnergyRun, plan: Schedule) -> tuple[Trace, RunStats]:
        point = self.settings.board.operating_points[self.settings.contract.operating_point]
        return energy.record(
            self.meter,
            session,
            plan,
            supply_mv=point.supply_mv,
            timeout_s=_BOARD_SILENT_S,
            progress=self.progress,
        )

    def _figures(self, trace: Trace, plan: Schedule) -> PowerFigures:
        contract = self.settings.contract
        return windows.figures(
            trace,
            source=meters.source(self.board, self.settings.meter),
            scope=contract.scope,
            mode=contract.mode,
            rate_hz=contract.rate_hz,
            model=self.model,
            inferences_per_mark=plan.batch,
            marks=plan.marks,
        )


def clocked(judgement: Judgement, sizes: Sizes | FpgaSizes, clock_hz: float) -> Judgement:
    """Return `judgement`, unsure where the part is clocked faster than its design's paths allow.

    A twin has no such paths: it answers rightly at any clock, which a part then may not do.
    """
    fmax_mhz = sizes.fmax_mhz if isinstance(sizes, FpgaSizes) else None
    if fmax_mhz is None or fmax_mhz * 1e6 >= clock_hz:
        return judgement
    why = (
        f"the clock of {clock_hz / 1e6:g} MHz is missed, the design reaches {fmax_mhz:.2f} MHz: "
        f"a part may answer wrongly; {judgement.why}"
    )
    verdict: Verdict = "fail" if judgement.verdict == "fail" else "unsure"
    return Judgement(verdict, why, judgement.limit_mw)


def _least(board: Board) -> int:
    """Return how many inferences a window judges at the very least."""
    return data.MIN_STIMULI if isinstance(board, FpgaBoard) else MIN_INFERENCES


def _varied(judgement: Judgement, count: int, board: Board) -> Judgement:
    """An FPGA draws what its inputs toggle, so that few of them say little of all others."""
    if count >= data.MIN_STIMULI or not isinstance(board, FpgaBoard):
        return judgement
    why = (
        f"the window ran {count} different inputs, {data.MIN_STIMULI} are wanted (the board has "
        f"room for so many, or the network so few); {judgement.why}"
    )
    return Judgement("unsure", why, judgement.limit_mw)


def _in_time(judgement: Judgement, stats: RunStats, plan: Schedule) -> Judgement:
    """A board that cannot keep the rate has not kept the contract, however little it draws."""
    if stats.missed == 0:
        return judgement
    why = f"{stats.missed} of {plan.marks} periods were too short for an inference; {judgement.why}"
    return Judgement("fail", why, judgement.limit_mw)
