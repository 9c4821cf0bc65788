"""Synthesis, place and route, bitstream: one step after the other, each with its own log.

Nothing is ever passed over: a step that ends without its file is a ToolError, a design that is
too large or too slow a DoesNotFitError. Whatever was written stays in the directory.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from edgekit.build import fpga_reports as reports
from edgekit.build import process, tools
from edgekit.build.fpga_reports import Cells, Placement
from edgekit.build.plan import Artifact, BuildPlan, Command, FpgaSizes
from edgekit.build.run import prepare
from edgekit.build.seal import is_whole, seal
from edgekit.build.spread import spread, tabled
from edgekit.errors import DoesNotFitError, ToolError
from edgekit.progress import Progress, Silent

SEED = "{seed}"  # in arguments and file names of place and route: the seed
DEFAULT_SEEDS = 8
# Products of a plan: what each command has to leave behind.
NETLIST, STATISTICS, TABLED, LOOSE, SPREAD, REPORT, LAYOUT, BITSTREAM = (
    "netlist",
    "statistics",
    "tabled",  # the netlist with a table beside each carry
    "loose",  # a first placement, whose cells are then spread
    "spread",  # the netlist with cells pinned
    "report",
    "layout",
    "bitstream",
)
_KEPT = (NETLIST, LAYOUT, BITSTREAM)  # what an artifact names
_CAPACITY = ("lut", "ff", "bram", "spram", "dsp")  # facts of a plan: what the part has
_RECORD = "artifact.json"
# A first start from a wheel compiles it, which takes minutes; a design that fills its part may
# keep nextpnr busy for as long as it is allowed.
_TIMEOUT_S: Mapping[str, float] = {"synth": 3600.0, "loose": 1800.0, "place": 1800.0, "pack": 600.0}
# How nextpnr says that the part has room, but not here: another seed may find a way.
_NO_WAY = (
    "unable to place",
    "unable to find",
    "no bels remaining",
    "failed to place",
    "failed to find",
    "failed to route",
    "routing design failed",
    "failed to expand region",
)


# A round of router2. What routes at all takes 30 to 150 of them; another seed is then quicker.
_ROUND = re.compile(r"\biter=(\d+) wires=")
_ROUNDS = 400
# Seeds differ by a tenth or so: what stays so far below its clock after some will not reach it.
_LOOKS, _FAR = 3, 0.7


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One run of place and route; `placement` None: it found no way."""

    seed: int
    placement: Placement | None
    used: Mapping[str, tuple[int, int]]


def execute(
    plan: BuildPlan,
    work: Path,
    *,
    seeds: int = DEFAULT_SEEDS,
    allow_timing_failure: bool = False,
    progress: Progress | None = None,
) -> Artifact:
    """Build `plan` below `work/build/DIGEST` and return the artifact; a finished one is reused.

    Its commands are synthesis and, where a free tool can do that for the part, place and route
    (SEED in its arguments) and the packing of the bitstream; before them, where the plan is roomy,
    a first placement, whose cells build/spread.py moves apart with each seed. Place and route is
    repeated with up to `seeds` seeds until the clock is met.

    Raises DoesNotFitError for a design that is larger than the part, that cannot be placed or
    routed, or that misses its clock: no bitstream is made then, unless `allow_timing_failure`.
    Raises ToolError when a tool is missing, fails, or leaves a file out.
    """
    directory = work / "build" / plan.digest()
    if _load(directory, plan, allow_timing_failure) is None:
        for command in plan.commands:
            tools.require(command.argv[0])
    with prepare(plan, directory, work):  # the twin reads its files, and they may be changed
        finished = _load(directory, plan, allow_timing_failure)
        if finished is not None:
            return finished
        return _Build(plan, directory, progress or Silent()).run(seeds, allow_timing_failure)


