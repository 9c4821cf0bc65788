"""The Vivado project: same bytes, clean Verilog, a script that runs, and endings that are told."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from axi_shell_sim import CORE, IN_BEATS, IN_BYTES, OUT_BEATS, OUT_BYTES
from board_tree import BASE, bit_file, core, hwh_file
from ssh_server import SshServer

from edgekit.device.ssh import Remote
from edgekit.device.vivado_build import Built, build_bundle, bundle_of, write_project
from edgekit.errors import ConfigError, DoesNotFitError, ToolError, UnsupportedError
from edgekit.target.fpga.core import Core
from edgekit.target.fpga.vivado import BASE_ADDRESS, SCRIPT, VivadoProject, project
from edgekit.target.fpga.vivado_reports import parse_reports

FAKE = Path(__file__).with_name("fake_vivado.tcl")


def network() -> Core:
    text = CORE.read_text()
    head, _, rest = text.partition("`ifndef")
    body = rest.partition("`endif\n")[2]
    for name, value in (
        ("IN_WIDTH", 8 * IN_BYTES),
        ("IN_BEATS", IN_BEATS),
        ("OUT_WIDTH", 8 * OUT_BYTES),
        ("OUT_BEATS", OUT_BEATS),
    ):
        body = body.replace(f"`{name}", str(value))
    return replace(core(), files={PurePosixPath("rtl/ek_core.v"): (head + body).encode()})


def made(**changes: object) -> VivadoProject:
    given: dict[str, object] = {
        "board": "pynq-z2",
        "part": "xc7z020clg400-1",
        "model": "sums",
        "model_hash": "ab" * 16,
        "clock_hz": 50_000_000,
        "input_bytes": 20,
        "output_bytes": 6,
    }
    return project(network(), **{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture
def vivado(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Put a program called vivado on the PATH; returns its text for elsewhere."""
    data = tmp_path / "fake"
    data.mkdir()
    (data / "design.bit").write_bytes(bit_file())
    (data / "design.hwh").write_bytes(hwh_file())

    def install(**settings: str) -> str:
        lines = [f"export FAKE_{k}={v}" for k, v in {**settings, "DATA": str(data)}.items()]
        text = "\n".join(["#!/bin/sh", *lines, f'exec tclsh {FAKE} "$@"', ""])
        programs = tmp_path / "bin"
        programs.mkdir(exist_ok=True)
        (programs / "vivado").write_text(text)
        (programs / "vivado").chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        return text

    return install


def test_a_project_is_the_same_bytes_and_says_its_digest() -> None:
    first, second = made(), made()
    assert first.files == second.files
    assert (
        first.identity.build_id
        == second.identity.build_id
        != made(clock_hz=10**8).identity.build_id
    )
    digits = bytes.fromhex(first.identity.build_id)[::-1].hex()
    top = first.files[PurePosixPath("rtl/ek_zynq_top.v")].decode()
    assert f".BUILD_ID(128'h{digits})" in top
    assert BASE_ADDRESS == BASE
    assert first.identity.slots == 64
    hostile = made(model="a\n; exec rm\\").files[SCRIPT].decode()
    assert hostile.splitlines()[0].startswith("# a___exec_rm_ on pynq-z2")


def test_an_input_too_long_for_the_store_is_refused() -> None:
    wide = replace(network(), in_width=32, in_beats=40_000)
    with pytest.raises(UnsupportedError, match="one input takes 40000 words"):
        project(
            wide,
            board="b",
            part="xc7z020clg400-1",
            model="m",
            model_hash="0" * 32,
            clock_hz=10**8,
            input_bytes=1,
            output_bytes=1,
        )


@pytest.mark.verilator
def test_the_project_is_lint_clean(tmp_path: Path) -> None:
    directory = write_project(made(), tmp_path)
    sources = sorted((directory / "rtl").glob("*.v"))
    command = ["verilator", "--lint-only", "-Wall", "--top-module", "ek_zynq_top", *sources]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.iverilog
def test_the_project_is_verilog_2005(tmp_path: Path) -> None:
    directory = write_project(made(), tmp_path)
    sources = sorted((directory / "rtl").glob("*.v"))
    command = ["iverilog", "-g2005", "-Wall", "-s", "ek_zynq_top", "-o", "/dev/null", *sources]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.tclsh
