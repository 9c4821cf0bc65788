"""What the power of an FPGA's network is counted on."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from writers.random_lowbit import ChainBuilder, random_chain

from edgekit import board as boards
from edgekit.build.plan import Artifact, FpgaSizes
from edgekit.cost.fpga_activity import Activity
from edgekit.errors import UnsureError
from edgekit.ir.types import DType
from edgekit.measure.types import Judgement, Verdict
from edgekit.pipeline import power, programmable, zynq
from edgekit.pipeline.data import Samples, random, stimuli
from edgekit.pipeline.programmable import FpgaPrepared
from edgekit.pipeline.settings import Settings
from edgekit.progress import Silent
from edgekit.target.fpga.core import Core
from edgekit.target.fpga.vivado_reports import Slack


def test_switching_is_counted_on_distinct_inputs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in the metered window: a repeated input toggles nothing, and would lower the power."""
    chain = random_chain(1)
    graph = chain.graph(chain.last)
    one = random(graph, 1, seed=1)
    same = replace(
        one, source=np.repeat(one.source, 90, 0), integers=np.repeat(one.integers, 90, 0)
    )
    given: list[np.ndarray] = []
    ran = Activity(
        cycles=9, inferences=9, toggles_per_cycle=1.0, with_delays=True, ff_clocked=1, lut=1
    )

    def run(_core: object, _netlist: object, x: np.ndarray, *_: object, **__: object) -> object:
        given.append(x)
        return SimpleNamespace(activity=ran)

    monkeypatch.setattr(programmable, "_alone", lambda *_: None)
    monkeypatch.setattr(programmable, "run_netlist", run)
    kept = SimpleNamespace(bram_accesses=3, spram_accesses=2)  # an inference a cycle
    monkeypatch.setattr(programmable.fpga_plan, "store_of", lambda *_: kept)
    monkeypatch.setattr(programmable, "fpga_board", lambda _: None)
    whole: list[Activity] = []
    monkeypatch.setattr(programmable.fpga_power, "powered_point", lambda a, **_: whole.append(a))
    monkeypatch.setattr(programmable.fpga_power, "source_of", lambda *_: "pin")
    programmable.powered(_settings(tmp_path), _prepared(graph, same), Silent())
    assert len(given[0]) == len(np.unique(given[0], axis=0)) == 64
    assert (whole[0].bram_reads_per_cycle, whole[0].spram_accesses_per_cycle) == (3.0, 2.0)


@pytest.mark.parametrize(("bits", "most"), [(7, 64), (5, 32), (40, 64)])
@pytest.mark.parametrize("rows", [1, 30])
def test_random_inputs_for_a_window_are_distinct(bits: int, most: int, rows: int) -> None:
    builder = ChainBuilder(1)
    builder.start(bits, dtype=DType.BINARY)
    builder.dense(2, DType.BINARY, DType.INT16)
    graph = builder.graph(builder.last)
    given = random(graph, rows, seed=0)  # the same seed as of those that are added
    chosen, note = stimuli(given, graph, room=512, seed=0)
    assert len(chosen) == len(np.unique(chosen.as_bytes(), axis=0)) == most
    own = len(np.unique(given.as_bytes(), axis=0))
    assert note.endswith(f"and {most - own} random ones")
    assert len(stimuli(given, graph, room=10, seed=0)[0]) == 10


@pytest.mark.parametrize(
    ("fmax_mhz", "said", "verdict"),
    [
        (30.0, "pass", "pass"),
        (None, "pass", "pass"),
        (8.0, "pass", "unsure"),
        (8.0, "fail", "fail"),
    ],
)
def test_a_missed_clock_is_never_a_pass(
    fmax_mhz: float | None, said: Verdict, verdict: Verdict
) -> None:
    sizes = FpgaSizes(lc=1, lut=1, ff=1, carry=0, bram=0, dsp=0, spram=0, fmax_mhz=fmax_mhz)
    found = power.clocked(Judgement(said, "it is", 15.0), sizes, 12e6)
    assert found.verdict == verdict
    assert ("12 MHz is missed, the design reaches 8.00 MHz" in found.why) == (fmax_mhz == 8.0)


@pytest.mark.parametrize(
    ("setup_ns", "hold_ns", "verdict"),
    [(0.5, 0.1, "pass"), (-2.0, 0.1, "unsure"), (1, -0.1, "unsure")],
)
def test_what_vivado_says_of_the_clock_is_judged(
    setup_ns: float,
    hold_ns: float,
    verdict: Verdict,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """With --allow-timing-failure a bitstream may miss its clock."""
    identity = SimpleNamespace(build_id="00" * 16)
    built = SimpleNamespace(
        bundle=SimpleNamespace(directory=tmp_path, identity=identity),
        report=SimpleNamespace(slack=Slack(setup_ns, hold_ns, 20.0, "2022.2")),
    )
    monkeypatch.setattr(zynq, "build_bundle", lambda *_, **__: built)
    monkeypatch.setattr(zynq, "_project", lambda *_: None)
    sizes = FpgaSizes(lc=1, lut=1, ff=1, carry=0, bram=0, dsp=0, spram=0, fmax_mhz=None)
    artifact = Artifact("plan", "pynq-z2", tmp_path, {}, sizes, {})
    wish = SimpleNamespace(bitstream=None, build_host=None)
    settings = cast(Settings, SimpleNamespace(fpga=wish, work=tmp_path))
    graph = random_chain(1).graph(random_chain(1).last)
    made = zynq.bundled(settings, graph, cast(Core, None), artifact, Silent())
    found = power.clocked(Judgement("pass", "it is", 15.0), made.sizes, 50e6)
    assert found.verdict == verdict


def test_a_window_of_hours_is_refused_before_any_work() -> None:
    board = boards.find("icebreaker")
    for rate_hz, refused in ((0.001, True), (0.0367, False)):
        contract = board.contract.model_copy(update={"rate_hz": rate_hz})
        settings = cast(Settings, SimpleNamespace(contract=contract, board=board))
        expected = pytest.raises(UnsureError, match="takes 66,000 s, and at most 1800 s are")
        with expected if refused else nullcontext():
            power.refuse(settings)


def _settings(work: Path) -> Settings:
    contract = SimpleNamespace(operating_point="run", scope="supply")
    return cast(Settings, SimpleNamespace(work=work, seed=0, contract=contract, board=None))


def _prepared(graph: object, samples: Samples) -> FpgaPrepared:
    point = SimpleNamespace(clock_hz=12_000_000, supply_mv=1200)
    part = SimpleNamespace(device=programmable.MODELLED_DEVICE)
    board = SimpleNamespace(part=part, operating_points={"run": point})
    sizes = FpgaSizes(lc=1, lut=1, ff=1, carry=0, bram=0, dsp=0, spram=0, fmax_mhz=None)
    found = SimpleNamespace(
        graph=graph,
        samples=samples,
        board=board,
        core=SimpleNamespace(in_width=8, in_beats=1),
        plan=SimpleNamespace(name="net"),
        artifact=cast(Artifact, SimpleNamespace(sizes=sizes)),
    )
    return cast(FpgaPrepared, found)