@dataclass(frozen=True, slots=True)
class _Build:
    plan: BuildPlan
    directory: Path
    progress: Progress

    def run(self, seeds: int, allow_timing_failure: bool) -> Artifact:
        self._forget()
        synth, *rest = self.plan.commands
        self.progress.stage("synthesis")
        self._step("synth", synth, (NETLIST, STATISTICS))
        cells = reports.cells(self._path(STATISTICS))
        _check_capacity(self.plan, cells)
        if not rest:
            return self._store(cells, None)
        *loose, place, pack = rest
        for command in loose:
            self.progress.stage("first placement")
            tabled(self._path(NETLIST), self._path(TABLED))
            self._step("loose", command, (LOOSE,))
        best, tried = self._place(place, seeds)
        assert best.placement is not None
        if cells.ff and not best.placement.clocks:
            raise ToolError(
                f"{place.argv[0]} says nothing of the clock of {self.plan.name}",
                hint=f"the logs are in {self.directory / 'logs'}",
            )
        if not best.placement.met() and not allow_timing_failure:
            raise self._too_slow(best.placement, tried)
        self.progress.stage("bitstream")
        self._step("pack", pack, (BITSTREAM,), best.seed)
        return self._store(cells, best)

    def _place(self, place: Command, seeds: int) -> tuple[_Attempt, int]:
        """Return the first attempt that meets the clock, else the fastest, and how many ran."""
        self.progress.stage("place and route", seeds)
        routed: list[_Attempt] = []
        lost: list[_Attempt] = []
        for seed in range(1, seeds + 1):
            attempt = self._try(place, seed)
            self.progress.advance(seed)
            (lost if attempt.placement is None else routed).append(attempt)
            if attempt.placement is not None and attempt.placement.met():
                return attempt, seed
            if len(routed) >= _LOOKS and _speed(max(routed, key=_speed)) < _FAR:
                break
        if not routed:
            raise _no_way(self.plan, lost)
        return max(routed, key=_speed), len(routed) + len(lost)

    def _try(self, place: Command, seed: int) -> _Attempt:
        if SPREAD in self.plan.products:
            native = self.plan.toolchain == "native"  # perhaps 0.4
            pinned = (self._path(TABLED), self._path(LOOSE), self._path(SPREAD))
            spread(*pinned, seed, reserved=native)
        outcome = self._call("place", place, (LAYOUT, REPORT), seed)
        if outcome.ending == "ok":
            self._need((LAYOUT,), outcome, seed)
            found = reports.placement(self._path(REPORT, seed), outcome.log)
            return _Attempt(seed, found, found.used)
        text = outcome.log.read_text(encoding="utf-8", errors="replace")
        found = reports.placement_from_log(text)
        if outcome.ending == "status" and found.over():
            raise _too_large(self.plan, found.over(), outcome.log)
        no_way = outcome.ending == "status" and any(s in text.lower() for s in _NO_WAY)
        if no_way or outcome.ending == "hopeless":
            return _Attempt(seed, None, found.used)
        raise outcome.error()

    def _step(self, step: str, command: Command, wanted: tuple[str, ...], seed: int = 0) -> None:
        outcome = self._call(step, command, wanted, seed)
        if outcome.ending != "ok":
            raise outcome.error()
        self._need(wanted, outcome, seed)

    def _call(
        self, step: str, command: Command, written: tuple[str, ...], seed: int
    ) -> process.Outcome:
        for product in written:  # what an earlier run left behind is not this one's
            self._path(product, seed).unlink(missing_ok=True)
        argv = tuple(part.replace(SEED, str(seed)) for part in command.argv)
        log = self.directory / "logs" / f"{command.log.replace(SEED, str(seed))}.log"
        return process.run(
            argv, self.directory, log, timeout_s=_TIMEOUT_S[step], hopeless=_exchanges_wires
        )

    def _path(self, product: str, seed: int = 0) -> Path:
        return self.directory / str(self.plan.products[product]).replace(SEED, str(seed))

    def _need(self, wanted: tuple[str, ...], outcome: process.Outcome, seed: int) -> None:
        for product in wanted:
            path = self._path(product, seed)
            if not path.is_file() or path.stat().st_size == 0:
                raise ToolError(
                    f"{outcome.tool} ended without {path}: {' '.join(outcome.argv)}",
                    hint=f"see {outcome.log}",
                )

    def _too_slow(self, placement: Placement, tried: int) -> DoesNotFitError:
        clock = placement.worst()
        assert clock is not None
        return DoesNotFitError(
            f"{self.plan.name} reaches {clock.achieved_mhz:.2f} MHz on {self.plan.board}, "
            f"{clock.wanted_mhz:.2f} MHz were wanted (clock {clock.name}, best of {tried} seeds)",
            hint="choose a slower clock or more register stages; --allow-timing-failure makes "
            f"the bitstream all the same; the logs are in {self.directory / 'logs'}",
        )

    def _store(self, cells: Cells, best: _Attempt | None) -> Artifact:
        placement = None if best is None else best.placement
        seed = 0 if best is None else best.seed
        names = [name for name in _KEPT if name in self.plan.products]
        artifact = Artifact(
            plan=self.plan.digest(),
            board=self.plan.board,
            directory=self.directory,
            products={name: self._path(name, seed) for name in names},
            sizes=_sizes(cells, placement),
            tools={
                command.argv[0]: tools.version(command.argv[0]) or "unknown"
                for command in self.plan.commands
            },
        )
        record = {
            "products": {name: path.name for name, path in artifact.products.items()},
            "sizes": asdict(artifact.sizes),
            "tools": dict(artifact.tools),
            "seed": seed,
            "timing_met": placement is None or placement.met(),
        }
        partial = self.directory / f"{_RECORD}.part"
        partial.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(self.directory / _RECORD)
        for path in (*artifact.products.values(), self.directory / _RECORD):
            seal(path)
        return artifact

    def _forget(self) -> None:
        """Remove what an earlier build made, whose clock may have been missed."""
        (self.directory / _RECORD).unlink(missing_ok=True)
        if BITSTREAM in self.plan.products:
            self._path(BITSTREAM).unlink(missing_ok=True)


