"""The whole way to a board over ssh: copied, loaded, self-tested, run; the RTL is simulated."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from axi_shell_sim import BUILD_ID, CLOCK_HZ, SLOTS, infer
from board_tree import BASE, KEPT, WEIGHT, WIRE_BYTES, BoardTree, make_bundle
from ssh_server import SshServer, Wire

from edgekit.device import ssh
from edgekit.device.agent.registers import RESULT_OFFSET
from edgekit.device.agent_file import agent_file
from edgekit.device.layout import Cap, Command, Kind
from edgekit.device.link import Link
from edgekit.device.session import energy_run, run_samples
from edgekit.device.ssh import Remote, SshError
from edgekit.device.ssh_deploy import Deployed, deploy_bundle
from edgekit.device.ssh_port import AGENT, HOME, SshPort
from edgekit.errors import DeviceError
from edgekit.target.fpga.bitstream import parse_bit, to_bin

pytestmark = [pytest.mark.sshd, pytest.mark.iverilog]

URL = "ssh://board"


def expected(inputs: np.ndarray) -> np.ndarray:
    """What the network answers to wire inputs, int8 [n, bytes]."""
    rows = [infer(bytes(row.view(np.uint8)[list(KEPT)]), WEIGHT) for row in inputs]
    return np.array([np.frombuffer(row, np.int8) for row in rows])


def samples(count: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(-128, 128, (count, WIRE_BYTES), np.int8)


def install(sshd: SshServer, board: BoardTree, work: Path) -> None:
    """Leave on the board what a deployment leaves, without its connections."""
    bundle = make_bundle(work)
    place = sshd.home / HOME / BUILD_ID.hex()
    shutil.copytree(bundle.directory, place)
    with zipfile.ZipFile(io.BytesIO(agent_file())) as archive:
        archive.extractall(sshd.home / AGENT)
    board.make_device()
    current = {
        "bundle": str(place),
        "window": str(board.root / "dev/uio3"),
        "manager": str(board.manager),
    }
    (sshd.home / HOME / "current.json").write_text(json.dumps(current))


class Watched:
    """A port that does something at its n-th read."""

    def __init__(self, port: SshPort, reads: int, action: Callable[[], None]) -> None:
        self.name = port.name
        self._port, self._left, self._action = port, reads, action

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def read(self, timeout_s: float) -> bytes:
        self._left -= 1
        if self._left == 0:
            self._action()
        return self._port.read(timeout_s)

    def close(self) -> None:
        self._port.close()


def test_a_deployed_board_answers_as_the_model_does(
    sshd: SshServer, board: BoardTree, tmp_path: Path, sent: list[int]
) -> None:
    bundle = make_bundle(tmp_path)
    remote = Remote("board", config=sshd.config)
    deployed = deploy_bundle(remote, bundle, root=str(board.root))
    assert deployed == Deployed(str(board.root / "dev/uio3"), CLOCK_HZ)
    check_loaded(sshd, board, tmp_path)
    assert any(sent)
    sent.clear()
    assert deploy_bundle(remote, bundle, root=str(board.root)) == deployed
    assert not any(sent)  # everything is there
    port = SshPort(URL, sshd.config)
    try:
        inputs = samples(12)
        run = run_samples(port, inputs, expected=BUILD_ID.hex())
        np.testing.assert_array_equal(run.outputs, expected(inputs))
        assert run.hello.kind == Kind.VIRTUAL  # it is a simulation, and says so
        assert run.hello.clock_hz == CLOCK_HZ
        assert run.hello.caps == Cap.STORE | Cap.RUN | Cap.CYCLES | Cap.SHA256
        assert set(run.cycles) == {run.hello.cold_cycles}
        link = Link(port)
        link.connect()
        energy = energy_run(link, inputs[:SLOTS], 20, 4)
        energy.start()
        stats = None
        while stats is None:
            stats = energy.poll(0.1)
        assert (stats.n, stats.missed, stats.t_us) == (20, 0, 80)
        assert stats.cycles_sum == 20 * run.hello.cold_cycles
        link.bye()
    finally:
        port.close()


def check_loaded(sshd: SshServer, board: BoardTree, work: Path) -> None:
    """The loader did what the kernel wants, and nothing else as root."""
    name = f"edgekit-{BUILD_ID.hex()[:16]}.bin"
    assert (board.manager / "firmware").read_text() == name
    assert (board.manager / "flags").read_text() == "0"
    bitstream = parse_bit((work / "x.bit").read_bytes(), "x.bit")
    assert (board.root / "lib/firmware" / name).read_bytes() == to_bin(bitstream)
    divisors = board.slcr(0x170)
    assert CLOCK_HZ * (divisors >> 8 & 0x3F) * (divisors >> 20 & 0x3F) == 50_000_000 * 20
    assert board.slcr(0x178) & 1 == 0
    assert board.slcr(0x240) & 1 == 0
    asked = (sshd.home / "sudo.log").read_text().splitlines()
    assert len(asked) == 1
    assert " load " in asked[0]
    overlay = (board.overlays / "edgekit/dtbo").read_bytes()
    assert BASE.to_bytes(4, "big") in overlay


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes given to each command over ssh from here on."""
    counts: list[int] = []
    real = Remote.run

    def spy(self: Remote, command: str, *, given: bytes = b"", timeout_s: float = 60.0) -> ssh.Done:
        counts.append(len(given))
        return real(self, command, given=given, timeout_s=timeout_s)

    monkeypatch.setattr(Remote, "run", spy)
    return counts