def test_the_script_is_whole_and_uses_known_commands(
    tmp_path: Path, vivado: Callable[..., str]
) -> None:
    vivado()
    script = made().files[SCRIPT].decode()
    done = subprocess.run(
        ["tclsh"],
        input=f"puts [info complete {{{script}}}]",
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert done.stdout.strip() == "1"
    built = build_bundle(made(), network(), tmp_path)
    assert built.bundle.manifest["tools"] == {"vivado": "2022.2"}
    report = built.report
    assert (report.lut, report.ff, report.bram_36k, report.dsp) == (844, 1147, 2.5, 1)
    assert (report.dynamic_w, report.static_w) == (1.312, 0.131)
    assert (report.slack.setup_ns, report.slack.met) == (0.5, True)
    again = build_bundle(made(), network(), tmp_path, host=Remote("nobody.invalid"))
    assert (again.bundle.manifest, again.report) == (built.bundle.manifest, report)  # taken as is
    log = (tmp_path / "vivado" / made().identity.build_id / "logs/vivado.log").read_text()
    assert "assign_bd_address -offset 0x43c00000 -range 0x80000" in log
    for source in made().files:
        assert source.suffix != ".v" or str(source) in log


@pytest.mark.tclsh
def test_a_command_that_vivado_does_not_have_would_be_seen(
    tmp_path: Path, vivado: Callable[..., str]
) -> None:
    vivado()
    plain = made()
    script = plain.files[SCRIPT].replace(b"validate_bd_design", b"check_bd_design")
    with pytest.raises(ToolError, match="UNKNOWN COMMAND check_bd_design"):
        build_bundle(replace(plain, files={**plain.files, SCRIPT: script}), network(), tmp_path)


@pytest.mark.tclsh
def test_a_missed_clock_is_told_with_what_was_reached_and_makes_no_bitstream(
    tmp_path: Path, vivado: Callable[..., str]
) -> None:
    vivado(WNS="-5.0")
    with pytest.raises(DoesNotFitError, match=r"wanted 50 MHz, reached 40 MHz \(setup slack -5 ns"):
        build_bundle(made(), network(), tmp_path)
    assert not (tmp_path / "vivado" / made().identity.build_id / "out/design.bit").exists()
    built = build_bundle(made(allow_timing_failure=True), network(), tmp_path)
    assert not built.report.slack.met


@pytest.mark.tclsh
@pytest.mark.parametrize(
    ("without", "message"),
    [
        ("part", "does not know xc7z020clg400-1"),
        ("synth_1", "synth_1 did not finish: synth_design ERROR"),
        ("impl_1", "impl_1 did not finish"),
        ("hwh", "wrote no hardware description"),
        ("design.xsa", "ended without .*design.xsa"),
        ("utilization.rpt", "ended without .*utilization.rpt"),
    ],
)
def test_what_is_missing_is_told(
    tmp_path: Path, vivado: Callable[..., str], without: str, message: str
) -> None:
    vivado(WITHOUT=without)
    with pytest.raises(ToolError, match=message):
        build_bundle(made(), network(), tmp_path)


def test_without_vivado_the_project_is_there_and_the_next_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_args, **_more: None)
    with pytest.raises(ToolError) as caught:
        build_bundle(made(), network(), tmp_path)
    directory = tmp_path / "vivado" / made().identity.build_id
    assert (directory / "build.tcl").is_file()
    assert str(directory) in caught.value.message
    assert "vivado -mode batch" in caught.value.hint
    assert "--bitstream" in caught.value.hint
    assert "--build-host" in caught.value.hint


def test_a_bitstream_from_elsewhere_makes_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "mine.bit").write_bytes(bit_file())
    with pytest.raises(ConfigError, match=r"mine\.hwh cannot be read"):
        bundle_of(made(), network(), tmp_path, tmp_path / "mine.bit")
    (tmp_path / "mine.hwh").write_bytes(hwh_file())
    bundle = bundle_of(made(), network(), tmp_path, tmp_path / "mine.bit")
    assert bundle.identity == made().identity


@pytest.mark.sshd
@pytest.mark.tclsh
@pytest.mark.nightly
def test_a_build_host_makes_the_same_bundle(
    sshd: SshServer, tmp_path: Path, vivado: Callable[..., str]
) -> None:
    remote = Remote("board", config=sshd.config)
    with pytest.raises(ToolError, match="has no Vivado on its PATH"):
        build_bundle(made(), network(), tmp_path, host=remote)
    text = vivado()
    sshd.program("vivado", text)
    there = build_bundle(made(), network(), tmp_path / "there", host=remote)
    here = build_bundle(made(), network(), tmp_path / "here")
    assert isinstance(here, Built)
    assert there.bundle.manifest == here.bundle.manifest
    assert there.report == here.report


def test_a_report_without_its_row_is_told() -> None:
    summary = "wns_ns 1\nwhs_ns 1\nperiod_ns 20\nvivado 2022.2\n"
    with pytest.raises(ToolError, match="no row 'Slice LUTs'"):
        parse_reports(summary, "", "")
    with pytest.raises(ToolError, match="lacks a number"):
        parse_reports("wns_ns \n", "", "")