def _exchanges_wires(text: str) -> bool:
    """Say whether router2 has been at its last wires for so long that it will stay there."""
    rounds = _ROUND.findall(text)
    return bool(rounds) and int(rounds[-1]) > _ROUNDS


def _speed(attempt: _Attempt) -> float:
    clock = attempt.placement.worst() if attempt.placement is not None else None
    return math.inf if clock is None else clock.achieved_mhz / clock.wanted_mhz


def _sizes(cells: Cells, placement: Placement | None) -> FpgaSizes:
    clock = None if placement is None else placement.worst()
    return FpgaSizes(
        lc=cells.logic_cells if placement is None else placement.logic_cells(),
        lut=cells.lut,
        ff=cells.ff,
        carry=cells.carry,
        bram=cells.bram,
        dsp=cells.dsp,
        spram=cells.spram,
        fmax_mhz=None if clock is None else clock.achieved_mhz,
    )


def _check_capacity(plan: BuildPlan, cells: Cells) -> None:
    """Raise DoesNotFitError where the netlist alone is larger than the part."""
    counts: dict[str, int] = {kind: getattr(cells, kind) for kind in _CAPACITY}
    over = {
        kind: (counts[kind], plan.facts[kind])
        for kind in _CAPACITY
        if kind in plan.facts and counts[kind] > plan.facts[kind]
    }
    if over:
        raise _too_large(plan, over, None)


def _table(used: Mapping[str, tuple[int, int]]) -> str:
    return ", ".join(f"{name} {a:,} of {b:,}" for name, (a, b) in used.items())


def _too_large(
    plan: BuildPlan, over: Mapping[str, tuple[int, int]], log: Path | None
) -> DoesNotFitError:
    return DoesNotFitError(
        f"{plan.name} is larger than the part of {plan.board}: {_table(over)}",
        hint="prune more, make layers smaller, or use the folded style"
        + ("" if log is None else f"; the log: {log}"),
    )


def _no_way(plan: BuildPlan, lost: list[_Attempt]) -> DoesNotFitError:
    used = {name: row for name, row in lost[-1].used.items() if row[0]}
    return DoesNotFitError(
        f"{plan.name} could not be placed and routed on {plan.board} with seeds 1 to "
        f"{len(lost)}, though it has room: {_table(used)}",
        hint="few designs above nine tenths of the cells find a way: prune, or fold",
    )


def _load(directory: Path, plan: BuildPlan, allow_timing_failure: bool) -> Artifact | None:
    try:
        data = json.loads((directory / _RECORD).read_text(encoding="utf-8"))
        artifact = Artifact(
            plan=plan.digest(),
            board=plan.board,
            directory=directory,
            products={str(k): directory / str(name) for k, name in data["products"].items()},
            sizes=FpgaSizes(**data["sizes"]),
            tools=dict(data["tools"]),
        )
        usable = bool(data["timing_met"]) or allow_timing_failure
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not finished, or written by another release: build
    whole = all(is_whole(path) for path in (directory / _RECORD, *artifact.products.values()))
    return artifact if usable and whole else None
