"""Everything a deployment needs to know: project file, options and board, joined and checked.

Lives above `board` and `config`, which do not know each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from edgekit import board as boards
from edgekit import config
from edgekit.board import Board, Contract, FpgaBoard
from edgekit.config import ContractWish, FpgaWish, Options, Project
from edgekit.errors import ConfigError
from edgekit.ir.types import InputGrid
from edgekit.measure.meter import METERS
from edgekit.virtual.ppk2_emulator.device import Faults as MeterFaults
from edgekit.virtual.process import Faults as TwinFaults

SCOPES = ("supply", "delta")  # beside the names of a board's rails
_RATES_HZ = (0.00025, 1e6)  # periods of 1 us to 4000 s: RUN counts them in 32 bits of us


@dataclass(frozen=True, slots=True)
class Settings:
    """A deployment, fully resolved: options over project file over the board's defaults."""

    model: Path
    board: Board
    contract: Contract
    work: Path
    data: Path | None = None
    virtual: bool = False
    port: str | None = None
    meter: str | None = None
    seed: int = 0
    fold: bool = True  # dead channels are folded away
    arena_limit_bytes: int | None = None  # None: what the board's RAM has room for
    grid: InputGrid | None = None  # the integers behind a float input; None: as the data file says
    fpga: FpgaWish = field(default_factory=FpgaWish)
    config_file: Path | None = None
    twin_faults: TwinFaults | None = (
        None  # what goes wrong on the virtual board, for rigs' own tests
    )
    meter_faults: MeterFaults | None = None  # and on its meter


def resolve(options: Options, *, start: Path, config_file: Path | None = None) -> Settings:
    """Join `options` with the project file and the board's default contract.

    `config_file` None: the nearest edgekit.yaml from `start` upwards, if there is one.
    Raises ConfigError naming what is missing or contradictory.
    """
    found = config_file if config_file is not None else config.find(start)
    project = Project() if found is None else config.load(found)
    board = board_of(options, project)
    base = start if found is None else found.resolve().parent
    virtual = project.virtual if options.virtual is None else options.virtual
    port = options.port or project.port
    if virtual and options.port is not None:
        raise ConfigError(
            f"--port {options.port} names hardware, but the board is virtual",
            hint="add --no-virtual, or leave --port out",
        )
    return Settings(
        model=model_of(options, project),
        board=board,
        contract=contract_of(options, project.contract, board),
        work=options.work or base / "build" / "edgekit",
        data=_existing(options.data or project.data, "data file"),
        grid=grid_of(options, project),
        virtual=virtual,
        port=None if virtual else port,
        meter=meter_of(options, project, virtual),
        seed=options.seed,
        fold=options.fold,
        arena_limit_bytes=arena_limit_of(options, project),
        fpga=fpga_of(options, project, board, virtual),
        config_file=found,
    )


def fpga_of(options: Options, project: Project, board: Board, virtual: bool) -> FpgaWish:
    """Return how a network is to become RTL: options over the project file."""
    said = {key: value for key, value in options.fpga.items() if value is not None}
    wish = project.fpga.model_copy(update=said)
    _existing(wish.bitstream, "bitstream")
    made_elsewhere = wish.bitstream or wish.build_host
    zynq = isinstance(board, FpgaBoard) and board.part.family == "zynq7"
    if made_elsewhere is not None and (virtual or not zynq):
        raise ConfigError(
            f"{made_elsewhere} names a bitstream made elsewhere, which is for a Zynq's logic; "
            f"{'a virtual board' if virtual else board.name} takes none",
            hint="leave --bitstream and --build-host out",
        )
    return wish


def grid_of(options: Options, project: Project) -> InputGrid | None:
    """Return the integers behind a float input, where the user states them.

    Raises ConfigError unless the option reads SCALE[,ZERO[,TYPE]] with a positive scale, which may
    be a fraction.
    """
    if options.input_grid is None:
        wish = project.input_grid
        return None if wish is None else InputGrid(wish.scale, wish.zero_point, wish.dtype)
    given = options.input_grid.count(",") + 1
    scale, zero, dtype = (*options.input_grid.split(","), *("0", "uint8")[given - 1 :])[:3]
    try:
        over, under = (*scale.split("/"), "1")[:2]
        number, point = float(over) / float(under), int(zero)
    except (ValueError, ZeroDivisionError, OverflowError):
        number, point = 0.0, 0
    if (
        given > 3
        or scale.count("/") > 1
        or not 0 < number < math.inf
        or dtype not in ("uint8", "int8")
    ):
        raise ConfigError(
            f"--input-grid {options.input_grid} does not read SCALE[,ZERO[,TYPE]]",
            hint="for pixels of 0 to 255 that the model takes as 0 to 1: --input-grid 1/255",
        )
    return InputGrid(number, point, "uint8" if dtype == "uint8" else "int8")