def test_a_connection_that_drops_in_the_middle_costs_nothing_but_time(
    sshd: SshServer, wire: Wire, board: BoardTree, tmp_path: Path
) -> None:
    install(sshd, board, tmp_path)
    inputs = samples(12, seed=2)
    port = SshPort(URL, sshd.client_config("wire", port=wire.port))
    try:
        run = run_samples(Watched(port, 8, wire.cut), inputs, expected=BUILD_ID.hex())
    finally:
        port.close()
    np.testing.assert_array_equal(run.outputs, expected(inputs))
    assert wire.connections == 2
    assert run.link_stats["host_sessions"] == 2


def test_a_board_that_is_gone_for_good_leaves_the_outputs_so_far(
    sshd: SshServer, wire: Wire, board: BoardTree, tmp_path: Path
) -> None:
    install(sshd, board, tmp_path)
    inputs = samples(20, seed=3)
    port = SshPort(URL, sshd.client_config("wire", port=wire.port))
    with pytest.raises(DeviceError, match=r"cannot be reached.*of 20 outputs are kept in"):
        run_samples(Watched(port, 12, wire.close), inputs, journal=tmp_path / "journal")
    port.close()
    again = SshPort(URL, sshd.config)
    try:
        run = run_samples(again, inputs, journal=tmp_path / "journal")
    finally:
        again.close()
    np.testing.assert_array_equal(run.outputs, expected(inputs))


