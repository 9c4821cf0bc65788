"""What is decided before any synthesis: where the clock comes from, and what is not tried."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edgekit import board as boards
from edgekit.config import FpgaWish
from edgekit.cost import fpga_power
from edgekit.errors import DoesNotFitError
from edgekit.frontend import load
from edgekit.ir.graph import Graph
from edgekit.passes import optimize
from edgekit.pipeline import energy
from edgekit.target.fpga import plan

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


@pytest.mark.parametrize(
    ("wish", "message"),
    [(FpgaWish(), "LUTs of"), (FpgaWish(style="hardwired"), "weights in logic")],
    ids=["folded", "hardwired"],
)
def test_millions_of_products_are_not_wired(mnist: Graph, wish: FpgaWish, message: str) -> None:
    begun = time.process_time()
    with pytest.raises(DoesNotFitError, match=message):
        plan.core_of(mnist, ICEBREAKER, wish, clock_hz=12_000_000, rate_hz=1000.0)
    assert time.process_time() - begun < 5.0


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
