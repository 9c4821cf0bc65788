"""The AXI shell in simulation around the network of test_core.v: pins, streams, a bus master."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pins import Pins, Ports, compile_bench
from stream_rules import Sender, Taker

CORE = Path(__file__).with_name("test_core.v")
IN_BEATS, IN_BYTES, OUT_BEATS, OUT_BYTES = 3, 5, 2, 3  # of test_core.v; bytes of a beat
IN_WORDS, OUT_WORDS = IN_BEATS * 2, OUT_BEATS * 1
SLOTS = 4
CLOCK_HZ = 50_000_000
BUILD_ID = bytes(range(16))
MODEL_HASH = bytes(range(16, 32))

INPUTS: Ports = (
    ("rst", 1),
    ("s_axi_awvalid", 1),
    ("s_axi_awaddr", 19),
    ("s_axi_wvalid", 1),
    ("s_axi_wdata", 32),
    ("s_axi_wstrb", 4),
    ("s_axi_bready", 1),
    ("s_axi_arvalid", 1),
    ("s_axi_araddr", 19),
    ("s_axi_rready", 1),
    ("s_axis_tvalid", 1),
    ("s_axis_tdata", 32),
    ("s_axis_tlast", 1),
    ("m_axis_tready", 1),
)
OUTPUTS: Ports = (
    ("s_axi_awready", 1),
    ("s_axi_wready", 1),
    ("s_axi_bvalid", 1),
    ("s_axi_bresp", 2),
    ("s_axi_arready", 1),
    ("s_axi_rvalid", 1),
    ("s_axi_rdata", 32),
    ("s_axi_rresp", 2),
    ("s_axis_tready", 1),
    ("m_axis_tvalid", 1),
    ("m_axis_tdata", 32),
    ("m_axis_tlast", 1),
)


def compile_shell(work: Path, simulator: Literal["iverilog", "verilator"] = "iverilog") -> Path:
    """Compile the shell around the test network."""
    parameters = {
        "IN_WIDTH": 8 * IN_BYTES,
        "IN_BEATS": IN_BEATS,
        "OUT_WIDTH": 8 * OUT_BYTES,
        "OUT_BEATS": OUT_BEATS,
        "SLOTS": SLOTS,
        "CLOCK_HZ": CLOCK_HZ,
        "BUILD_ID": f"128'h{int.from_bytes(BUILD_ID, 'little'):032x}",
        "MODEL_HASH": f"128'h{int.from_bytes(MODEL_HASH, 'little'):032x}",
    }
    return compile_bench("ek_axi_shell", parameters, INPUTS, OUTPUTS, work, [CORE], simulator)


def infer(kept: bytes, weight: int = 0) -> bytes:
    """Return what the test network answers, in Python: output bytes of its input bytes."""
    total = weight
    for beat in range(IN_BEATS):
        value = int.from_bytes(kept[beat * IN_BYTES : (beat + 1) * IN_BYTES], "little")
        total += (value & 0xFFFFFF) + (value >> 24)
    total &= 0xFFFFFF
    return b"".join(
        (total ^ (g * 0x010101)).to_bytes(OUT_BYTES, "little") for g in range(OUT_BEATS)
    )


def packet(kept: bytes) -> list[int]:
    """Return the words of one inference: each beat fills whole words."""
    words = []
    for beat in range(IN_BEATS):
        data = kept[beat * IN_BYTES : (beat + 1) * IN_BYTES] + bytes(3)
        words += [int.from_bytes(data[i : i + 4], "little") for i in (0, 4)]
    return words


class Shell:
    """The simulated shell with a bus master on its control port and peers on its streams."""

    def __init__(self, compiled: Path, seed: int = 1, rate: float = 0.6) -> None:
        rng = random.Random(seed)
        self.pins = Pins(compiled, INPUTS, OUTPUTS)
        self.aw = Sender("s_axi_aw", ("addr",), rng, rate)
        self.w = Sender("s_axi_w", ("data", "strb"), rng, rate)
        self.b = Taker("s_axi_b", ("resp",), rng, rate)
        self.ar = Sender("s_axi_ar", ("addr",), rng, rate)
        self.r = Taker("s_axi_r", ("data", "resp"), rng, rate)
        self.into = Sender("s_axis_t", ("data", "last"), rng, rate)
        self.out = Taker("m_axis_t", ("data", "last"), rng, rate)
        self._peers = (self.aw, self.w, self.b, self.ar, self.r, self.into, self.out)
        self.reset()

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *args: object) -> None:
        self.pins.__exit__(*args)

    def reset(self) -> None:
        """Reset everything, as after configuration."""
        for peer in self._peers:
            peer.reset()
        for _ in range(3):
            self.pins.clock(**{**dict.fromkeys(self.pins.now, 0), "rst": 1})
        self.pins.clock(rst=0)
        for _ in range(20):
            self.step()

    def step(self) -> None:
        """One clock of everybody."""
        inputs: dict[str, int] = {}
        for peer in self._peers:
            inputs.update(peer.drive())
        outputs = self.pins.clock(**inputs)
        for peer in self._peers:
            peer.see(outputs)

    def write(self, offset: int, value: int, strobe: int = 15) -> None:
        """Write a word over the bus and wait for the answer."""
        answers = len(self.b.taken)
        self.aw.queue.append((offset,))
        self.w.queue.append((value, strobe))
        self._until(lambda: len(self.b.taken) > answers)
        assert self.b.taken[-1] == (0,)

    def read(self, offset: int) -> int:
        """Read a word over the bus."""
        answers = len(self.r.taken)
        self.ar.queue.append((offset,))
        self._until(lambda: len(self.r.taken) > answers)
        value, response = self.r.taken[-1]
        assert response == 0
        return value

    def _until(self, done: Callable[[], bool], clocks: int = 2000) -> None:
        for _ in range(clocks):
            self.step()
            if done():
                return
        raise AssertionError("the bus does not answer")
