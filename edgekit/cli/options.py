"""Options that several verbs share, each described once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer


class Mode(StrEnum):
    """Mode of the energy contract."""

    average = "average"
    active = "active"


class Chain(StrEnum):
    """C compiler."""

    gcc = "gcc"
    zig = "zig"


class Optimize(StrEnum):
    """What an FPGA's network is to be best at."""

    energy = "energy"
    latency = "latency"
    area = "area"


_BOARD = "Board: a name from `edgekit boards`, or the path of a board file."
_CONTRACT = "Energy contract"
_FPGA = "FPGA"

Model: TypeAlias = Annotated[
    Path | None,
    typer.Argument(help="Model file: .tflite .onnx .h5 .keras .safetensors", show_default=False),
]
Config: TypeAlias = Annotated[
    Path | None, typer.Option("--config", help="Project file instead of the nearest edgekit.yaml.")
]
BoardName: TypeAlias = Annotated[str | None, typer.Option("--board", help=_BOARD)]
Virtual: TypeAlias = Annotated[
    bool | None,
    typer.Option("--virtual/--no-virtual", help="Use the board's twin, or real hardware."),
]
PortUrl: TypeAlias = Annotated[
    str | None,
    typer.Option("--port", help="Serial port: a pyserial URL or usb:VID:PID:SERIAL."),
]
Probe: TypeAlias = Annotated[
    str | None, typer.Option("--probe", help="Serial number of the debug probe.")
]
Meter: TypeAlias = Annotated[
    str | None, typer.Option("--meter", help="Power meter, such as ppk2: or replay:FILE.")
]
Data: TypeAlias = Annotated[
    Path | None, typer.Option("--data", help="Samples: .npz with x and, optionally, y.")
]
BudgetMw: TypeAlias = Annotated[
    float | None,
    typer.Option("--budget-mw", min=1e-6, help="Limit in mW.", rich_help_panel=_CONTRACT),
]
Scope: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--scope", help="What is metered: supply, a rail, or delta.", rich_help_panel=_CONTRACT
    ),
]
ModeOption: TypeAlias = Annotated[
    Mode | None,
    typer.Option(
        "--mode",
        help="Mean over whole periods with sleep, or while busy.",
        rich_help_panel=_CONTRACT,
    ),
]
RateHz: TypeAlias = Annotated[
    float | None,
    typer.Option("--rate-hz", min=1e-6, help="Inferences per second.", rich_help_panel=_CONTRACT),
]
OperatingPoint: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--operating-point", help="Clock, supply and sleep state.", rich_help_panel=_CONTRACT
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Work: TypeAlias = Annotated[
    Path | None, typer.Option("-o", "--work", help="Work directory [build/edgekit].")
]
Seed: TypeAlias = Annotated[int, typer.Option("--seed", min=0, help="Seed of random inputs.")]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Print the plan (files, commands, digest) and stop.")
]
DumpPasses: TypeAlias = Annotated[
    bool, typer.Option("--dump-passes", help="Print the graph after each pass.")
]
NoFold: TypeAlias = Annotated[
    bool, typer.Option("--no-fold", help="Keep channels that are dead or constant.")
]
ArenaLimit: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--arena-limit",
        min=1,
        metavar="BYTES",
        help="Largest arena; early layers run in bands of rows to meet it.",
        show_default=False,
    ),
]
InputGrid: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--input-grid",
        metavar="SCALE[,ZERO[,TYPE]]",
        help="Integers behind a float input that the model compares at once, such as 1/255.",
        show_default=False,
    ),
]
Toolchain: TypeAlias = Annotated[
    Chain | None, typer.Option("--toolchain", help="C compiler; default: the best installed.")
]

OptimizeFor: TypeAlias = Annotated[
    Optimize | None,
    typer.Option(
        "--optimize",
        help="Build every style and take the best; default: the first that has room.",
        rich_help_panel=_FPGA,
    ),
]
AllowTimingFailure: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--allow-timing-failure",
        help="Make the bitstream of a design that misses its clock.",
        rich_help_panel=_FPGA,
    ),
]
Bitstream: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--bitstream", help="Go on from a bitstream made elsewhere.", rich_help_panel=_FPGA
    ),
]
BuildHost: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--build-host",
        metavar="USER@HOST",
        help="Machine with the vendor's tool, reached by ssh.",
        rich_help_panel=_FPGA,
    ),
]


def contract_words(
    budget_mw: float | None,
    scope: str | None,
    mode: Mode | None,
    rate_hz: float | None,
    operating_point: str | None,
) -> dict[str, Any]:
    """Return what was said of the energy contract, by the names of `config.Options`."""
    return {
        "limit_mw": budget_mw,
        "scope": scope,
        "mode": mode_word(mode),
        "rate_hz": rate_hz,
        "operating_point": operating_point,
    }


def fpga_words(
    optimize: Optimize | None,
    allow_timing_failure: bool | None = None,
    bitstream: Path | None = None,
    build_host: str | None = None,
) -> dict[str, Any]:
    """Return what was said of an FPGA, by the name of `config.Options` and `config.FpgaWish`."""
    said = {
        "optimize": None if optimize is None else optimize.value,
        "allow_timing_failure": allow_timing_failure,
        "bitstream": bitstream,
        "build_host": build_host,
    }
    return {"fpga": said}


def mode_word(mode: Mode | None) -> Literal["average", "active"] | None:
    """Return the contract's word for `mode`."""
    return None if mode is None else mode.value


def chain_word(chain: Chain | None) -> Literal["gcc", "zig"] | None:
    """Return the plan's word for `chain`."""
    return None if chain is None else chain.value
