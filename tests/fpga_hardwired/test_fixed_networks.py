"""The fixed trained networks: at least 10 % below the better baseline, and proven."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from counting import BASELINES, check, classes, prove, synthesize
from writers.fixed_digits import NAMES, arrays_of

from edgekit.errors import MismatchError
from edgekit.target.fpga.hardwired.netlist import read_netlist

pytestmark = [pytest.mark.data, pytest.mark.nextpnr, pytest.mark.nightly]


@pytest.mark.parametrize("name", NAMES)
def test_area_clock_and_proof(name: str, shared_data: Path, tmp_path: Path) -> None:
    arrays = arrays_of(shared_data, name)
    row = synthesize(name, arrays, tmp_path, None)
    check(name, arrays, tmp_path, None)
    lut4, fmax_mhz = BASELINES[name]
    assert row.lut4 <= 0.9 * lut4
    assert row.fmax_mhz >= max(fmax_mhz, 1.0)
    assert row.cells <= 5280


def test_one_wrong_look_up_table_is_found(shared_data: Path, tmp_path: Path) -> None:
    """One bit of a table turned over: an error, unless its place is never reached."""
    name = NAMES[2]
    arrays = arrays_of(shared_data, name)
    synthesize(name, arrays, tmp_path, None)
    text = json.loads((tmp_path / "net.json").read_bytes())
    cells = text["modules"]["top"]["cells"].values()
    tables = [cell["parameters"] for cell in cells if cell["type"] == "SB_LUT4"]
    x = np.random.default_rng(1).integers(0, 2, (1 << 15, arrays["W1"].shape[1]))
    labels = classes(read_netlist(json.dumps(text).encode(), "top"), x)
    found = 0
    tried = tables[:: len(tables) // 30]
    for parameters in tried:
        right = parameters["LUT_INIT"]
        parameters["LUT_INIT"] = right[:15] + "10"[int(right[15])]
        wrong = read_netlist(json.dumps(text).encode(), "top")
        parameters["LUT_INIT"] = right
        try:
            prove(wrong, arrays)
        except MismatchError:
            found += 1
        else:
            np.testing.assert_array_equal(classes(wrong, x), labels)
    assert found > len(tried) / 2
