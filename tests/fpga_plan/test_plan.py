"""What is decided before any synthesis: where the clock comes from, and what is not tried."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit import board as boards
from edgekit.config import FpgaWish
from edgekit.cost import fpga_power
from edgekit.errors import DoesNotFitError
from edgekit.frontend import load
from edgekit.ir import check
from edgekit.ir.graph import Graph, Source
from edgekit.ir.lowbit import LowBitDense
from edgekit.ir.types import DType, Edge, Tensor
from edgekit.passes import optimize
from edgekit.pipeline import energy
from edgekit.target.fpga import hardwired, plan, store

ICEBREAKER = boards.fpga(boards.find("icebreaker"))


@pytest.fixture(scope="module")
def mnist(root: Path) -> Graph:
    return optimize(load(root / "examples" / "mnist" / "convolutional.safetensors"))


def test_a_point_says_where_its_clock_comes_from() -> None:
    assert ICEBREAKER.clock_source("run_12mhz") == "pin"
    assert ICEBREAKER.clock_source("hfosc_24mhz") == "internal"
    assert fpga_power.source_of(ICEBREAKER, "run_12mhz") == "pin"
    assert fpga_power.source_of(ICEBREAKER, "hfosc_24mhz") == "hfosc"
    assert boards.fpga(boards.find("pynq-z2")).clock_source("fclk_50mhz") == "pin"


def test_millions_of_products_are_not_wired(mnist: Graph) -> None:
    begun = time.process_time()
    with pytest.raises(DoesNotFitError, match="weights in logic"):
        plan.core_of(
            mnist, ICEBREAKER, FpgaWish(style="hardwired"), clock_hz=12_000_000, rate_hz=1000.0
        )
    core = plan.core_of(mnist, ICEBREAKER, FpgaWish(), clock_hz=12_000_000, rate_hz=1000.0)
    assert core.style == "folded"
    with pytest.raises(
        DoesNotFitError, match=r"hardwired: .* weights in logic.*; folded: .* at most"
    ):
        plan.core_of(mnist, ICEBREAKER, FpgaWish(), clock_hz=12_000_000, rate_hz=1e6)
    assert time.process_time() - begun < 5.0


def test_a_network_leaves_room_for_a_window_of_different_inputs(mnist: Graph) -> None:
    for left in plan.rooms(ICEBREAKER, 784):
        assert left.spram < plan.room(ICEBREAKER).spram
        assert left.bram > plan.room(ICEBREAKER).bram
    core = plan.core_of(mnist, ICEBREAKER, FpgaWish(), clock_hz=24_000_000, rate_hz=1000.0)
    kept = plan.store_of(core, ICEBREAKER)
    assert kept.slots >= store.SLOTS
    assert (kept.spram_bits, kept.spram_accesses, kept.bram_accesses) == (kept.width, 784, 0)


def test_overlapping_inferences_keep_a_rate_that_one_alone_would_miss() -> None:
    asked = ICEBREAKER.contract.model_copy(update={"rate_hz": 1000.0})
    alone = energy.contract_schedule(asked, 1.044e-3, 100e3)
    assert (alone.batch, alone.period_us) == (1, 1000)
    piped = energy.contract_schedule(asked, 1.044e-3, 100e3, interval_s=0.864e-3)
    assert (piped.batch, piped.period_us) == (2, 2000)
    assert piped.marks * piped.period_us >= 1_000_000
    fast = energy.contract_schedule(asked, 0.9e-3, 100e3, interval_s=0.864e-3)
    assert fast.batch == 1
    apart = energy.overlapped_schedule(asked, 1 / 12e6, 100e3)
    assert (apart.marks, apart.batch) == (22, 4_096)  # of 12,000 that 100 samples would take
    assert apart.period_us >= 4_096 / 12 + 200
    slow = energy.overlapped_schedule(asked, 0.864e-3, 100e3)
    assert (slow.marks, slow.batch) == (22, 2)


def test_a_store_narrower_than_an_input_sets_the_clocks_between_answers() -> None:
    graph = dense(np.ones((2, 16), np.int64), DType.BINARY)
    core = plan.core_of(graph, ICEBREAKER, FpgaWish(), clock_hz=12_000_000, rate_hz=10.0)
    assert plan.interval_cycles(core, ICEBREAKER) == core.interval_cycles == 1
    wide = replace(core, in_width=800, kept_bytes=tuple(range(100)))
    assert plan.interval_cycles(wide, ICEBREAKER) == plan.store_of(wide, ICEBREAKER).words == 3


@pytest.mark.parametrize("rate_hz", [0.5, 10.0, 63.0, 4_999.0, 6_000.0, 1e6])
@pytest.mark.parametrize("mode", ["average", "active"])
def test_a_window_judges_as_many_inferences_as_inputs_are_wanted(rate_hz: float, mode: str) -> None:
    asked = ICEBREAKER.contract.model_copy(update={"rate_hz": rate_hz, "mode": mode})
    for busy_s in (1e-6, 0.3 / rate_hz, 0.1):
        for interval_s in (None, busy_s / 2):
            made = energy.contract_schedule(asked, busy_s, 1e5, interval_s=interval_s, least=64)
            assert (made.marks - 2) * made.batch >= 64
    if mode == "average":
        assert energy.contract_schedule(asked, 1e-6, 1e5).marks >= 22


def test_products_of_bytes_are_counted_and_not_planned() -> None:
    rng = np.random.default_rng(1)
    wide = dense(rng.integers(-127, 128, (10, 256)), DType.INT8)
    begun = time.process_time()
    with pytest.raises(DoesNotFitError, match=r"at least [\d,]+ look-up tables .* has 5,280"):
        plan.core_of(
            wide, ICEBREAKER, FpgaWish(style="hardwired"), clock_hz=12_000_000, rate_hz=10.0
        )
    assert time.process_time() - begun < 5.0


@pytest.mark.parametrize("dtype", [DType.BINARY, DType.TERNARY, DType.INT4])
def test_what_must_be_wired_at_least_is_never_more_than_what_is(dtype: DType) -> None:
    rng = np.random.default_rng(2)
    graph = dense(
        rng.integers(-1, 2, (12, 24)) if dtype is not DType.INT4 else rng.integers(-7, 8, (3, 9)),
        dtype,
    )
    assert 0 < hardwired.least_luts(graph) <= hardwired.generate(graph).estimate.lut


def test_a_rate_out_of_reach_says_which_is_possible() -> None:
    graph = dense(np.ones((4, 4096), np.int64), DType.INT8)
    with pytest.raises(DoesNotFitError, match=r"folded takes .* at most [\d,]+ inferences per sec"):
        plan.core_of(graph, ICEBREAKER, FpgaWish(style="folded"), clock_hz=12_000_000, rate_hz=1e6)


def dense(weight: NDArray[np.int64], dtype: DType) -> Graph:
    """Return the sums of `weight` over inputs of `dtype`."""
    rows, inputs = weight.shape
    kind = DType.TERNARY if np.abs(weight).max() == 1 else DType.INT8
    constants = {"w": weight, "b": np.zeros(rows, np.int64)}
    for value in constants.values():
        value.setflags(write=False)
    tensors = (
        Tensor("x", (inputs,), dtype),
        Tensor("y", (rows,), DType.INT32),
        Tensor("w", weight.shape, kind),
        Tensor("b", (rows,), DType.INT32),
    )
    graph = Graph(
        name="sums",
        source=Source("edgekit", "none", ""),
        inputs=(Edge("x", "x", (1, inputs), "float32", 1.0, 0, dtype=dtype),),
        outputs=(Edge("y", "y", (1, rows), "float32", 1.0, 0, dtype=DType.INT32),),
        nodes=(LowBitDense("sums", "x", "y", "w", "b", 0, None, 0),),
        tensors={tensor.name: tensor for tensor in tensors},
        constants=constants,
    )
    check.verify(graph)
    return graph
