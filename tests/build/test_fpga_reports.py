"""What is read from reports of yosys and nextpnr, and damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.build import fpga_reports
from edgekit.errors import ToolError

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "fpga"


def test_cells_of_every_family() -> None:
    read = fpga_reports.cells
    assert read(GOLDEN / "ice40.stat.json") == fpga_reports.Cells(26, 17, 22, 1, 0, 0, None)
    assert read(GOLDEN / "ecp5.stat.json") == fpga_reports.Cells(0, 17, 14, 1, 0, 0, None)
    assert read(GOLDEN / "zynq7.stat.json") == fpga_reports.Cells(16, 17, 8, 1, 0, 0, 8)


def test_report_and_log_of_nextpnr_say_the_same(tmp_path: Path) -> None:
    log = GOLDEN / "nextpnr-0.4.log"
    found = fpga_reports.placement(GOLDEN / "ice40.report.json", log)
    assert found.logic_cells() == 29
    clock = found.worst()
    assert clock is not None
    assert clock.achieved_mhz == pytest.approx(102.8277587890625)
    assert clock.wanted_mhz == 200
    assert not found.met()
    without = tmp_path / "without.json"
    without.write_text(json.dumps({"fmax": {}, "utilization": {}}))
    assert fpga_reports.placement(without, log).worst() is not None
    again = fpga_reports.placement(tmp_path / "missing.json", log)
    assert again.logic_cells() == 29
    assert again.worst() == fpga_reports.Clock(clock.name, pytest.approx(102.83, abs=0.01), 200)


def test_ecp5_report() -> None:
    found = fpga_reports.placement(GOLDEN / "ecp5.report.json", GOLDEN / "nextpnr-0.4.log")
    assert found.logic_cells() == 42
    assert found.met()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"design": {}}', '{"design": {"num_cells_by_type": 3}}']
)
def test_a_damaged_statistics_file_is_a_tool_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(ToolError, match="is no report of yosys"):
        fpga_reports.cells(tmp_path / "s.json")


@pytest.mark.parametrize("text", ["", "[]", '{"fmax": {}}', '{"fmax": 1, "utilization": {"a": 2}}'])
def test_a_damaged_report_is_a_tool_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    (tmp_path / "log").touch()
    with pytest.raises(ToolError, match="is no report of nextpnr"):
        fpga_reports.placement(tmp_path / "r.json", tmp_path / "log")
