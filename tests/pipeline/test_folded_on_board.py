"""Folded networks on the virtual iCEBreaker, from the model file to a verdict."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploying import Started

IMAGES = 64  # as many different inputs as a metered window wants
LINK_BAUD, BITS_A_BYTE = 1_500_000, 10

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.virtual,
    pytest.mark.nextpnr,
    pytest.mark.yowasp,
    pytest.mark.cc,
]


def deployed(work: Path, model: Path, *options: object) -> dict[str, Any]:
    """The report of a deployment that ended well."""
    arguments = ("deploy", model, "--board", "icebreaker", "--virtual", "--json", "-o", work)
    words = tuple(str(word) for word in (*arguments, *options))
    done = Started(work.parent, words).end(timeout_s=3600.0)
    assert done.code == 0, done.err
    found: dict[str, Any] = done.json
    return found


def check(
    found: dict[str, Any], *, rate_hz: float, clock_mhz: float, cycles: int, loaded_bytes: int
) -> None:
    """Equality, timing, cold start, rate and power of a report."""
    equality = found["equality"]
    assert equality["chain"] == ["graph", "hls", "netlist", "board"]
    assert (equality["samples"], equality["mismatches"]) == (IMAGES, 0)
    assert found["sizes"]["fmax_mhz"] >= clock_mhz
    latency = found["latency"]
    assert latency["cycles"] == {"lo": cycles, "hi": cycles}
    cold_s = loaded_bytes * BITS_A_BYTE / LINK_BAUD + cycles / clock_mhz / 1e6
    assert latency["cold_start_us"] == pytest.approx(1e6 * cold_s)
    power = found["power"]
    assert (power["source"], power["scope"], power["rate_hz"]) == ("modelled", "supply", rate_hz)
    assert power["inferences_per_window"] / power["window_s"] == pytest.approx(rate_hz, rel=0.01)
    assert power["mean_mw"] + power["plus_minus_mw"] <= 15.0
    assert found["verdict"] == "pass", found["why"]


@pytest.mark.data
def test_mnist_at_a_thousand_a_second(root: Path, shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "datasets" / "mnist"
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    x = np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28, 1)[:IMAGES]
    y = np.frombuffer(labels, np.uint8).astype(np.int64)[:IMAGES]
    np.savez(tmp_path / "test.npz", x=x, y=y)
    found = deployed(
        tmp_path / "work",
        root / "examples" / "mnist" / "convolutional.safetensors",
        *("--operating-point", "hfosc_24mhz", "--rate-hz", 1000),
        *("--data", tmp_path / "test.npz"),
    )
    # At this rate and beside 64 images the weights have room in block RAM: nothing is loaded.
    check(found, rate_hz=1000.0, clock_mhz=24.0, cycles=25_067, loaded_bytes=0)
    assert found["accuracy"]["value"] >= 0.95


def test_spoken_digits_once_a_second(root: Path, tmp_path: Path) -> None:
    """Without recordings the inputs are random."""
    model = root / "examples" / "keywords" / "fpga.safetensors"
    found = deployed(tmp_path / "work", model, "--rate-hz", 1)
    # Four weights of four bits lie in each word of SPRAM.
    check(found, rate_hz=1.0, clock_mhz=12.0, cycles=127_828, loaded_bytes=10_000)