@pytest.mark.nightly
def test_a_connection_that_falls_silent_is_noticed_and_begun_anew(
    sshd: SshServer,
    wire: Wire,
    board: BoardTree,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(sshd, board, tmp_path)
    monkeypatch.setattr(ssh, "ALIVE_S", 1)
    monkeypatch.setattr(ssh, "ALIVE_COUNT", 1)
    port = SshPort(URL, sshd.client_config("wire", port=wire.port))
    inputs = samples(12, seed=4)
    try:
        mute = Watched(port, 8, lambda: wire.silent.add(1))
        run = run_samples(mute, inputs, expected=BUILD_ID.hex())
    finally:
        port.close()
    np.testing.assert_array_equal(run.outputs, expected(inputs))
    assert wire.connections == 2


def test_a_second_host_takes_the_board_over_and_the_first_is_told(
    sshd: SshServer, board: BoardTree, tmp_path: Path
) -> None:
    install(sshd, board, tmp_path)
    ports = [SshPort(URL, sshd.config)]
    try:
        link = Link(ports[0])
        link.connect()
        ports.append(SshPort(URL, sshd.config))
        assert Link(ports[1]).connect().build_id == BUILD_ID
        with pytest.raises(DeviceError, match="another host took the board over"):
            link.request(Command.STATS)
        assert Link(ports[1]).connect().build_id == BUILD_ID
    finally:
        for port in ports:
            port.close()


def test_a_loopback_that_changes_a_bit_stops_before_the_first_inference(
    sshd: SshServer, board: BoardTree, tmp_path: Path
) -> None:
    install(sshd, board, tmp_path)
    board.corrupt = lambda offset, value: value ^ (0x100 if offset == RESULT_OFFSET + 8 else 0)
    port = SshPort(URL, sshd.config)
    with pytest.raises(
        DeviceError, match=r"loopback self-test failed: word 2 of pattern 0 was 0x0"
    ):
        Link(port).connect()
    port.close()


def test_another_bitstream_is_not_talked_to(
    sshd: SshServer, board: BoardTree, tmp_path: Path
) -> None:
    install(sshd, board, tmp_path)
    board.corrupt = lambda offset, value: value ^ (1 if offset == 0x10 else 0)
    port = SshPort(URL, sshd.config)
    with pytest.raises(
        DeviceError, match="the bitstream's build is 01010203…, the manifest's 0001"
    ):
        Link(port).connect()
    port.close()


def test_logic_without_a_bitstream_is_not_touched(
    sshd: SshServer, board: BoardTree, tmp_path: Path
) -> None:
    install(sshd, board, tmp_path)
    (board.manager / "state").write_text("unknown\n")
    port = SshPort(URL, sshd.config)
    with pytest.raises(
        DeviceError, match="the FPGA manager says 'unknown': no bitstream is loaded"
    ):
        Link(port).connect()
    port.close()


def test_a_board_without_the_agent_says_so(sshd: SshServer) -> None:
    port = SshPort(URL, sshd.config)
    with pytest.raises(DeviceError, match="edgekit's agent is not on the board"):
        Link(port).connect()
    port.close()


@pytest.mark.parametrize(
    ("config", "cause"),
    [
        ({"port": 1}, "REFUSED"),
        ({"key": "stranger"}, "LOGIN"),
        ({"hosts": ""}, "HOST_KEY"),
        ({"hosts": "stranger"}, "HOST_KEY"),
    ],
)
def test_a_machine_that_does_not_let_us_in_is_named_with_the_cause(
    sshd: SshServer, config: dict[str, object], cause: str
) -> None:
    given: dict[str, object] = {"port": sshd.port} | config
    if given.get("hosts") == "stranger":
        given["hosts"] = (sshd.work / "stranger.pub").read_text()
    remote = Remote("board", config=sshd.client_config("bad", **given))  # type: ignore[arg-type]
    with pytest.raises(SshError) as caught:
        remote.check("true", "do nothing")
    assert caught.value.cause == cause
    assert caught.value.hint
    port = SshPort(URL, remote.config)
    with pytest.raises(SshError) as caught:
        Link(port).connect()
    assert caught.value.cause == cause
    port.close()


def test_a_name_nobody_knows_is_unreachable(sshd: SshServer) -> None:
    with pytest.raises(SshError) as caught:
        Remote("nobody.invalid", config=sshd.config).check("true", "do nothing")
    assert caught.value.cause == "UNREACHABLE"


def test_a_server_that_never_greets_is_given_up(
    sshd: SshServer, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "CONNECT_S", 1)
    wire.silent.add(1)
    config = sshd.client_config("silent", port=wire.port)
    with pytest.raises(SshError) as caught:
        Remote("board", config=config).check("true", "do nothing")
    assert caught.value.cause == "UNREACHABLE"


def test_a_command_that_does_not_end_is_killed(sshd: SshServer) -> None:
    remote = Remote("board", config=sshd.config)
    with pytest.raises(SshError, match=r"sleep 60 did not end within 0\.5 s"):
        remote.check("sleep 60", "sleep", timeout_s=0.5)


def test_a_copy_goes_on_where_it_broke_off(sshd: SshServer, sent: list[int]) -> None:
    remote = Remote("board", config=sshd.config)
    data = random.Random(1).randbytes(200_000)
    digest = hashlib.sha256(data).hexdigest()
    partial = sshd.home / f"file.{digest[:16]}.part"
    partial.write_bytes(data[:150_000])
    remote.put({"file": data})
    assert sum(sent) == 50_000
    assert (sshd.home / "file").read_bytes() == data
    (sshd.home / "file").unlink()
    partial.write_bytes(b"\1" + data[1:150_000])  # damaged: it is sent again, whole
    remote.put({"file": data})
    assert sum(sent) == 50_000 + 50_000 + 200_000
    assert (sshd.home / "file").read_bytes() == data
    assert not partial.exists()


def test_a_full_disk_is_named_and_leaves_no_file(sshd: SshServer) -> None:
    remote = Remote("board", config=sshd.config)
    data = bytes(100_000)
    digest = hashlib.sha256(data).hexdigest()
    (sshd.home / f"file.{digest[:16]}.part").symlink_to("/dev/full")
    with pytest.raises(SshError, match=r"could not take file: .*No space left on device") as caught:
        remote.put({"file": data})
    assert caught.value.cause == "DISK_FULL"
    assert not (sshd.home / "file").exists()
