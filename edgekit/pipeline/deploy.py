"""deploy: from a model file to a verdict; run and measure are parts of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.board import FpgaBoard
from edgekit.build.hold import InUseError, hold
from edgekit.build.plan import Sizes
from edgekit.device.layout import Kind
from edgekit.device.session import Run
from edgekit.errors import EdgekitError, UnsureError
from edgekit.ir import edges
from edgekit.ir.graph import Graph
from edgekit.passes import FOLD
from edgekit.pipeline import chain, keep, latency, power, stages, zynq
from edgekit.pipeline.equality import top1
from edgekit.pipeline.prepare import Prepared
from edgekit.pipeline.settings import Settings
from edgekit.pipeline.station import Station, attach
from edgekit.pipeline.targets import TARGETS
from edgekit.progress import Progress, Silent
from edgekit.report import reduce
from edgekit.report.types import ErrorInfo, Histogram, Power, PowerTrace, Report
from edgekit.virtual.process import Counts

JOURNAL = "outputs.journal"
_BITS_A_BYTE = 10  # on a serial line: start, eight, stop


def deploy(settings: Settings, *, progress: Progress | None = None) -> Report:
    """Build the model for its board, run it there, and say whether it is right and in budget.

    An error is in the report, beside all that was found before it. Raises InUseError alone, where
    another run holds the work directory: the report there will be that run's.
    """
    return _Deployment(settings, progress or Silent()).perform(equality=True, power=True)


def measure(settings: Settings, *, progress: Progress | None = None) -> Report:
    """Meter the board against its contract, outputs unchecked; errors as in `deploy`."""
    return _Deployment(settings, progress or Silent()).perform(equality=False, power=True)


def verify(settings: Settings, *, progress: Progress | None = None) -> Report:
    """Compare every link of the chain, nothing metered; errors as in `deploy`."""
    return _Deployment(settings, progress or Silent()).perform(equality=True, power=False)


def run(settings: Settings, *, progress: Progress | None = None) -> Run:
    """Return the board's own outputs for the samples. Raises every EdgekitError."""
    progress = progress or Silent()
    target = TARGETS[settings.board.target]
    prepared = target.finished(settings, target.prepare(settings, progress), progress)
    with (
        hold(settings.work, wait=False),
        attach(settings, prepared.artifact, prepared.macs, progress=progress) as station,
    ):
        return _run(settings, prepared, station, progress)