def board_of(options: Options, project: Project) -> Board:
    """Return the board that was asked for."""
    name = options.board or project.board
    if name is None:
        raise ConfigError(
            "no board was named",
            hint=f"pass --board NAME, one of: {', '.join(boards.names())}; or set `board` in "
            f"{config.FILE_NAME}",
        )
    return boards.find(name)


def contract_of(options: Options, wish: ContractWish, board: Board) -> Contract:
    """Return the energy contract: options over `wish` over the board's default."""
    default = board.contract
    mode = options.mode or wish.mode or default.mode
    rate = _first(options.rate_hz, wish.rate_hz, default.rate_hz)
    point = options.operating_point or wish.operating_point or default.operating_point
    scope = options.scope or wish.scope or default.scope
    if point not in board.operating_points:
        raise ConfigError(
            f"{board.name} has no operating point {point!r}",
            hint=f"pick one of: {', '.join(board.operating_points)}",
        )
    scopes = (*SCOPES, *(rail.name for rail in board.rails if rail.name not in SCOPES))
    if scope not in scopes:
        raise ConfigError(
            f"{board.name} has no scope {scope!r}", hint=f"pick one of: {', '.join(scopes)}"
        )
    if mode == "average" and rate is None:
        raise ConfigError("mode 'average' needs a rate", hint="pass --rate-hz R, or --mode active")
    wished = _first(options.limit_mw, wish.limit_mw)
    limit = default.limit_mw if wished is None else wished
    _check_numbers(limit, rate)
    return Contract(
        limit_mw=limit,
        scope=scope,
        mode=mode,
        rate_hz=rate if mode == "average" else None,
        operating_point=point,
    )


def _first(*wishes: float | None) -> float | None:
    """Return the first that was said; 0 was said too."""
    return next((wish for wish in wishes if wish is not None), None)


def _check_numbers(limit_mw: float, rate_hz: float | None) -> None:
    if not 0 < limit_mw < math.inf:
        raise ConfigError(f"a limit of {limit_mw} mW found, a positive number is wanted")
    slowest, fastest = _RATES_HZ
    if rate_hz is not None and not slowest <= rate_hz <= fastest:
        raise ConfigError(
            f"a rate of {rate_hz:g} inferences per second found, "
            f"{slowest:g} to {fastest:g} is wanted",
            hint="the board counts the period in 32 bits of microseconds",
        )


def arena_limit_of(options: Options, project: Project) -> int | None:
    """Return the largest arena that was asked for, in bytes."""
    said = options.arena_limit_bytes
    return project.arena_limit_bytes if said is None else said


def model_of(options: Options, project: Project) -> Path:
    """Return the model file that was asked for."""
    path = options.model or project.model
    if path is None:
        raise ConfigError(
            "no model was named",
            hint=f"pass MODEL (.tflite or .onnx), or set `model` in {config.FILE_NAME}",
        )
    existing = _existing(path, "model file")
    assert existing is not None  # path is not None
    return existing


def meter_of(options: Options, project: Project, virtual: bool) -> str | None:
    """Return the meter that was asked for; a virtual board brings its own, or takes a recording."""
    url = options.meter or project.meter
    if url is None:
        return None
    scheme, _, rest = url.partition(":")
    if scheme not in METERS:
        raise ConfigError(f"no meter is called {scheme!r}", hint=f"use one of: {', '.join(METERS)}")
    if scheme == "replay":
        _existing(Path(rest.partition("?")[0]), "recording")
        return url
    if virtual and options.meter is not None:
        raise ConfigError(
            f"--meter {url} cannot measure a virtual board",
            hint="leave --meter out: the twin brings its own",
        )
    return None if virtual else url


def _existing(path: Path | None, what: str) -> Path | None:
    if path is not None and not path.is_file():
        raise ConfigError(f"{what} {path} does not exist or is not a file")
    return path
