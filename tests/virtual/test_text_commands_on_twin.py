"""The MLPerf Tiny text commands of the real image on a twin, held to by a client of our own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from ee_client import EeClient, identification, measurement
from text_device import KEYWORD_MODEL, Device, build, keyword_inputs
from twin_host import SocketPort, connect, link_port, wait_ready

from edgekit.board import Board
from edgekit.device import session
from edgekit.device.link import Link
from edgekit.ir import edges
from edgekit.pipeline import stages
from edgekit.virtual import Faults, Twin, start_twin

pytestmark = [pytest.mark.virtual, pytest.mark.gcc]
SAMPLES = 20
NAME = ["m-name-dut-[edgekit]"]
TICK_US = 31  # of the time base, 32768 Hz
BYTE_US = 10e6 / 115200


@pytest.fixture(scope="session")
def digits(root: Path, board: Board, tmp_path_factory: pytest.TempPathFactory) -> Device:
    """The example network and held-out digits."""
    folder = root / "examples" / "digits"
    graph = stages.load(folder / "digits.onnx")
    with np.load(folder / "held_out.npz") as data:
        x = edges.quantize(graph.inputs[0], data["x"][:SAMPLES])
    flat = x.reshape(SAMPLES, -1).astype(np.int8)
    return build(folder / "digits.onnx", board, tmp_path_factory.mktemp("digits"), flat)


@pytest.fixture(scope="session")
def keywords(shared_data: Path, board: Board, tmp_path_factory: pytest.TempPathFactory) -> Device:
    """The keyword-spotting reference model under the name that the official runner knows."""
    work = tmp_path_factory.mktemp("kws01")
    model = work / "kws01.tflite"
    shutil.copy(shared_data / KEYWORD_MODEL, model)
    return build(model, board, work, keyword_inputs(shared_data, SAMPLES)[0])


@pytest.fixture(params=["digits", pytest.param("keywords", marks=pytest.mark.data)])
def device(request: pytest.FixtureRequest) -> Device:
    return request.getfixturevalue(request.param)


Started = Callable[..., AbstractContextManager[tuple[Twin, EeClient, SocketPort]]]


@pytest.fixture
def started(board: Board, cache: Path, tmp_path: Path) -> Started:
    @contextmanager
    def start(elf: Path, **options: object) -> Iterator[tuple[Twin, EeClient, SocketPort]]:
        """Yield a twin with a text client and a port on one connection."""
        with start_twin(elf, board, tmp_path / "twin", cache=cache, **options) as twin:
            if not options:
                wait_ready(twin)
            with connect(link_port(twin)) as sock:
                yield twin, EeClient(sock), SocketPort(sock)
            stats = twin.stats()
            assert stats["violations"] == []
            assert stats["fault"] is None

    return start


def test_the_official_sequence_gives_what_the_link_gives(device: Device, started: Started) -> None:
    with started(device.elf) as (_, client, port):
        client.identify(device.name)
        found = []
        for x in device.inputs:
            client.load(x.tobytes())
            found.append(client.infer(1, 0))
        client.quiet(0.2)
        outputs = session.run_samples(port, device.inputs).outputs
    sequence = b"".join(measurement(x.tobytes(), 1, 0) for x in device.inputs)
    assert bytes(client.sent) == identification() + sequence
    np.testing.assert_array_equal(outputs, device.expected())
    edge = device.graph.outputs[0]
    for inference, output in zip(found, outputs.astype(int), strict=True):
        assert inference.top1 == output.argmax()
        real = edge.scale * (output - edge.zero_point)
        np.testing.assert_allclose(inference.results, real, rtol=0, atol=0.000501)


def test_performance_sequence_measures_virtual_time(digits: Device, started: Started) -> None:
    laps: list[int] = []
    with started(digits.elf) as (twin, client, _):
        client.identify(digits.name)
        cycles = twin.counts().cycles_hi
        for x in digits.inputs[:5]:
            client.load(x.tobytes())
            inference = client.infer(70, 10)
            assert client.results() == inference.results
            laps += [inference.start_us, inference.stop_us, client.timestamp()]
            elapsed_us = inference.stop_us - inference.start_us
            # What is between the stamps besides the model: the first one's own line on the wire.
            assert 0 <= elapsed_us - 70 * cycles / 120 < 3500
    assert laps == sorted(set(laps))


def test_frames_and_text_take_turns_on_one_connection(digits: Device, started: Started) -> None:
    sessions = []
    want = digits.expected().argmax(axis=1)
    with started(digits.elf) as (_, client, port):
        link = Link(port)
        for turn in range(3):
            client.wants("name", NAME)
            sessions.append(link.connect().session)
            outputs = session.run_samples(port, digits.inputs[:2]).outputs
            np.testing.assert_array_equal(outputs.argmax(axis=1), want[:2])
            sessions.append(link.connect().session)
            link.bye()
            client.load(digits.inputs[turn].tobytes())  # at once, without two seconds of quiet
            assert client.infer(1, 0).top1 == want[turn]
            client.wants("nonsense", ["e-[Unknown command: nonsense]"])
        link.connect()
        client.quiet(4.2)  # a host that went away without BYE
        client.wants("name", NAME)
        assert link.connect().boot_count == 1
    assert len(set(sessions)) == len(sessions)


def test_time_goes_on_beyond_32_bits(digits: Device, started: Started) -> None:
    with started(digits.elf) as (_, client, port):
        link = Link(port)
        client.load(digits.inputs[0].tobytes())
        before = client.infer(20, 0)
        link.connect()
        run = session.energy_run(link, digits.inputs, 2, 2_200_000_000)  # asleep most of the time
        run.start()
        stats = None
        while stats is None:
            stats = run.poll(0.5)
        link.bye()
        assert stats.t_us > 2**32
        client.load(digits.inputs[0].tobytes())
        stamps = [client.timestamp() for _ in range(3)]
        after = client.infer(20, 0)
    assert 2**32 < stamps[0] < stamps[1] < stamps[2] < after.start_us < after.stop_us
    # The first stamp's digits are sent within the time that is measured.
    took = [i.stop_us - i.start_us - BYTE_US * len(str(i.start_us)) for i in (before, after)]
    assert abs(took[0] - took[1]) <= 2 * TICK_US
    assert before.results == after.results


def test_a_banner_after_the_port_was_opened_costs_one_answer(
    digits: Device, started: Started
) -> None:
    with started(digits.elf, faults=Faults(late_banner_s=0.3)) as (twin, client, _):
        lines = client.command("name")  # while the board is off
        assert lines[0] == "m-timestamp-mode-performance"
        assert lines[2:] == ["m-init-done"]
        client.wants("name", NAME)
        twin.control("reset")
        assert client.banner() < 10_000
        client.identify(digits.name)
        client.quiet(0.2)


def test_in_real_time_an_inference_takes_no_less_than_its_time(
    digits: Device, started: Started
) -> None:
    with started(digits.elf, real_time=True) as (twin, client, _):
        client.banner()
        client.load(digits.inputs[0].tobytes())
        begin = time.monotonic()
        inference = client.infer(400, 0)
        took_us = (time.monotonic() - begin) * 1e6
        modelled_us = 400 * twin.counts().cycles_hi / 120
    assert took_us >= modelled_us
    assert inference.stop_us - inference.start_us >= modelled_us - TICK_US