class _Deployment:
    """Collects the report while the stages go on, so that a failure keeps what was reached."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._target = TARGETS[settings.board.target]
        self._report = Report(
            model=settings.model.stem,
            board=settings.board.name,
            virtual=settings.virtual,
            operating_point=settings.contract.operating_point,
            budget=self._target.budget(settings),
        )

    def perform(self, *, equality: bool, power: bool) -> Report:
        """Do the stages that were asked for."""
        try:
            self._stages(equality=equality, metered=power)
        except InUseError:
            raise
        except EdgekitError as error:
            self._update(error=ErrorInfo.of(error))
        return self._report

    def _stages(self, *, equality: bool, metered: bool) -> None:
        settings = self._settings
        if metered:
            power.refuse(settings)
        prepared = self._target.prepare(settings, self._progress)
        self._built(prepared)
        if zynq.is_wanted(settings) and equality and not self._compared(prepared, None):
            return  # nothing is wrong enough to wait for the vendor's tool
        prepared = self._target.finished(settings, prepared, self._progress)
        with hold(settings.work, wait=False):
            self._on_board(prepared, equality=equality, metered=metered)

    def _on_board(self, prepared: Prepared, *, equality: bool, metered: bool) -> None:
        settings = self._settings
        with attach(settings, prepared.artifact, prepared.macs, progress=self._progress) as station:
            done = _run(settings, prepared, station, self._progress)
            counts = station.counts() if station.counts is not None else None
            self._ran(prepared, done, counts)
            right = not equality or self._compared(prepared, done.outputs)
            if right and metered:
                self._metered(prepared, station, counts, done)
        if not right:
            self._locate(prepared)  # flashes again: only once the port is free

    def _built(self, prepared: Prepared) -> None:
        artifact = prepared.artifact
        described = self._target.described(self._settings, prepared)
        notes = (*described.notes, *_notes(self._settings, prepared))
        self._update(
            plan=artifact.plan,
            sizes=artifact.sizes,
            tools=artifact.tools,
            detail=replace(described, notes=notes),
        )

    def _ran(self, prepared: Prepared, done: Run, counts: Counts | None) -> None:
        clock_hz = done.hello.clock_hz
        virtual = self._settings.virtual or done.hello.kind == Kind.VIRTUAL
        notes = [*self._report.detail.notes]
        if counts is not None:
            notes.append("one inference was counted on the twin and credited to all others")
            if isinstance(self._report.sizes, Sizes):
                self._update(sizes=replace(self._report.sizes, stack_bytes=counts.stack_bytes))
        self._update(
            virtual=virtual,
            latency=latency.of_cycles(
                done.cycles,
                clock_hz,
                counts=counts,
                cold_start_us=_cold_start_us(self._settings, prepared, done),
                virtual=virtual,
            ),
            accuracy=top1(
                _scores(prepared.graph, done.outputs),
                prepared.samples.labels,
            ),
            detail=replace(
                self._report.detail,
                layers=self._target.layers(prepared, counts),
                latencies=_histogram(done, counts),
                notes=tuple(notes),
            ),
        )

    def _compared(self, prepared: Prepared, board: NDArray[np.int8] | None) -> bool:
        """Return whether all links agree; `board` is what it answered, None before it is there."""
        found = chain.check(self._settings, prepared, board, progress=self._progress)
        self._update(equality=found)
        return found.mismatches == 0

    def _locate(self, prepared: Prepared) -> None:
        self._update(why="the outputs are wrong, so nothing was metered")
        found = self._report.equality
        assert found is not None  # it is what was wrong
        located = self._target.locate(self._settings, prepared, found, self._progress)
        self._update(equality=located)

    def _metered(
        self, prepared: Prepared, station: Station, counts: Counts | None, done: Run
    ) -> None:
        try:
            found = power.meter_contract(
                self._settings,
                prepared,
                station,
                self._target.powered(self._settings, prepared, self._progress),
                counts,
                int(done.cycles.max()),
                progress=self._progress,
            )
        except UnsureError as error:
            self._update(verdict="unsure", why=error.message)
            return
        clock_hz = done.hello.clock_hz
        judgement = power.clocked(found.judgement, prepared.artifact.sizes, clock_hz)
        traces: tuple[PowerTrace, ...] = ()
        if found.trace is not None:
            keep.trace(found.trace, self._settings.work)
            traces = reduce.power_traces(found.trace)
        notes = (*self._report.detail.notes, *found.notes)
        self._update(
            power=None if found.figures is None else Power.of(found.figures, found.stimuli),
            verdict=judgement.verdict,
            why=judgement.why,
            detail=replace(self._report.detail, traces=traces, notes=notes),
        )

    def _update(self, **changes: object) -> None:
        self._report = replace(self._report, **changes)  # type: ignore[arg-type]


def _scores(graph: Graph, stored: NDArray[np.int8]) -> NDArray[Any]:
    """Return what the classes are judged by, (n, outputs): real values where a tail scales them."""
    edge = graph.outputs[0]
    integers = edges.from_bytes(graph.tensors[edge.tensor], stored)
    if edge.channel_scale is None and edge.channel_offset is None:
        return integers
    return edges.dequantize(edge, integers).reshape(len(integers), -1)


def _cold_start_us(settings: Settings, prepared: Prepared, done: Run) -> float | None:
    """Return reset to first result, as the board says.

    An FPGA that says nothing loads its weights over the link and infers once; reading its
    bitstream comes before the reset.
    """
    if done.cold_start_us is not None or not isinstance(settings.board, FpgaBoard):
        return done.cold_start_us
    loading_s = len(prepared.weights) * _BITS_A_BYTE / settings.board.link.baud
    return (loading_s + float(done.cycles.max()) / done.hello.clock_hz) * 1e6


def _histogram(done: Run, counts: Counts | None) -> Histogram | None:
    if counts is not None and counts.cycles_hi is None:
        return None
    return reduce.histogram(done.cycles / done.hello.clock_hz * 1e6)


def _notes(settings: Settings, prepared: Prepared) -> tuple[str, ...]:
    samples = prepared.samples
    notes = [f"samples: {len(samples)} from {samples.origin}"]
    notes += [f"pass {saved.sentence()}" for saved in prepared.savings if not saved.is_empty]
    if not settings.fold:
        notes.append(f"pass {FOLD}: turned off")
    return tuple(notes)


def _run(settings: Settings, prepared: Prepared, station: Station, progress: Progress) -> Run:
    """Run all samples; the journal is only for runs that break off, so a finished one ends it."""
    journal = settings.work / JOURNAL
    done = stages.run(
        prepared.artifact,
        station.port,
        prepared.samples.as_bytes(),
        weights=prepared.weights,
        journal=journal,
        progress=progress,
    )
    keep.outputs(done, settings.work)
    journal.unlink(missing_ok=True)
    return done
