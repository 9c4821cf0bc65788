"""The part of an FPGA design that is the same for every network: link, store, runs, sleep, pads.

`wrap` returns the blocks of fpga/rtl that do it and two generated modules: `ek_board` is `ek_shell`
around `ek_core` with every parameter set, and what a simulator runs; `ek_top` adds the clock and
the pads of the part. docs/fpga/link.md describes the parts and what they cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, assert_never

import numpy as np

from edgekit._data import data_dir
from edgekit.errors import ConfigError, UnsupportedError
from edgekit.target.fpga.core import Core, Resources

ShellFamily = Literal["ice40", "ecp5", "gowin"]
Clock = Literal["internal", "pin"]

TOP = "ek_top"
BOARD = "ek_board"
BUILD_ID = PurePosixPath("rtl/ek_build_id.vh")
BLOCKS = (
    "ek_clock",
    "ek_crc32",
    "ek_frame_rx",
    "ek_frame_tx",
    "ek_link",
    "ek_link_program",
    "ek_mark",
    "ek_result",
    "ek_run",
    "ek_sequencer",
    "ek_shell",
    "ek_store",
    "ek_uart_rx",
    "ek_uart_tx",
    "ek_widen",
)
_LINK_BLOCKS = 12  # block RAMs of the link's processor
STORE_BLOCKS = 4  # for stored inputs, unless more are offered
_BLOCK_BITS, _BLOCK_WORDS = 16, 256  # of one block RAM
_SLOTS = 64  # stored inputs wanted: a metered window runs that many different ones
_NAME_BYTES = 64
_DIV_MIN = 8
# How much longer than its inferences a mark is on the pin: three samples of a meter at 100 kHz.
MARK_US = 32
_BAUD_ERROR = 0.02
_HFOSC_MHZ = (48, 24, 12, 6)

# What all this takes around a network of 64 input bits and one output byte (iCE40, yosys 0.23:
# docs/fpga/link.md has the command) with the stretched mark, and with STORE_BLOCKS.
RESOURCES = Resources(lut=1170, ff=620, carry=274, bram=_LINK_BLOCKS + STORE_BLOCKS, spram=0, dsp=0)


@dataclass(frozen=True, slots=True)
class ShellFacts:
    """What HELLO says, and what the pads need.

    `pins` maps rx, tx, mark and, with `clock` "pin", clk to the package's pins. `input_bytes` are
    the wire bytes of the network's input. `store_blocks` are the block RAMs of 4 kbit that the
    store of inputs may take.
    """

    family: ShellFamily
    clock: Clock
    clock_hz: int
    baud: int
    pins: Mapping[str, str]
    board: str
    model_hash: bytes
    input_bytes: int
    nodes: int = 0
    name: str = ""
    output_zero_point: int = 0
    output_scale: float = 0.0
    store_blocks: int = STORE_BLOCKS


@dataclass(frozen=True, slots=True)
class Store:
    """How inputs are kept: bits of a word, words of an input, inputs.

    `loops` (count, words apart) is the nest, innermost first, in which the words come over the
    wire; empty where they come as they are read.
    """

    width: int
    words: int
    slots: int
    loops: tuple[tuple[int, int], ...] = ()


def pins_of(facts: ShellFacts) -> dict[str, str]:
    """Return the pin of each port of `ek_top`; ConfigError names one that the board lacks."""
    ports = ("rx", "tx", "mark", "clk") if facts.clock == "pin" else ("rx", "tx", "mark")
    missing = [port for port in ports if port not in facts.pins]
    if missing:
        raise ConfigError(
            f"the board {facts.board} names no pin for {', '.join(missing)}",
            hint="add it to `pins` of the board's file",
        )
    return {port: facts.pins[port] for port in ports}


def build_id(digest: str) -> bytes:
    """Return `rtl/ek_build_id.vh`; `digest` is of all other files, 32 hexadecimal digits."""
    return (
        "// Says which files and commands made this design.\n"
        f"`define EK_BUILD_ID {_vector(bytes.fromhex(digest), 16)}\n"
    ).encode()


def wrap(core: Core, facts: ShellFacts) -> dict[PurePosixPath, bytes]:
    """Return the files of everything around `core` but `rtl/ek_build_id.vh`.

    Raises UnsupportedError for a network that the link cannot serve, and ConfigError for a clock
    or a baud rate that the part cannot make.
    """
    rtl = data_dir("fpga") / "rtl"
    files = {PurePosixPath(f"rtl/{stem}.v"): (rtl / f"{stem}.v").read_bytes() for stem in BLOCKS}
    files[PurePosixPath(f"rtl/{BOARD}.v")] = _board(core, facts).encode()
    files[PurePosixPath(f"rtl/{TOP}.v")] = _top(facts).encode()
    return files


def store(core: Core, facts: ShellFacts) -> Store:
    """Return how inputs are stored: as wide as a beat if the block RAMs allow, 64 if they fit.

    Raises DoesNotFitError's ground, an UnsupportedError, when not even one input fits.
    """
    beat_bytes = core.in_width // 8
    total = beat_bytes * core.in_beats
    best: Store | None = None
    for size in range(1, beat_bytes + 1):
        nest = None if beat_bytes % size else _nest(core, size)
        if nest is None:
            continue
        lanes = -(-size * 8 // _BLOCK_BITS)
        depth = (_BLOCK_WORDS * _BLOCK_BITS // 8 if size == 1 else _BLOCK_WORDS) * (
            facts.store_blocks // lanes
        )
        words = total // size
        slots = depth // words - 1
        if slots >= 1 and (best is None or min(slots, _SLOTS) >= min(best.slots, _SLOTS)):
            best = Store(8 * size, words, min(slots, 4 * _SLOTS), nest)
    if best is None and _nest(core, 1) is None:
        raise UnsupportedError(
            f"the network takes its {facts.input_bytes} input bytes in another order than they "
            "come",
            hint="transpose the input in front of the model",
        )
    if best is None:
        raise UnsupportedError(
            f"two inputs of {total} bytes do not fit into {facts.store_blocks} block RAMs",
            hint="a smaller input, or a part with more block RAM",
        )
    return best


def _nest(core: Core, size: int) -> tuple[tuple[int, int], ...] | None:
    """Return the loops in which words of `size` bytes come over the wire, innermost first.

    None where bytes of a word come apart, or in an order that is no nest of loops. A word's place
    is a sum over the loops of round times distance: what reshaping and transposing lead to.
    """
    if list(core.kept_bytes) == sorted(core.kept_bytes):
        return ()
    if len(core.kept_bytes) % size:
        return None
    places = np.argsort(np.asarray(core.kept_bytes, np.int64))
    pieces = places.reshape(-1, size)
    if np.any(pieces != pieces[:, :1] + np.arange(size)) or np.any(pieces[:, 0] % size):
        return None
    left = pieces[:, 0] // size
    loops = []
    while left.size > 1:
        steps = np.diff(left)
        other = np.flatnonzero(steps != steps[0])
        count = int(other[0]) + 1 if other.size else left.size
        rounds = left.reshape(-1, count) if left.size % count == 0 else None
        if rounds is None or np.any(rounds != rounds[:, :1] + steps[0] * np.arange(count)):
            return None
        loops.append((count, int(steps[0])))
        left = rounds[:, 0]
    return tuple(loops) if left[0] == 0 else None


def _loops(kept: Store) -> dict[str, str]:
    """Return the store's parameters for its nest of loops."""
    if not kept.loops:
        return {}
    jumps, back = [], 0  # from a loop's last round to its first
    for count, apart in kept.loops:
        jumps.append(apart - back)
        back += (count - 1) * apart
    jumps.append(kept.words - back)
    counts = [count for count, _ in kept.loops]
    return {
        "LOOPS": _number(len(counts)),
        "COUNTS": _vector(np.array([*counts, 0], "<u2").tobytes(), 2 * len(jumps)),
        "JUMPS": _vector(np.array(jumps, "<i2").tobytes(), 2 * len(jumps)),
    }


