"""Machines that cannot run the bundle: each is named before anything is loaded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from board_tree import BoardTree, make_bundle
from ssh_server import SshServer

from edgekit.device.agent import loader
from edgekit.device.agent.facts import facts_of, read_manifest
from edgekit.device.agent.loader import load
from edgekit.device.ssh import Remote
from edgekit.device.ssh_deploy import deploy_bundle
from edgekit.errors import DeviceError

pytestmark = [pytest.mark.sshd, pytest.mark.iverilog]


def attempt(sshd: SshServer, board: BoardTree, work: Path) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        deploy_bundle(Remote("board", config=sshd.config), make_bundle(work), root=str(board.root))
    return caught.value


def another_family(board: BoardTree) -> None:
    (board.root / "proc/device-tree/compatible").write_bytes(b"raspberrypi,4-model-b\0")


def no_device_tree(board: BoardTree) -> None:
    (board.root / "proc/device-tree/compatible").unlink()


def another_image(board: BoardTree) -> None:
    (board.root / "proc/device-tree/chosen/pynq_board").write_bytes(b"Pynq-Z1\0")


def no_manager(board: BoardTree) -> None:
    for name in ("firmware", "flags", "state"):
        (board.manager / name).unlink()
    board.manager.rmdir()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (another_family, "is no pynq-z2: it says raspberrypi,4-model-b, wanted xlnx,zynq-7000"),
        (no_device_tree, "is no pynq-z2: it says no device tree"),
        (another_image, "is for Pynq-Z1, not pynq-z2"),
        (no_manager, "has no FPGA manager in its kernel"),
    ],
)
def test_a_wrong_image_is_told_by_what_it_says(
    sshd: SshServer,
    board: BoardTree,
    tmp_path: Path,
    change: Callable[[BoardTree], None],
    message: str,
) -> None:
    change(board)
    error = attempt(sshd, board, tmp_path)
    assert message in error.message
    assert "PYNQ image" in error.hint
    assert not (sshd.home / "sudo.log").exists()


def test_an_old_python_is_told(sshd: SshServer, board: BoardTree, tmp_path: Path) -> None:
    sshd.program("python3", "#!/bin/sh\necho 3.8\n")
    assert "has Python 3.8, the agent needs 3.10" in attempt(sshd, board, tmp_path).message


def test_a_disk_too_small_is_told_before_copying(
    sshd: SshServer, board: BoardTree, tmp_path: Path
) -> None:
    sshd.program("df", "#!/bin/sh\necho 'fs 9 9 12 99% /'\n")
    message = attempt(sshd, board, tmp_path).message
    assert "has 12288 bytes free, the bundle needs" in message


def test_a_user_without_the_right_is_told_how_to_get_it(
    sshd: SshServer, board: BoardTree, tmp_path: Path
) -> None:
    (sshd.home / "deny-sudo").touch()
    error = attempt(sshd, board, tmp_path)
    assert "lets nobody load a bitstream without a password" in error.message
    assert "NOPASSWD" in error.hint


def attempt_load(board: BoardTree, work: Path) -> DeviceError:
    """Load a bundle as the loader does it as root, which has to fail."""
    directory = make_bundle(work).directory
    facts = facts_of(read_manifest(directory))
    with pytest.raises(DeviceError) as caught:
        load(directory, facts, root=board.root, owner=os.getuid(), overlay=False)
    return caught.value


def test_another_part_is_told_before_loading(board: BoardTree, tmp_path: Path) -> None:
    board.set_slcr(0x530, 0x13722093)
    message = attempt_load(board, tmp_path).message
    assert message == "the board has a 7z010, the bitstream is for xc7z020clg400-1"
    assert (board.manager / "firmware").read_text() == ""


def test_a_bitstream_the_kernel_refuses_is_told(board: BoardTree, tmp_path: Path) -> None:
    (board.manager / "state").write_text("write error\n")
    message = attempt_load(board, tmp_path).message
    assert message == "the FPGA manager says 'write error' after loading, wanted 'operating'"


def test_a_kernel_without_overlays_is_told(board: BoardTree, tmp_path: Path) -> None:
    board.overlays.rmdir()
    assert "takes no device-tree overlays" in attempt_load(board, tmp_path).message


def test_an_overlay_that_makes_no_device_is_told(
    board: BoardTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "_APPEAR_S", 0.1)
    board.__exit__(None, None, None)  # its kernel has gone
    message = attempt_load(board, tmp_path).message
    assert message == "the overlay was inserted (no status) and no UIO device came of it"


def test_without_system_registers_nothing_is_loaded(board: BoardTree, tmp_path: Path) -> None:
    (board.root / "dev/mem").unlink()
    assert "the system registers in" in attempt_load(board, tmp_path).message


def test_an_overlay_without_pynq_is_told(board: BoardTree, tmp_path: Path) -> None:
    directory = make_bundle(tmp_path).directory
    facts = facts_of(read_manifest(directory))
    with pytest.raises(DeviceError, match=r"PYNQ's Overlay failed: .*(pynq|python3)"):
        load(directory, facts, root=board.root, owner=os.getuid(), overlay=True)


def test_a_node_that_no_driver_took_is_bound(board: BoardTree) -> None:
    device = board.root / "sys/bus/platform/devices/43c00000.edgekit"
    driver = board.root / "sys/bus/platform/drivers/uio_pdrv_genirq"
    for path in (device, driver):
        path.mkdir(parents=True)
    loader._bind(board.root, 0x43C00000)
    assert (device / "driver_override").read_text() == "uio_pdrv_genirq"
    assert (driver / "bind").read_text() == "43c00000.edgekit"
