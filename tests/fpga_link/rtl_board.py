"""ek_shell around a stand-in network, verilated behind a pipe, and what that network computes."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
RTL = HERE.parent.parent / "fpga" / "rtl"
INPUT_BYTES, OUTPUT_BYTES, SLOTS = 8, 2, 64
CLOCK_MHZ, DIV, LATENCY = 12, 8, 3
BUILD_ID = bytes(range(16, 32))
SHAPE: Mapping[str, object] = {
    "IN_WIDTH": 64,
    "OUT_WIDTH": 16,
    "INPUT_BYTES": INPUT_BYTES,
    "OUTPUT_BYTES": OUTPUT_BYTES,
    "SLOTS": SLOTS,
    "CLOCK_MHZ": CLOCK_MHZ,
    "DIV": DIV,
    "BAUD": f"32'd{CLOCK_MHZ * 1_000_000 // DIV}",
    "NODES": "32'd3",
    "BUILD_ID": f"128'h{BUILD_ID[::-1].hex()}",
    "BOARD": f"192'h{b'bench'.ljust(24, bytes(1))[::-1].hex()}",
    "NAME": f"512'h{b'ones'.ljust(64, bytes(1))[::-1].hex()}",
    "NAME_BYTES": 4,
}
# Half of the store and the frames of the link in SPRAM.
SLEEPING = {**SHAPE, "SLEEPS": 1, "STORE_SPRAM_BITS": 32, "LINK_SPRAM": 1}


def build(work: Path, core: str, parameters: Mapping[str, object]) -> Path:
    """Verilate ek_shell with these parameters around `core` (a folder here); return the binary."""
    verilate = [
        *("verilator", "--cc", "--exe", "--x-assign", "unique", "-Wno-fatal", f"-I{RTL}"),
        *("-O3", "--top-module", "ek_shell", "--Mdir", str(work)),
        *(f"-G{name}={value}" for name, value in parameters.items()),
        *(str(HERE / core / "ek_core.v"), str(RTL / "ek_shell.v"), str(HERE / "bench.cpp")),
    ]
    optimize = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0")
    for argv in (verilate, ["make", "-s", "-C", str(work), "-f", "Vek_shell.mk", *optimize]):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return work / "Vek_shell"


def expected(inputs: np.ndarray) -> np.ndarray:
    """What the stand-in computes of int8 [n, 8]: how many ones, and the first byte."""
    ones = np.unpackbits(inputs.view(np.uint8), axis=1).sum(axis=1)
    return np.stack([ones.astype(np.int8), inputs[:, 0]], axis=1)