def _board(core: Core, facts: ShellFacts) -> str:
    rows = ",\n".join(
        f"        .{name}({value})" for name, value in _parameters(core, facts).items()
    )
    return f"""\
// The network and what is around it on {facts.board}, without clock source and pads. A simulator
// runs this module; `slow_clk` is 10 kHz, and `clk` is wanted while `awake` is high.
`include "{BUILD_ID.name}"
`default_nettype none

module {BOARD} (
    input  wire clk,
    input  wire slow_clk,
    input  wire rst,
    input  wire twin,
    input  wire [23:0] skip,
    output wire [23:0] ahead,
    input  wire rx,
    output wire tx,
    output wire mark,
    output wire awake,
    output wire running,
    output wire idle
);
    ek_shell #(
{rows}
    ) u_shell (
        .clk(clk), .slow_clk(slow_clk), .rst(rst), .twin(twin), .skip(skip),
        .ahead(ahead), .rx(rx), .tx(tx), .mark(mark), .awake(awake), .running(running), .idle(idle)
    );
endmodule
`default_nettype wire
"""


def _parameters(core: Core, facts: ShellFacts) -> dict[str, str]:
    kept = store(core, facts)
    return {
        "IN_WIDTH": _number(core.in_width),
        "IN_BEATS": _number(core.in_beats),
        "OUT_WIDTH": _number(core.out_width),
        "OUT_BEATS": _number(core.out_beats),
        "INPUT_BYTES": _number(facts.input_bytes),
        "OUTPUT_BYTES": _number(core.out_width // 8 * core.out_beats),
        "KEEP": _keep(core, facts.input_bytes),
        "STORE_WIDTH": _number(kept.width),
        "SLOTS": _number(kept.slots),
        **_loops(kept),
        "WEIGHT_BYTES": _number(_weight_bytes(core)),
        "CYCLE_BITS": _number(min(24, max(8, (4 * core.latency_cycles).bit_length()))),
        "CLOCK_MHZ": _number(_mhz(facts)),
        "DIV": _number(_div(facts)),
        "SLEEPS": _number(int(facts.family == "ice40")),
        "NODES": _number(facts.nodes),
        "BAUD": _number(facts.baud),
        "BUILD_ID": "`EK_BUILD_ID",
        "MODEL_HASH": _vector(facts.model_hash, 16),
        "BOARD": _vector(facts.board.encode()[:23], 24),
        "OUTPUT_ZERO_POINT": f"32'h{facts.output_zero_point & 0xFFFFFFFF:08X}",
        "OUTPUT_SCALE_NANO": _number(min(round(facts.output_scale * 1e9), 0xFFFFFFFF)),
        "NAME_BYTES": _number(len(facts.name.encode()[:_NAME_BYTES])),
        "NAME": _vector(facts.name.encode()[:_NAME_BYTES], _NAME_BYTES),
    }


def _keep(core: Core, input_bytes: int) -> str:
    kept = core.kept_bytes
    assert len(set(kept)) == len(kept)
    assert max(kept, default=0) < input_bytes
    mask = sum(1 << index for index in kept)
    return f"{input_bytes}'h{mask:X}"


def _weight_bytes(core: Core) -> int:
    if len(core.weights) >= 1 << 17:
        raise UnsupportedError(
            f"the network's weights to load have {len(core.weights)} bytes, the link counts "
            f"{(1 << 17) - 2}",
            hint="keep a layer's weights in block RAM",
        )
    return len(core.weights)


def _mhz(facts: ShellFacts) -> int:
    mhz, rest = divmod(facts.clock_hz, 1_000_000)
    if rest or not 1 <= mhz <= 63:
        raise ConfigError(f"clock_hz is {facts.clock_hz}, the link wants whole MHz up to 63")
    return mhz


def _div(facts: ShellFacts) -> int:
    div = round(facts.clock_hz / facts.baud)
    error = abs(facts.clock_hz / div / facts.baud - 1.0) if div else 1.0
    if div < _DIV_MIN or error > _BAUD_ERROR:
        raise ConfigError(
            f"{facts.baud} baud cannot be made of {facts.clock_hz} Hz: {div} clocks a bit, "
            f"{100 * error:.1f} % off",
            hint=f"at least {_DIV_MIN} clocks a bit and at most {100 * _BAUD_ERROR:.0f} % off",
        )
    return div


def _number(value: int) -> str:
    """Return a parameter's value with its width, which a number of its own has not."""
    return f"32'd{value}"


def _vector(data: bytes, size: int) -> str:
    """Return `data`, padded with zeros, as a Verilog number whose lowest byte is the first."""
    return f"{8 * size}'h{data.ljust(size, bytes(1))[::-1].hex().upper()}"


def _top(facts: ShellFacts) -> str:
    match facts.family:
        case "ice40":
            body = _ice40(facts)
        case "ecp5" | "gowin":
            if facts.clock == "internal":
                raise ConfigError(f"the clock of {facts.board} has to come from a pin")
            body = _CRYSTAL
        case _:
            assert_never(facts.family)
    clock_port = "    input  wire clk,\n" if facts.clock == "pin" else ""
    return f"""\
// The design for {facts.board}: clock source, reset at the start, and {BOARD}.
`default_nettype none

module {TOP} (
{clock_port}    input  wire rx,
    output wire tx,
    output wire mark
);
    wire clock, slow_clock, awake, busy, running, idle;
    wire [23:0] ahead;
    wire wanted = awake || mark;  // the clock: a mark outlasts its inferences

{body}
    // Configuration leaves the counter at 0: the reset lasts 15 clocks.
    reg [3:0] started = 4'd0;
    wire rst = (started != 4'd15);
    always @(posedge clock) if (rst) started <= started + 4'd1;

    {BOARD} u_board (
        .clk(clock), .slow_clk(slow_clock), .rst(rst), .twin(1'b0), .skip(24'd0),
        .ahead(ahead), .rx(rx), .tx(tx), .mark(busy), .awake(awake), .running(running), .idle(idle)
    );
    ek_mark #(.CLOCKS({MARK_US * _mhz(facts)})) u_mark (
        .clk(clock), .rst(rst), .busy(busy), .mark(mark)
    );
    wire unused = running && idle && (&ahead);
endmodule
`default_nettype wire
"""


_CRYSTAL = """\
    // The crystal runs always; only the network's inputs stand still between inferences.
    assign clock = clk;
    assign slow_clock = 1'b0;
    wire wanted_unused = wanted;
"""


def _ice40(facts: ShellFacts) -> str:
    slow = """\
    SB_LFOSC u_slow (.CLKLFPU(1'b1), .CLKLFEN(1'b1), .CLKLF(slow_clock));  // 10 kHz
"""
    if facts.clock == "pin":
        return f"""\
    // The crystal's clock goes on while it is wanted; `enable` changes while the clock is low.
    reg [1:0] enable = 2'b11;
    always @(negedge clk) enable <= {{enable[0], wanted}};
    assign clock = clk && enable[1];
{slow}"""
    mhz = _mhz(facts)
    if mhz not in _HFOSC_MHZ:
        choices = ", ".join(str(m) for m in _HFOSC_MHZ)
        raise ConfigError(f"the oscillator of the iCE40 makes {choices} MHz, not {mhz}")
    divider = f"0b{_HFOSC_MHZ.index(mhz):02b}"
    return f"""\
    // The oscillator stops while it is not wanted. It may be 10 % off: a UART needs a trimmed part.
    SB_HFOSC #(.CLKHF_DIV("{divider}")) u_fast (.CLKHFPU(1'b1), .CLKHFEN(wanted), .CLKHF(clock));
{slow}"""
