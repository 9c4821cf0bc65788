"""The PPK2 emulator as a process: started, addressed, and surely ended."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from edgekit.board import PoweredPoint
from edgekit.errors import DeviceError
from edgekit.virtual.ppk2_emulator.device import SAMPLES_PER_S, Faults

_END_S = 5.0
_ANSWER_S = 180.0  # a pause of a minute that the twin skipped is millions of samples


@dataclass(frozen=True, slots=True)
class VirtualMeter:
    """Where the emulator is. `url` opens it; `clock` is the time that it samples in."""

    url: str
    pty: str | None
    clock: VirtualClock


class VirtualClock:
    """A virtual meter's own time, asked of it after the stream has ended."""

    slack_samples = 0  # the emulator knows exactly how many samples it has taken

    def __init__(self, control_port: int) -> None:
        self._control_port = control_port

    def start(self) -> None:
        """Wait until the start command has taken effect: what the twin does next is sampled."""
        self._wait_for(streaming=True)

    def stop(self) -> None:
        """Wait until the stop command has taken effect."""
        self._wait_for(streaming=False)

    def tail_waits(self) -> bool:
        """Say whether samples are still queued: on a busy machine the emulator may be late."""
        return int(self._ask()["queued_bytes"]) > 0

    def sampled_s(self) -> float:
        """Return the virtual seconds sampled, lost samples included."""
        return int(self._ask()["sampled"]) / SAMPLES_PER_S

    def _wait_for(self, *, streaming: bool) -> None:
        deadline = time.monotonic() + _ANSWER_S
        while bool(self._ask()["streaming"]) != streaming:
            if time.monotonic() > deadline:
                raise DeviceError("the virtual meter does not obey its start or stop command")
            time.sleep(0.002)

    def _ask(self) -> dict[str, int]:
        try:
            with socket.create_connection(("127.0.0.1", self._control_port), _ANSWER_S) as control:
                control.sendall(b'{"op": "time"}\n')
                with control.makefile("rb") as answer:
                    reply: dict[str, int] = json.loads(answer.readline())
        except (OSError, ValueError) as exc:
            raise DeviceError(f"the virtual meter does not answer: {exc}") from exc
        return reply


@contextmanager
def start_meter(
    point: PoweredPoint,
    state_port: int,
    *,
    faults: Faults | None = None,
    seed: int = 1,
    noise: float = 0.002,
    pty: bool = False,
) -> Iterator[VirtualMeter]:
    """Run a PPK2 emulator on the states of a twin; it ends with the block, come what may.

    Args:
        point: what each state draws.
        state_port: the twin's state stream on 127.0.0.1.
        faults: what goes wrong on purpose.
        seed: of the noise.
        noise: of the current, one sigma per sample.
        pty: serve a pseudo-terminal instead of TCP, for clients that insist on one.

    Raises DeviceError where it does not start.
    """
    current = {
        "run": point.run_ua.value,
        "idle": point.idle_ua.value,
        "sleep": point.sleep_ua.value,
        "off": 0.0,
    }
    argv = [sys.executable, "-m", "edgekit.virtual.ppk2_emulator"]
    argv += ["--states", f"127.0.0.1:{state_port}", "--current", json.dumps(current)]
    argv += ["--faults", json.dumps(asdict(faults or Faults()))]
    argv += ["--seed", str(seed), "--noise", str(noise)] + (["--pty"] if pty else [])
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the parent, which then ends this in order
    )
    try:
        yield _meter(process)
    finally:
        _end(process)


def _meter(process: subprocess.Popen[bytes]) -> VirtualMeter:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        errors = process.stderr.read() if process.stderr else b""
        raise DeviceError(
            f"the virtual meter did not start: {errors.decode(errors='replace')[-400:]}"
        )
    where = json.loads(line)
    pty = where["pty"]
    address = pty or f"socket://127.0.0.1:{where['port']}"
    return VirtualMeter(f"ppk2:{address}", pty, VirtualClock(int(where["control_port"])))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close its standard input, which ends it; kill it where that does not."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
