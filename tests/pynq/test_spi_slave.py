"""The SPI slave in simulation: both directions at once, pauses, clipped bytes and lost ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from pins import Pins, compile_bench
from stream_rules import Sender, Taker

pytestmark = pytest.mark.iverilog

INPUTS = (
    ("rst", 1),
    ("sck", 1),
    ("cs_n", 1),
    ("mosi", 1),
    ("rx_ready", 1),
    ("tx_valid", 1),
    ("tx_data", 8),
)
OUTPUTS = (
    ("miso", 1),
    ("miso_en", 1),
    ("rx_valid", 1),
    ("rx_data", 8),
    ("tx_ready", 1),
    ("overrun", 1),
)


class Spi:
    """A master at an eighth of the clock, and the streams behind the slave."""

    def __init__(self, compiled: Path, rate: float = 1.0) -> None:
        rng = random.Random(1)
        self.pins = Pins(compiled, INPUTS, OUTPUTS)
        self.rx = Taker("rx_", ("data",), rng, rate)
        self.tx = Sender("tx_", ("data",), rng, 1.0)
        self.overruns = 0
        self.pins.clock(rst=1, cs_n=1)
        self.step(4, rst=0)

    def __enter__(self) -> Spi:
        return self

    def __exit__(self, *args: object) -> None:
        self.pins.__exit__(*args)

    def step(self, clocks: int, **changes: int) -> dict[str, int]:
        outputs = {}
        for _ in range(clocks):
            outputs = self.pins.clock(**self.rx.drive(), **self.tx.drive(), **changes)
            self.rx.see(outputs)
            self.tx.see(outputs)
            self.overruns += outputs["overrun"]
        return outputs

    def transfer(self, data: bytes, bits: int | None = None) -> bytes:
        """Clock `data` out with the chip selected, and return what came in."""
        self.step(8, cs_n=0)
        came, wanted = 0, 8 * len(data) if bits is None else bits
        for i in range(wanted):
            bit = data[i // 8] >> (7 - i % 8) & 1
            outputs = self.step(4, sck=0, mosi=bit)
            assert outputs["miso_en"]
            came = came << 1 | outputs["miso"]
            self.step(4, sck=1)
        self.step(4, sck=0)
        outputs = self.step(8, cs_n=1)
        assert not outputs["miso_en"]
        return came.to_bytes(-(-wanted // 8), "big") if wanted % 8 == 0 else b""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("spi")
    return compile_bench("ek_spi_slave", {}, INPUTS, OUTPUTS, work)


@pytest.fixture
def spi(compiled: Path) -> Iterator[Spi]:
    with Spi(compiled) as running:
        yield running


def test_bytes_go_both_ways_at_once(spi: Spi) -> None:
    rng = random.Random(2)
    out, back = rng.randbytes(40), rng.randbytes(40)
    spi.tx.queue.extend((b,) for b in back)
    came = b"".join(spi.transfer(out[i : i + 8]) for i in range(0, 40, 8))
    assert came == back
    assert bytes(b for (b,) in spi.rx.taken) == out
    assert spi.overruns == 0


def test_nothing_to_send_is_sent_as_zeros_and_loses_nothing(spi: Spi) -> None:
    assert spi.transfer(b"ab") == b"\0\0"
    spi.tx.queue.extend((b,) for b in b"xyz")
    assert spi.transfer(b"c") == b"x"
    assert spi.transfer(b"def") == b"yz\0"
    assert bytes(b for (b,) in spi.rx.taken) == b"abcdef"


def test_a_byte_that_breaks_off_is_dropped_and_the_next_is_whole(spi: Spi) -> None:
    spi.tx.queue.extend((b,) for b in b"pqr")
    spi.transfer(b"\xff", bits=5)
    assert spi.transfer(b"ok") == b"qr"
    assert bytes(b for (b,) in spi.rx.taken) == b"ok"


def test_selecting_without_a_clock_takes_nothing(spi: Spi) -> None:
    spi.tx.queue.append((0x5A,))
    spi.transfer(b"")
    assert spi.transfer(b"!") == b"Z"


def test_a_byte_nobody_takes_costs_the_next_one(compiled: Path) -> None:
    with Spi(compiled, rate=0.0) as spi:
        spi.transfer(b"12")
        assert spi.overruns == 1
        spi.rx.rate = 1.0
        spi.step(3)
        spi.transfer(b"3")
        assert bytes(b for (b,) in spi.rx.taken) == b"13"


def test_a_reset_in_the_middle_of_a_byte_leaves_no_bits(spi: Spi) -> None:
    spi.transfer(b"\xff", bits=3)
    spi.pins.clock(rst=1)
    spi.step(4, rst=0)
    spi.transfer(b"A")
    assert bytes(b for (b,) in spi.rx.taken) == b"A"
