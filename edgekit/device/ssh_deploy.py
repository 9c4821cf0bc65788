"""Brings a bundle onto a board over ssh: look, copy, load. The agent then speaks the link."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from edgekit.device.agent_file import agent_file
from edgekit.device.ssh import Remote, SshError, classify, last_lines
from edgekit.device.ssh_port import AGENT, HOME
from edgekit.errors import DeviceError
from edgekit.progress import Progress, Silent
from edgekit.target.fpga.bundle import MANIFEST, Bundle

Loader = Literal["fpga_manager", "overlay"]

_LOAD_S = 180.0
_PYTHON = (3, 10)
_SPARE_BYTES = 1 << 20
_FAMILY = "xlnx,zynq-7000"
# Unpacked, so that it is compiled once and not at every start; the zip within says which it is.
_UNPACK = (
    f"{{ cmp -s {AGENT}.zip {AGENT}/agent.zip || {{ rm -rf {AGENT} {AGENT}.new && "
    f"python3 -m zipfile -e {AGENT}.zip {AGENT}.new && cp {AGENT}.zip {AGENT}.new/agent.zip && "
    f"mv {AGENT}.new {AGENT}; }}; }} && "
)
# Facts of the machine, one a line; a missing one is an empty line.
_LOOK = """mkdir -p {home}/{build} || exit 1
python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo
tr '\\0' ' ' < {root}/proc/device-tree/compatible 2>/dev/null; echo
tr -d '\\0' < {root}/proc/device-tree/chosen/pynq_board 2>/dev/null; echo
ls -d {root}/sys/class/fpga_manager/fpga0 2>/dev/null || echo
df -Pk {home} | tail -n 1 | awk '{{print $4}}'
id -u
pwd
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a board's operating system says of itself."""

    python: tuple[int, ...]
    compatible: tuple[str, ...]  # of the device tree
    pynq_board: str  # "" where the image does not say
    fpga_manager: bool
    free_bytes: int
    user_id: int
    home: str


@dataclass(frozen=True, slots=True)
class Deployed:
    """A bundle that is loaded: its window's device file and the clock that was set."""

    window: str
    clock_hz: int


def look(remote: Remote, build_id: str, *, root: str = "") -> Machine:
    """Return what is there, and make a place for the build.

    Raises SshError where it cannot be reached or its disk is full.
    """
    out = remote.check(_LOOK.format(home=HOME, build=build_id, root=root), "say what it is")
    lines = out.split("\n")
    if len(lines) < 7 or not lines[4].strip().isdigit() or not lines[5].strip().isdigit():
        raise SshError("FAILED", f"{remote} is no Linux that edgekit knows: it said {out!r}")
    version = tuple(int(part) for part in lines[0].split(".") if part.isdigit())
    return Machine(
        version,
        tuple(lines[1].split()),
        lines[2].strip(),
        bool(lines[3].strip()),
        int(lines[4]) * 1024,
        int(lines[5]),
        lines[6],
    )


def check_machine(remote: Remote, machine: Machine, bundle: Bundle) -> None:
    """Raise DeviceError unless the machine can run this bundle."""
    board = bundle.identity.board
    wrong = "write a PYNQ image (3.0 or later) for this very board to its card"
    if _FAMILY not in machine.compatible:
        found = ", ".join(machine.compatible) or "no device tree"
        raise DeviceError(
            f"{remote} is no {board}: it says {found}, wanted {_FAMILY}",
            hint="is this the board's address? Otherwise " + wrong,
        )
    named = machine.pynq_board.lower()
    if named not in ("", "unknown", board):
        raise DeviceError(
            f"the image on {remote} is for {machine.pynq_board}, not {board}", hint=wrong
        )
    if machine.python < _PYTHON:
        found = ".".join(map(str, machine.python)) or "none"
        raise DeviceError(f"{remote} has Python {found}, the agent needs 3.10", hint=wrong)
    if not machine.fpga_manager:
        raise DeviceError(f"{remote} has no FPGA manager in its kernel", hint=wrong)
    needed = sum(entry["bytes"] for entry in bundle.manifest["files"].values()) + _SPARE_BYTES
    if machine.free_bytes < needed:
        raise SshError(
            "DISK_FULL", f"{remote} has {machine.free_bytes} bytes free, the bundle needs {needed}"
        )


def deploy_bundle(
    remote: Remote,
    bundle: Bundle,
    *,
    loader: Loader = "fpga_manager",
    root: str = "",
    progress: Progress | None = None,
) -> Deployed:
    """Copy `bundle` and the agent to `remote` and load it; the port `ssh://` then works.

    What is there already is not copied again. Root is needed for one command, the loader's, by
    `sudo -n`. `root` is put before the system's paths, for a tree that stands for a board's.

    Raises SshError, or DeviceError that says what is wrong with the machine or which step failed.
    """
    progress = progress or Silent()
    progress.stage("look at the board")
    machine = look(remote, bundle.identity.build_id, root=root)
    check_machine(remote, machine, bundle)
    directory = f"{HOME}/{bundle.identity.build_id}"
    files = {f"{AGENT}.zip": agent_file()}
    for name in sorted([*bundle.files, MANIFEST]):
        files[f"{directory}/{name}"] = (bundle.directory / name).read_bytes()
    progress.stage("copy to the board", len(files))
    remote.put(files, progress.advance)
    progress.stage("load the bitstream")
    deployed = _load(remote, directory, machine.user_id, loader, root)
    current = {
        "bundle": f"{machine.home}/{directory}",
        "window": deployed.window,
        "manager": f"{root}/sys/class/fpga_manager/fpga0",
    }
    told = json.dumps(current, indent=1, sort_keys=True).encode()
    remote.put({f"{HOME}/current.json": told})
    return deployed


def _load(remote: Remote, directory: str, owner: int, loader: Loader, root: str) -> Deployed:
    command = f"python3 -IB {AGENT} load {directory} --owner {owner} --root {root or '/'}"
    if loader == "overlay":
        command += " --overlay"
    sudo = "" if owner == 0 else "sudo -n "
    done = remote.run(f"{_UNPACK}{sudo}{command}", timeout_s=_LOAD_S)
    if done.status == 0:
        told = json.loads(done.out.strip().splitlines()[-1])
        return Deployed(str(told["window"]), int(told["clock_hz"]))
    for line in reversed(done.err.splitlines()):
        try:
            error = json.loads(line)["error"]
        except (ValueError, KeyError, TypeError):
            continue
        raise DeviceError(f"{remote}: {error['message']}", hint=str(error["hint"]))
    if "password is required" in done.err or "not in the sudoers" in done.err:
        raise DeviceError(
            f"{remote} lets nobody load a bitstream without a password: {last_lines(done.err)}",
            hint="allow that one command there, or log in as root: echo "
            f"'{remote.user or 'USER'} ALL=(root) NOPASSWD: /usr/bin/python3 -IB {AGENT} load *' "
            "| sudo tee /etc/sudoers.d/edgekit",
        )
    raise SshError(
        classify(done.err),
        f"{remote} could not load the bitstream (status {done.status}): {last_lines(done.err)}",
    )
