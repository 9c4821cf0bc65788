"""A report as a deployment of a small keyword-spotting network would give it."""

from __future__ import annotations

import dataclasses

import numpy as np

from edgekit.build.plan import Sizes
from edgekit.measure.types import MeterInfo, Uncertainty
from edgekit.report.types import (
    Accuracy,
    Budget,
    Cycles,
    Detail,
    Equality,
    ErrorInfo,
    FactRow,
    FirstDifference,
    Histogram,
    Latency,
    LayerRow,
    MemoryRow,
    NotCompared,
    Power,
    PowerTrace,
    Report,
    Stimuli,
)

OPS = (
    ("Conv2D", (25, 5, 64), 320_000, 2_410_000),
    ("DepthwiseConv2D", (25, 5, 64), 72_000, 601_000),
    ("Conv2D", (25, 5, 64), 512_000, 2_560_000),
    ("DepthwiseConv2D", (25, 5, 64), 72_000, 601_000),
    ("Conv2D", (25, 5, 64), 512_000, 2_560_000),
    ("DepthwiseConv2D", (25, 5, 64), 72_000, 601_000),
    ("Conv2D", (25, 5, 64), 512_000, 2_560_000),
    ("DepthwiseConv2D", (25, 5, 64), 72_000, 601_000),
    ("Conv2D", (25, 5, 64), 512_000, 2_560_000),
    ("AveragePool", (1, 1, 64), 0, 21_000),
    ("Dense", (12,), 768, 4_100),
    ("Softmax", (12,), 0, 2_900),
)


def _layers() -> tuple[LayerRow, ...]:
    rows = []
    for i, (op, shape, macs, instructions) in enumerate(OPS):
        rows.append(
            LayerRow(
                name=f"{op} #{i}",
                op=op,
                shape=shape,
                macs=macs,
                instructions=instructions,
                cycles=Cycles(int(instructions * 1.1), int(instructions * 1.3)),
                bytes_moved=int(macs * 1.2) + 8_000,
                kernel=f"ek_{op.lower()}_s8",
            )
        )
    return tuple(rows)


def _memory() -> tuple[MemoryRow, ...]:
    rows = [MemoryRow("input", "input", 0, 0, 8_000, 490)]
    offset = 0
    for i in range(9):
        rows.append(MemoryRow(f"t{i}", "tensor", i, i + 1, offset, 8_000))
        rows.append(MemoryRow(f"scratch{i}", "scratch", i, i, 16_000, 1_200))
        offset = 8_000 - offset
    rows.append(MemoryRow("pooled", "tensor", 9, 10, 0, 64))
    rows.append(MemoryRow("logits", "tensor", 10, 11, 64, 12))
    rows.append(MemoryRow("output", "output", 11, 11, 76, 12))
    return tuple(rows)


def _trace(title: str, start: float, bins: int, bin_s: float) -> PowerTrace:
    rng = np.random.default_rng(2)
    time_s = start + bin_s * np.arange(bins)
    busy = (time_s % 1.0) < 0.155
    base = np.where(busy, 46.3, 0.021)
    noise = rng.normal(0, 0.4, bins) * busy
    windows = [(float(k), k + 0.155) for k in range(int(start), int(time_s[-1]) + 1)]
    return PowerTrace(
        title=title,
        start_s=start,
        bin_s=bin_s,
        low_mw=tuple((base + noise - busy * 0.9).round(4).tolist()),
        mean_mw=tuple((base + noise).round(4).tolist()),
        high_mw=tuple((base + noise + busy * 1.1).round(4).tolist()),
        windows_s=tuple(w for w in windows if w[0] < time_s[-1]),
    )


def _latencies() -> Histogram:
    rng = np.random.default_rng(1)
    us = rng.normal(154_600, 90, 600)
    counts, edges = np.histogram(us, bins=40)
    return Histogram(tuple(edges.round(2).tolist()), tuple(counts.tolist()))


FACTS = (
    FactRow("clock", "120 MHz", "DS12023 rev 6, table 20", False),
    FactRow("run current", "14.0 mA ± 3 %", "DS12023 rev 6, table 29, range 1 boost", False),
    FactRow("sleep current (Stop 2)", "2.8 µA ± 30 %", "DS12023 rev 6, table 41", False),
    FactRow("supply", "3,300 mV", "board: jumper JP5", True),
)

