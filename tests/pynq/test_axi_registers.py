"""The register map of the Arm side is the one in the Verilog, and the Verilog is clean."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from axi_shell_sim import CORE, IN_BEATS, IN_BYTES, OUT_BEATS, OUT_BYTES
from pins import RTL

from edgekit.device.agent.registers import ID, VERSION, Reg

OURS = ("ek_axi_lite", "ek_axi_memory", "ek_axi_regs", "ek_axi_feed", "ek_axi_stream")


def test_registers_are_declared_alike() -> None:
    text = (RTL / "ek_axi_regs.v").read_text()
    header = text.split("`default_nettype")[0]
    told = {
        name: int(offset, 16) for offset, name in re.findall(r"([0-9a-f]{2}) ([A-Z_]+)", header)
    }
    ranges = re.findall(r"([0-9a-f]{2})\.\.[0-9a-f]{2} ([A-Z_]+)", header)
    told |= {name: int(offset, 16) for offset, name in ranges}
    assert told == {reg.name: int(reg) for reg in Reg}
    written = re.findall(r"localparam \[9:0\] ([A-Z]+) = 10'h([0-9a-f]+);", text)
    assert written
    for name, word in written:
        assert 4 * int(word, 16) == Reg[name]
    assert int(re.search(r"ID = 32'h([0-9a-f]+);", text).group(1), 16) == ID  # type: ignore[union-attr]
    assert int(re.search(r"VERSION = 32'd(\d+);", text).group(1)) == VERSION  # type: ignore[union-attr]


@pytest.mark.verilator
@pytest.mark.parametrize("top", ["ek_axi_shell", "ek_spi_slave", *OURS])
def test_verilog_is_lint_clean(top: str, tmp_path: Path) -> None:
    command = ["verilator", "--lint-only", "-Wall", "-y", str(RTL), "--top-module", top]
    if top == "ek_axi_shell":
        widths = (8 * IN_BYTES, IN_BEATS, 8 * OUT_BYTES, OUT_BEATS)
        names = ("IN_WIDTH", "IN_BEATS", "OUT_WIDTH", "OUT_BEATS")
        command += [f"-G{n}={v}" for n, v in zip(names, widths, strict=True)]
        stub = re.sub(r"`ifndef.*?`endif\n", "", CORE.read_text(), flags=re.DOTALL)
        for name, value in zip(names, widths, strict=True):
            stub = stub.replace(f"`{name}", str(value))
        (tmp_path / "ek_core.v").write_text("/* verilator lint_off WIDTH */\n" + stub)
        command += ["-y", str(tmp_path)]
    done = subprocess.run([*command, str(RTL / f"{top}.v")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
