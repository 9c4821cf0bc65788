"""The fixed trained networks: at least 10 % below the better baseline, and proven."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from counting import BASELINES, check, prove, synthesize
from fixed_networks import NETWORKS, load

from edgekit.errors import MismatchError
from edgekit.target.fpga.hardwired.netlist import read_netlist

pytestmark = [pytest.mark.data, pytest.mark.nextpnr, pytest.mark.nightly]


@pytest.mark.parametrize("name", NETWORKS)
def test_area_clock_and_proof(name: str, shared_data: Path, tmp_path: Path) -> None:
    arrays = load(shared_data, name)
    row = synthesize(name, arrays, tmp_path, None)
    check(name, arrays, tmp_path, None)
    lut4, fmax_mhz = BASELINES[name]
    assert row.lut4 <= 0.9 * lut4
    assert row.fmax_mhz >= max(fmax_mhz, 1.0)
    assert row.cells <= 5280


def test_one_wrong_look_up_table_is_found(shared_data: Path, tmp_path: Path) -> None:
    """Any single bit of a table that is read between registers: the proof ends in an error."""
    name = NETWORKS[2]
    arrays = load(shared_data, name)
    synthesize(name, arrays, tmp_path, None)
    text = json.loads((tmp_path / "net.json").read_bytes())
    cells = text["modules"]["top"]["cells"]
    tables = [c for c in cells.values() if c["type"] == "SB_LUT4"]
    full = [
        c for c in tables if all(isinstance(bits[0], int) for bits in c["connections"].values())
    ]
    for cell in full[:: max(1, len(full) // 8)]:
        right = cell["parameters"]["LUT_INIT"]
        cell["parameters"]["LUT_INIT"] = right[:5] + "10"[int(right[5])] + right[6:]
        with pytest.raises(MismatchError):
            prove(read_netlist(json.dumps(text).encode(), "top"), arrays)
        cell["parameters"]["LUT_INIT"] = right
    prove(read_netlist(json.dumps(text).encode(), "top"), arrays)
