"""bench: instructions, cycles and bytes of models on a board, as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from edgekit.board import McuBoard
from edgekit.build import tools
from edgekit.ir import check
from edgekit.ir.types import InputGrid
from edgekit.pipeline import detail
from edgekit.pipeline.deploy import run
from edgekit.pipeline.prepare import McuPrepared, prepare
from edgekit.pipeline.settings import Settings
from edgekit.pipeline.station import attach
from edgekit.progress import Progress, Silent
from edgekit.report.types import Cycles
from edgekit.target import mcu
from edgekit.virtual.process import Counts, emulator


def bench(
    models: Sequence[Path],
    board: McuBoard,
    *,
    virtual: bool,
    port: str | None = None,
    fold: bool = True,
    arena_limit_bytes: int | None = None,
    grid: InputGrid | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return the figures of each model, as docs/reference/report.md lists them.

    A twin counts instructions exactly and cycles as an interval; hardware measures cycles only.
    `fold` False keeps the models' dead channels; `arena_limit_bytes` bounds each arena;
    `grid` states the integers behind float inputs that are compared.
    Raises what building and running raise.
    """
    progress = progress or Silent()
    rows = []
    with TemporaryDirectory(prefix="edgekit-bench-") as work:
        for model in models:
            settings = Settings(
                model=model,
                board=board,
                contract=board.contract,
                work=Path(work),
                virtual=virtual,
                port=port,
                fold=fold,
                arena_limit_bytes=arena_limit_bytes,
                grid=grid,
            )
            rows.append(row(settings, prepare(settings, progress), progress))
    compiler = mcu.compiler(mcu.toolchain(None, board.cpu), board.cpu)
    return {"schema": 1, "tools": {compiler: tools.version(compiler)}, "models": rows}


def row(settings: Settings, prepared: McuPrepared, progress: Progress) -> dict[str, Any]:
    """Return the figures of one built model; see `bench`."""
    counts: Counts | None = None
    if settings.virtual:
        with attach(settings, prepared.artifact, prepared.macs, progress=progress) as station:
            counts = station.counts() if station.counts is not None else None
        cycles = None if counts is None else Cycles.of(counts.cycles_lo, counts.cycles_hi)
    else:
        taken = run(settings, progress=progress).cycles
        cycles = Cycles(int(np.min(taken)), int(np.max(taken)))
    sizes, graph = prepared.sizes, prepared.lowered
    return {
        "model": settings.model.stem,
        "board": settings.board.name,
        "cpu": prepared.board.cpu,
        "oracle": emulator(prepared.board) if settings.virtual else "silicon",
        "macs": sum(check.macs(graph, node) for node in graph.nodes),
        "instructions": None if counts is None else counts.instructions,
        "cycles": None if cycles is None else asdict(cycles),
        "code_bytes": sizes.code_bytes,
        "tables_bytes": sizes.tables_bytes,
        "weights_bytes": sizes.weights_bytes,
        "arena_bytes": sizes.arena_bytes,
        "arena_lower_bound_bytes": prepared.arena.lower_bound_bytes,
        "static_bytes": sizes.ram_bytes,
        "stack_bytes": None if counts is None else counts.stack_bytes,
        "passes": {saved.name: saved.as_json() for saved in prepared.savings},
        "layers": [
            {
                "name": row.name,
                "op": row.op,
                "macs": row.macs,
                "instructions": row.instructions,
                "kernel": row.kernel,
                "bytes_moved": row.bytes_moved,
            }
            for row in detail.layer_rows(graph, mcu.kernels(graph, prepared.board), counts)
        ],
    }
