"""Counts the fixed networks: `python tests/fpga_hardwired/counting.py [--stages N] [NETWORK ...]`.

Wrapper, options and seed are those of the data folder's README, so that LUT4 and Fmax stand beside
its baselines. Every row is proven for all inputs and run on all 450 test images before it counts.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "fpga_hardwired")]

from circuits import run_circuit  # noqa: E402
from counting_wrapper import score_width, wrapper  # noqa: E402
from writers.fixed_digits import NAMES, Ints, arrays_of, graph_of  # noqa: E402

from edgekit.target.fpga.hardwired import circuit_of, generate  # noqa: E402
from edgekit.target.fpga.hardwired.netlist import Netlist, clocked, read_netlist  # noqa: E402
from edgekit.target.fpga.hardwired.prove import (  # noqa: E402
    inputs_held,
    prove_argmax,
    prove_layer,
    sums,
    thresholds,
)
from edgekit.target.fpga.hardwired.row_proof import Held  # noqa: E402

# The better baseline of each network: LUT4 and Fmax in MHz.
BASELINES = dict(
    zip(NAMES, ((3503, 13.0), (1358, 30.0), (718, 30.6), (4581, 0.0), (2094, 28.3)), strict=True)
)
_PLACE = ["nextpnr-ice40", "--up5k", "--package", "sg48", "--json", "net.json", "--asc", "net.asc"]
_PLACE += ["--pcf-allow-unconstrained", "--seed", "1", "--freq", "24"]


@dataclass(frozen=True, slots=True)
class Row:
    """What one network takes; `fmax_mhz` 0: it was not routed."""

    lut4: int
    carry: int
    flip_flops: int
    cells: int
    fmax_mhz: float


def synthesize(name: str, arrays: dict[str, Ints], work: Path, stages: int | None) -> Row:
    """Generate, synthesize and route one network in `work`; net.json is left there."""
    core = generate(graph_of(name, arrays), stages=stages)
    for path, data in core.files.items():
        (work / path.name).write_bytes(data)
    text = wrapper(core, arrays["W1"].shape[1], arrays["W2"].shape[0], score_width(arrays))
    (work / "top.v").write_text(text, encoding="utf-8")
    argmax = ROOT / "fpga" / "rtl" / "ek_argmax.v"
    script = f"read_verilog ek_core.v top.v {argmax}; synth_ice40 -top top -json net.json"
    stat = _call(["yosys", "-q", "-p", f"{script}; tee -o net.stat stat"], work, "net.stat")
    cells = {kind: int(count) for kind, count in re.findall(r"(SB_\w+)\s+(\d+)", stat)}
    assert not {kind for kind in cells if kind.startswith(("SB_RAM", "SB_SPRAM", "SB_MAC"))}
    log = _call([*_PLACE, "--log", "pnr.log", "-q", "--timing-allow-fail"], work, "pnr.log")
    fmax = re.findall(r"Max frequency for clock .*: ([\d.]+) MHz", log)
    used = re.findall(r"ICESTORM_LC:\s+(\d+)/", log)
    return Row(
        cells["SB_LUT4"],
        cells.get("SB_CARRY", 0),
        sum(count for kind, count in cells.items() if kind.startswith("SB_DFF")),
        int(used[-1]),
        float(fmax[-1]) if fmax else 0.0,
    )


def prove(netlist: Netlist, arrays: dict[str, Ints]) -> None:
    """Prove the whole netlist, input register to label, for all inputs."""
    needed = np.any(arrays["W2"] != 0, axis=0)
    wanted = thresholds(arrays["t1"])
    wanted = [bits if read else [] for bits, read in zip(wanted, needed, strict=True)]
    rows = prove_layer(netlist, inputs_held(netlist, "taken"), arrays["W1"], wanted)
    hidden = [bits[0] if bits else Held(0, 0) for bits in rows]
    scores = sums(arrays["b2"], score_width(arrays))
    prove_argmax(netlist, prove_layer(netlist, hidden, arrays["W2"], scores), "label")


def classes(netlist: Netlist, x: Ints) -> Ints:
    """Return the label that the netlist gives to each image (n, inputs) of 0 and 1."""
    words = np.zeros((x.shape[1], -(-len(x) // 64) * 8), np.uint8)
    words[:, : -(-len(x) // 8)] = np.packbits(x.T.astype(np.uint8), axis=1, bitorder="little")
    rows = zip(netlist.names["taken"], words.view("<u8").astype(np.uint64), strict=True)
    inputs = {net: row for net, row in rows if net in netlist.registers}  # others are not read
    state = clocked(netlist, inputs, 20)
    bits = [state[net] for net in netlist.names["label"]]
    spread = [np.unpackbits(b.astype("<u8").view(np.uint8), bitorder="little") for b in bits]
    return sum(bit[: len(x)].astype(np.int64) << k for k, bit in enumerate(spread))


def check(name: str, arrays: dict[str, Ints], work: Path, stages: int | None) -> None:
    """Compare circuit and netlist with the data's expected outputs, then prove the netlist."""
    graph = graph_of(name, arrays)
    scores = run_circuit(graph, circuit_of(graph), 2 * arrays["x_test"] - 1)
    np.testing.assert_array_equal(scores, arrays["score_test"])
    netlist = read_netlist((work / "net.json").read_bytes(), "top")
    labels = arrays["score_test"].argmax(axis=1)
    np.testing.assert_array_equal(classes(netlist, arrays["x_test"]), labels)
    if stages is None:
        prove(netlist, arrays)


def _call(argv: list[str], work: Path, wanted: str) -> str:
    done = subprocess.run(argv, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{argv[0]}: {done.returncode}\n{done.stderr[-2000:]}")
    return (work / wanted).read_text(encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(NAMES))
    parser.add_argument("--stages", type=int, help="register stages of the core; default 2")
    options = parser.parse_args()
    write = sys.stdout.write
    write("| network | LUT4 | CARRY | FF | logic cells | Fmax MHz | baseline LUT4, MHz |\n")
    write("|---|---|---|---|---|---|---|\n")
    for name in options.networks:
        arrays = arrays_of(ROOT.parent / "shared" / "data", name)
        with tempfile.TemporaryDirectory() as folder:
            row = synthesize(name, arrays, Path(folder), options.stages)
            check(name, arrays, Path(folder), options.stages)
        lut4, fmax = BASELINES[name]
        write(
            f"| {name} | {row.lut4:,} | {row.carry:,} | {row.flip_flops:,} | {row.cells:,} | "
            f"{row.fmax_mhz:.1f} | {lut4:,}, {fmax or '–'} |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
