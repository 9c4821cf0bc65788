"""QEMU as oracle: the same kernels on another emulator give the same outputs and counts.

The image is built for a machine of QEMU, chosen by CPU. QEMU's virtual time passes by the
instruction, which the machine's timer counts.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.board import Cpu, McuBoard
from edgekit.build import tools
from edgekit.errors import DeviceError, ToolError
from edgekit.virtual.machines import ICOUNT_SHIFT, MACHINES, Machine, port_for

_MAGIC = 0x4F43_524B
_GREETING = struct.Struct("<4sII")
_COUNT = struct.Struct("<Q")
_POLL_S = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class QemuRun:
    """Outputs int8 (n, bytes) and the instructions of each inference.

    Counted is `model_run` from its first instruction to its return, to the instruction.
    """

    outputs: NDArray[np.int8]
    instructions: NDArray[np.int64]


def oracle_board(board: McuBoard) -> McuBoard:
    """Return `board` with port and memories of the machine that has its CPU: what to build for.

    Raises DeviceError where QEMU has no machine for the CPU.
    """
    port = port_for(board.cpu)
    machine = MACHINES[port]
    return board.model_copy(
        update={
            "name": f"{board.name}-oracle",
            "firmware_port": port,
            "flash_memory": machine.flash,
            "ram": machine.ram,
            "emulated": False,
        }
    )


def count(
    elf: Path, inputs: NDArray[np.int8], cpu: Cpu = "cortex-m4f", *, timeout_s: float = 120.0
) -> QemuRun:
    """Run every row of `inputs` (n, bytes) through the image on QEMU's machine for `cpu`.

    Raises ToolError when QEMU is missing or ends, DeviceError when the image does not answer in
    `timeout_s` or wants inputs of another size.
    """
    machine = MACHINES[port_for(cpu)]
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = _start(machine, elf, server.getsockname()[1])
        try:
            with _accept(server, process, timeout_s) as link:
                link.settimeout(timeout_s)
                return _exchange(link, inputs)
        except TimeoutError as exc:
            raise DeviceError(
                f"{elf} did not answer on {machine.tool} in {timeout_s:.0f} s"
            ) from exc
        except OSError as exc:
            raise ToolError(f"{machine.tool} ended while it ran {elf}: {exc}") from exc
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait()


def _start(machine: Machine, elf: Path, port: int) -> subprocess.Popen[bytes]:
    """Start QEMU, which connects its serial line to `port`, under a guard."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "edgekit.virtual.guard"),
            *(*tools.require(machine.tool), *machine.arguments),
            *("-icount", f"shift={ICOUNT_SHIFT}"),
            *("-display", "none", "-monitor", "none"),
            *("-serial", f"tcp:127.0.0.1:{port}"),
            *("-kernel", str(elf)),
            *("-device", f"loader,addr={machine.request:#x},data={_MAGIC:#x},data-len=4"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _accept(
    server: socket.socket, process: subprocess.Popen[bytes], timeout_s: float
) -> socket.socket:
    server.settimeout(_POLL_S)
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            return server.accept()[0]
    if process.poll() is not None:
        raise ConnectionError(f"exit status {process.returncode}")
    raise TimeoutError


def _exchange(link: socket.socket, inputs: NDArray[np.int8]) -> QemuRun:
    magic, input_bytes, output_bytes = _GREETING.unpack(_receive(link, _GREETING.size))
    if magic != b"EKOR":
        raise DeviceError(f"the image greets with {magic!r}, not as an oracle")
    if inputs.ndim != 2 or inputs.shape[1] != input_bytes:
        raise DeviceError(f"the image takes {input_bytes} bytes, inputs have {inputs.shape}")
    outputs = np.empty((len(inputs), output_bytes), np.int8)
    instructions = np.empty(len(inputs), np.int64)
    for i, row in enumerate(inputs):
        link.sendall(row.tobytes())
        outputs[i] = np.frombuffer(_receive(link, output_bytes), np.int8)
        (instructions[i],) = _COUNT.unpack(_receive(link, _COUNT.size))
    return QemuRun(outputs, instructions)


def _receive(link: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = link.recv(size - len(data))
        if not piece:
            raise ConnectionError("the serial line was closed")
        data += piece
    return data