DETAIL = Detail(
    model_hash="8f1c2a7b" * 8,
    arena_lower_bound_bytes=16_490,
    memory=_memory(),
    nodes=tuple(f"{op} #{i}" for i, (op, *_rest) in enumerate(OPS)),
    layers=_layers(),
    latencies=_latencies(),
    traces=(
        _trace("window of 22 inferences", 0.0, 2_000, 0.011),
        _trace("one inference", 3.95, 600, 0.0005),
    ),
    facts=FACTS,
    notes=("cycles were counted once and credited to every later inference",),
)

POWER = Power(
    source="modelled",
    scope="supply",
    mode="average",
    rate_hz=1.0,
    mean_mw=7.164,
    plus_minus_mw=0.541,
    peak_mw=47.4,
    idle_mw=0.021,
    energy_uj=7_158.0,
    inferences_per_window=22,
    window_s=22.0,
    meter=MeterInfo("PPK2 (emulated)", "EDC0001", True, 100_000.0, 1.0, 0.05),
    samples=2_200_000,
    lost=0,
    uncertainty=Uncertainty(0.072, 0.0002, 0.003, 0.011, 0.018, 0.535),
    stimuli=Stimuli(64, "b2" * 16),
    energy_plus_minus_uj=534.0,
    seen_rate_hz=1.0,
)

PASSED = Report(
    model="kws_ref_model",
    board="nucleo-l4r5zi",
    virtual=True,
    plan="3f2a91c07d5b4e6688aa01f2c3d4e5f6",
    tools={"arm-none-eabi-gcc": "12.2.1 20221205", "unicorn": "2.1.4"},
    operating_point="boost_120mhz",
    sizes=Sizes(71_204, 9_412, 5_216, 52_096, 29_344, 17_690, 412),
    equality=Equality(
        600,
        0,
        ("tflite-ref", "graph", "c", "board"),
        (NotCompared("Softmax #12", "float in onnxruntime", 3),),
    ),
    accuracy=Accuracy("top1", 538 / 600, 600),
    latency=Latency(
        600,
        15_082_000,
        Cycles(16_590_200, 19_606_600),
        154_601.2,
        154_717.0,
        154_811.9,
        None,
        0.00058,
        163_388.0,
        "modelled",
    ),
    power=POWER,
    budget=Budget(15.0, 2_097_152, 655_360, None),
    verdict="pass",
    why="7.16 + 0.54 mW is at most 15 mW",
    detail=DETAIL,
)

FAILED = dataclasses.replace(
    PASSED,
    power=dataclasses.replace(POWER, rate_hz=10.0, mean_mw=46.1, plus_minus_mw=2.9),
    verdict="fail",
    why="46.10 - 2.90 mW is more than 15 mW",
)

UNSURE = dataclasses.replace(
    PASSED,
    power=dataclasses.replace(POWER, mean_mw=14.9, samples=2_178_000, lost=22_000),
    verdict="unsure",
    why="1.00 % of the samples were lost, more than 0.1 %",
)

MISMATCHED = dataclasses.replace(
    PASSED,
    equality=Equality(
        600,
        37,
        ("tflite-ref", "graph", "c", "board"),
        (),
        FirstDifference(("graph", "board"), 4, "Conv2D #2", "t2", (3, 1, 17), -12, -11),
    ),
    verdict=None,
    why="the outputs are wrong",
)

ERRORED = Report(
    model="big",
    board="nucleo-l4r5zi",
    virtual=True,
    budget=Budget(15.0, 2_097_152, 655_360),
    error=ErrorInfo(
        "does_not_fit",
        "the model needs 812,000 bytes of RAM, the board has 655,360",
        "largest tensors: t1 401,408, t2 200,704, t3 100,352",
    ),
)

HOSTILE = dataclasses.replace(
    PASSED,
    model='<script>alert("x")</script>\x1b[2J',
    detail=dataclasses.replace(
        DETAIL,
        layers=(LayerRow('</td><img src=x onerror="alert(1)">', "Conv2D", (1,), 10, 100),),
        memory=(MemoryRow("</svg><script>x()</script>", "tensor", 0, 1, 0, 64),),
        nodes=("<b>&amp;</b>", "]]>"),
        notes=("\x00\x1b]0;title\x07",),
    ),
)
