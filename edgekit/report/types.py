"""The report: one frozen value that every form (console, JSON, JUnit, HTML) is made from.

The first part mirrors `deploy --json` key by key; what could not be known is None, never
invented. `Detail` holds what the pictures need; it is stored in report.json below `detail` and
left out of what `--json` prints. docs/reference/report.md says what each figure means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgekit import errors
from edgekit.build.plan import FpgaSizes, Sizes
from edgekit.measure.types import MeterInfo, Mode, PowerFigures, Source, Uncertainty, Verdict

SCHEMA = 1

_EXIT_CODES: Mapping[str, int] = {
    cls.kind: cls.exit_code
    for cls in (
        errors.EdgekitError,
        errors.ConfigError,
        errors.UnsupportedError,
        errors.DoesNotFitError,
        errors.ToolError,
        errors.DeviceError,
        errors.MismatchError,
        errors.OverBudgetError,
        errors.UnsureError,
    )
}


@dataclass(frozen=True, slots=True)
class NotCompared:
    """A float operator of the source outside the chain; differences were counted, or None."""

    label: str
    reason: str
    differences: int | None = None


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """Where two links of the chain first disagree, found by bisection over the layers."""

    between: tuple[str, str]  # two names of the chain, the reference first
    sample: int
    layer: str  # Node.label
    tensor: str
    index: tuple[int, ...]
    expected: int
    actual: int


@dataclass(frozen=True, slots=True)
class Equality:
    """How many samples gave the same integers in every link of `chain`."""

    samples: int
    mismatches: int
    chain: tuple[str, ...]
    not_compared: tuple[NotCompared, ...] = ()
    first_difference: FirstDifference | None = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of correct answers, 0 to 1, over labelled samples."""

    metric: str
    value: float
    samples: int


