"""What a run leaves in the work directory beside the report, as plain .npz files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekit.device.session import Run
from edgekit.measure.types import Trace

OUTPUTS = "outputs.npz"
TRACE = "trace.npz"


def outputs(run: Run, work: Path) -> Path:
    """Write the board's outputs (n, bytes) int8 and cycles (n,); return the file."""
    path = work / OUTPUTS
    np.savez_compressed(path, outputs=run.outputs, cycles=run.cycles)
    return path


def trace(recorded: Trace, work: Path) -> Path:
    """Write a recording as it was reduced: one row per stretch of constant mark; return the file.

    Power of a stretch in mW is sum_ua / count * supply_mv * 1e-6; its length in samples is
    stop - start, at rate_hz.
    """
    path = work / TRACE
    s = recorded.segments
    np.savez_compressed(
        path,
        rate_hz=recorded.rate_hz,
        supply_mv=recorded.supply_mv,
        samples=recorded.samples,
        lost=recorded.lost,
        mark=s.mark,
        start=s.start,
        stop=s.stop,
        count=s.count,
        sum_ua=s.sum_ua,
        peak_ua=s.peak_ua,
    )
    return path
