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

from edgekit._data import data_dir
from edgekit.board import HFOSC_MHZ, clocks_a_bit, whole_mhz
from edgekit.errors import ConfigError, UnsupportedError
from edgekit.target.fpga import store
from edgekit.target.fpga.core import Core, Resources
from edgekit.target.fpga.verilog import number, vector

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
    "ek_spram",
    "ek_spram_lane",
    "ek_store",
    "ek_uart_rx",
    "ek_uart_tx",
    "ek_widen",
)
_NAME_BYTES = 64
# How much longer than its inferences a mark is on the pin: three samples of a meter at 100 kHz.
MARK_US = 32

# The logic around a network of 64 input bits and one output byte (iCE40, yosys 0.23:
# docs/fpga/link.md has the command) with the stretched mark. `store` says what memory there is.
LOGIC = Resources(lut=1126, ff=577, carry=260)


@dataclass(frozen=True, slots=True)
class ShellFacts:
    """What HELLO says, and what the pads need.

    `pins` maps rx, tx, mark and, with `clock` "pin", clk to the package's pins. `input_bytes` are
    the wire bytes of the network's input. `bram` (of 4 kbit) and `spram` are what the network
    leaves for the link and the store of inputs.
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
    bram: int = store.FEWEST.bram
    spram: int = 0


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
        f"`define EK_BUILD_ID {vector(bytes.fromhex(digest), 16)}\n"
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
    kept = store.choose(core, bram=facts.bram, spram=facts.spram)
    return {
        "IN_WIDTH": number(core.in_width),
        "IN_BEATS": number(core.in_beats),
        "OUT_WIDTH": number(core.out_width),
        "OUT_BEATS": number(core.out_beats),
        "INPUT_BYTES": number(facts.input_bytes),
        "OUTPUT_BYTES": number(core.out_width // 8 * core.out_beats),
        "KEEP": _keep(core, facts.input_bytes),
        "STORE_WIDTH": number(kept.width),
        "SLOTS": number(kept.slots),
        "STORE_SPRAM_BITS": number(kept.spram_bits),
        "LINK_SPRAM": number(int(kept.link_spram)),
        **store.loops(kept),
        "WEIGHT_BYTES": number(_weight_bytes(core)),
        "CYCLE_BITS": number(min(24, max(8, (4 * core.latency_cycles).bit_length()))),
        "FLYING_BITS": number(_flying_bits(core)),
        "CLOCK_MHZ": number(whole_mhz(facts.clock_hz)),
        "DIV": number(clocks_a_bit(facts.clock_hz, facts.baud)),
        "SLEEPS": number(int(facts.family == "ice40")),
        "NODES": number(facts.nodes),
        "BAUD": number(facts.baud),
        "BUILD_ID": "`EK_BUILD_ID",
        "MODEL_HASH": vector(facts.model_hash, 16),
        "BOARD": vector(facts.board.encode()[:23], 24),
        "OUTPUT_ZERO_POINT": f"32'h{facts.output_zero_point & 0xFFFFFFFF:08X}",
        "OUTPUT_SCALE_NANO": number(min(round(facts.output_scale * 1e9), 0xFFFFFFFF)),
        "NAME_BYTES": number(len(facts.name.encode()[:_NAME_BYTES])),
        "NAME": vector(facts.name.encode()[:_NAME_BYTES], _NAME_BYTES),
    }


def _flying_bits(core: Core) -> int:
    """Return the bits of a counter of the inferences that the network works on at once."""
    return min(8, max(3, (core.latency_cycles // core.interval_cycles + 4).bit_length()))


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
    ek_mark #(.CLOCKS({MARK_US * whole_mhz(facts.clock_hz)})) u_mark (
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
    mhz = whole_mhz(facts.clock_hz)
    if mhz not in HFOSC_MHZ:
        choices = ", ".join(str(m) for m in HFOSC_MHZ)
        raise ConfigError(f"the oscillator of the iCE40 makes {choices} MHz, not {mhz}")
    divider = f"0b{HFOSC_MHZ.index(mhz):02b}"
    return f"""\
    // The oscillator stops while it is not wanted. It may be 10 % off: a UART needs a trimmed part.
    SB_HFOSC #(.CLKHF_DIV("{divider}")) u_fast (.CLKHFPU(1'b1), .CLKHFEN(wanted), .CLKHF(clock));
{slow}"""