@dataclass(frozen=True, slots=True)
class Cycles:
    """Interval that contains the true count; both ends are equal where it was counted."""

    lo: int
    hi: int

    @classmethod
    def of(cls, lo: int | None, hi: int | None) -> Cycles | None:
        """Return the interval, or None where the core has no timing table."""
        return None if lo is None or hi is None else cls(lo, hi)


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one inference. p99 is None under 100 inferences, p999 under 1,000."""

    inferences: int
    instructions: int | None
    cycles: Cycles | None
    p50_us: float | None
    p90_us: float | None
    p99_us: float | None
    p999_us: float | None
    cv: float | None  # standard deviation over mean; None where cycles were replayed
    cold_start_us: float | None  # reset to first result
    source: Source


@dataclass(frozen=True, slots=True)
class Stimuli:
    """The distinct inputs over which energy was metered."""

    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class Power:
    """One metered window under one contract; mean ± half width at 95 %."""

    source: Source
    scope: str
    mode: Mode
    rate_hz: float | None
    mean_mw: float | None
    plus_minus_mw: float | None
    peak_mw: float | None
    idle_mw: float | None
    energy_uj: float | None
    inferences_per_window: int | None
    window_s: float | None
    meter: MeterInfo | None
    samples: int | None
    lost: int | None
    uncertainty: Uncertainty | None = None
    stimuli: Stimuli | None = None
    energy_plus_minus_uj: float | None = None
    seen_rate_hz: float | None = None  # inferences per second in the window
    inferences_per_mark: int = 1

    @classmethod
    def of(cls, figures: PowerFigures, stimuli: Stimuli | None = None) -> Power:
        """Return the report's form of `figures`."""
        return cls(
            source=figures.source,
            scope=figures.scope,
            mode=figures.mode,
            rate_hz=figures.rate_hz,
            mean_mw=figures.mean_mw,
            plus_minus_mw=figures.uncertainty.total_mw(),
            peak_mw=figures.peak_mw,
            idle_mw=figures.idle_mw,
            energy_uj=figures.energy_uj,
            inferences_per_window=figures.inferences_per_window,
            window_s=figures.window_s,
            meter=figures.meter,
            samples=figures.samples,
            lost=figures.lost,
            uncertainty=figures.uncertainty,
            stimuli=stimuli,
            energy_plus_minus_uj=figures.energy_plus_minus_uj,
            seen_rate_hz=figures.seen_rate_hz,
            inferences_per_mark=figures.inferences_per_mark,
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """Every limit that was set or that the board sets; None: no limit."""

    limit_mw: float | None
    flash_bytes: int | None = None  # what the board has
    ram_bytes: int | None = None
    accuracy: float | None = None
    lut: int | None = None  # what the FPGA has
    clock_mhz: float | None = None  # what the FPGA's clock is to be


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as JSON shows it."""

    kind: str
    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: errors.EdgekitError) -> ErrorInfo:
        """Return the form of `error`."""
        return cls(error.kind, error.message, error.hint)


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One rectangle of the arena: bytes [offset, offset + size) from first to last node."""

    tensor: str
    kind: Literal["input", "output", "tensor", "scratch"]
    first_node: int
    last_node: int
    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One node of the graph as it was compiled and counted."""

    name: str
    op: str
    shape: tuple[int, ...]  # of its output
    macs: int
    instructions: int | None = None
    cycles: Cycles | None = None
    bytes_moved: int | None = None
    kernel: str = ""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Latencies in bins: `counts[i]` lie in [edges_us[i], edges_us[i + 1])."""

    edges_us: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PowerTrace:
    """A metered stretch reduced to bins: lowest, mean and highest power in each bin, in mW.

    `windows_s` are the inferences (mark high) as (start, end), on the same time axis.
    """

    title: str
    start_s: float
    bin_s: float
    low_mw: tuple[float, ...]
    mean_mw: tuple[float, ...]
    high_mw: tuple[float, ...]
    windows_s: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class FactRow:
    """A figure that the result rests on, and where it comes from."""

    name: str
    value: str  # with its unit
    source: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Detail:
    """What report.html shows beyond the figures."""

    model_hash: str = ""
    arena_lower_bound_bytes: int | None = None
    memory: tuple[MemoryRow, ...] = ()
    nodes: tuple[str, ...] = ()  # labels along the time axis of the memory map
    layers: tuple[LayerRow, ...] = ()
    latencies: Histogram | None = None
    traces: tuple[PowerTrace, ...] = ()
    facts: tuple[FactRow, ...] = ()  # operating point and board
    notes: tuple[str, ...] = ()  # what a reader must know: cached counts, lost samples, ...


@dataclass(frozen=True, slots=True)
class Report:
    """All that a deployment found. On failure the parts that were not reached are None."""

    model: str | None
    board: str | None
    virtual: bool | None
    plan: str | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    operating_point: str | None = None
    sizes: Sizes | FpgaSizes | None = None
    equality: Equality | None = None
    accuracy: Accuracy | None = None
    latency: Latency | None = None
    power: Power | None = None
    budget: Budget | None = None
    verdict: Verdict | None = None
    why: str | None = None
    error: ErrorInfo | None = None
    detail: Detail = field(default_factory=Detail)

    @property
    def exit_code(self) -> int:
        """Exit code of the process: an error's own, else the lowest of 7, 8, 9 that applies."""
        if self.error is not None:
            return _EXIT_CODES.get(self.error.kind, 1)
        if self.equality is not None and self.equality.mismatches:
            return errors.MismatchError.exit_code
        if self.accuracy_missed:
            return errors.MismatchError.exit_code
        if self.verdict == "fail":
            return errors.OverBudgetError.exit_code
        if self.verdict == "unsure":
            return errors.UnsureError.exit_code
        return 0

    @property
    def accuracy_missed(self) -> bool:
        """Whether a limit on accuracy was set and not reached."""
        if self.accuracy is None or self.budget is None or self.budget.accuracy is None:
            return False
        return self.accuracy.value < self.budget.accuracy
