"""Verbs around a project: init, doctor, boards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli import options
from edgekit.cli.output import say, show, show_json
from edgekit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.board import Board, Fact

_TEMPLATE = """\
# Everything `edgekit deploy` needs here. Every key can be overridden by an option.
# Paths are relative to this file.

{model_line}# .tflite or .onnx, int8
# data: samples.npz        # x in the model's own shape and dtype; y (optional) are class numbers
{board_line}# a name from `edgekit boards`, or the path of your own board file
virtual: true              # run on the board's twin; remove this line with a board on the desk
# port: /dev/ttyACM0       # default: found by the board's USB id
# meter: 'ppk2:'           # default: none on hardware, the emulated one on a virtual board

# What the power limit means. Keys left out are the board's own: `edgekit boards {board}`.
contract:
  limit_mw: 15
  # scope: supply          # supply, the name of a rail, or delta (over idle)
  # mode: average          # average over whole periods with sleep, or active
  # rate_hz: 1             # inferences per second, for average
  # operating_point: {point}
"""


def init(
    directory: Annotated[Path, typer.Argument(help="Where to write edgekit.yaml.")] = Path(),
    board: Annotated[str, typer.Option("--board", help="Board name.")] = "nucleo-l4r5zi",
    model: Annotated[str, typer.Option("--model", help="Model file.")] = "model.tflite",
) -> None:
    """Write a commented edgekit.yaml."""
    import json

    from edgekit import board as boards
    from edgekit import config

    path = directory / config.FILE_NAME
    point = boards.find(board).contract.operating_point
    # A JSON string is a YAML string: any file name survives.
    text = _TEMPLATE.format(
        model_line=f"model: {json.dumps(model)} ".ljust(27),
        board_line=f"board: {board} ".ljust(27),
        board=board,
        point=point,
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists already", hint="edit it, or remove it first") from None
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror}") from exc
    say(f"wrote {path}; next: edit `model`, then `edgekit deploy`")


def doctor(json: options.Json = False) -> None:
    """List tools, ports and meters, and what is missing."""
    from edgekit.cli import doctor as examination

    findings = examination.examine(Path.cwd())
    if json:
        show_json(examination.to_json(findings))
    else:
        show(examination.renderable(findings))


def boards(
    name: Annotated[
        str | None, typer.Argument(help="Board to show in full.", show_default=False)
    ] = None,
    json: options.Json = False,
) -> None:
    """List the boards, or everything known of one."""
    from edgekit import board as files

    if name is not None:
        board = files.find(name)
        if json:
            show_json({"schema": 1, "board": board.model_dump(mode="json")})
        else:
            _show_board(board)
        return
    found = [files.find(n) for n in files.names()]
    if json:
        show_json({"schema": 1, "boards": [_row(b) for b in found]})
    else:
        _show_boards(found)


def _row(board: Board) -> dict[str, Any]:
    from edgekit.board import FpgaBoard, McuBoard

    return {
        "name": board.name,
        "title": board.title,
        "target": board.target,
        "cpu": board.cpu if isinstance(board, McuBoard) else None,
        "flash_bytes": board.flash_memory.size_bytes if isinstance(board, McuBoard) else None,
        "ram_bytes": board.ram.size_bytes if isinstance(board, McuBoard) else None,
        "part": board.part.device if isinstance(board, FpgaBoard) else None,
        "lut": board.part.lut if isinstance(board, FpgaBoard) else None,
        "virtual": board.emulated,
        "run_on_hardware": board.run_on_hardware,
        "operating_points": list(board.operating_points),
        "contract": board.contract.model_dump(mode="json"),
        "floor_mw": None if board.floor_mw is None else board.floor_mw.value,
    }


def _show_boards(found: Sequence[Board]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = ("name", "board", "cpu or part", "flash or LUTs", "RAM", "twin")
    for column in (*columns, "default contract", "floor"):
        table.add_column(column, no_wrap=column == "name")
    for board in found:
        table.add_row(
            board.name,
            board.title,
            *_chip(board),
            "yes" if board.emulated else "no",
            _contract(board),
            _short(board.floor_mw),
        )
    show(table)


def _chip(board: Board) -> tuple[str, str, str]:
    """Return what a row of the table says of the chip: name, room for the program, memory."""
    from edgekit.board import FpgaBoard, mcu

    if isinstance(board, FpgaBoard):
        part = board.part
        bits = part.bram * part.bram_bits + part.spram * part.spram_bits
        return part.device, f"{part.lut:,} LUTs", f"{bits // 8192:,} KiB"
    board = mcu(board)
    return (
        board.cpu,
        f"{board.flash_memory.size_bytes // 1024:,} KiB",
        f"{board.ram.size_bytes // 1024:,} KiB",
    )


def _chip_rows(board: Board) -> dict[str, str]:
    from edgekit.board import FpgaBoard, mcu

    if isinstance(board, FpgaBoard):
        part = board.part
        return {
            "part": f"{part.device}, {part.package} ({part.family})",
            "logic": f"{part.lut:,} look-up tables, {part.ff:,} flip-flops, {part.dsp} DSPs",
            "memory": f"{part.bram} x {part.bram_bits:,} bits, {part.spram} x {part.spram_bits:,}",
        }
    board = mcu(board)
    return {
        "core": board.cpu,
        "flash": f"{board.flash_memory.size_bytes:,} bytes at {board.flash_memory.base:#010x}",
        "RAM": f"{board.ram.size_bytes:,} bytes at {board.ram.base:#010x}",
    }


def _contract(board: Board) -> str:
    c = board.contract
    rate = f" at {c.rate_hz:g}/s" if c.rate_hz is not None else ""
    return f"{c.limit_mw:g} mW {c.scope} {c.mode}{rate}, {c.operating_point}"


def _short(fact: Fact | None) -> str:
    return "not known" if fact is None else f"{fact.value:g} {fact.unit}"


def _link(board: Board) -> str:
    usb = board.link.usb
    return f"{board.link.baud} baud" + ("" if usb is None else f", USB {usb.vid:04x}:{usb.pid:04x}")


def _flashers(board: Board) -> str:
    targets = {} if board.flash is None else board.flash.targets
    return ", ".join(f"{k} ({v})" for k, v in targets.items()) or "none"


def _show_board(board: Board) -> None:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = Table.grid(padding=(0, 2))
    rows = {
        "board": f"{board.title} ({board.name})",
        **_chip_rows(board),
        "link": _link(board),
        "flashers": _flashers(board),
        "mark pin": board.mark_pin or "none",
        "meter": board.meter_note,
        "contract": _contract(board),
        "floor": fact_words(board.floor_mw),
        "twin": "yes" if board.emulated else "no",
        "run on hardware": "yes" if board.run_on_hardware else "not yet reported by anybody",
    }
    for key, value in rows.items():
        head.add_row(Text(key, style="dim"), Text(value))
    facts = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("operating point", "figure", "value", "source"):
        facts.add_column(column, overflow="fold")
    for name, point in board.operating_points.items():
        clock = f"{point.clock_hz / 1e6:g} MHz, {point.supply_mv} mV, sleep {point.sleep_state}"
        facts.add_row(name, "clock", clock, point.regulator)
        for key in ("run_ua", "idle_ua", "sleep_ua", "wakeup_us"):
            fact: Fact | None = getattr(point, key)
            source = "" if fact is None else fact.source
            facts.add_row("", key.split("_")[0], fact_words(fact), source)
    rails = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("rail", "nominal", "measurable", "how"):
        rails.add_column(column, overflow="fold")
    for rail in board.rails:
        rails.add_row(rail.name, f"{rail.nominal_mv} mV", rail.measurable, rail.how)
    show(Group(head, facts, rails))


def fact_words(fact: Fact | None) -> str:
    """Return a figure with unit, 95 % interval, condition and whether it was verified."""
    if fact is None:
        return "not known"
    around = f" ± {fact.plus_minus_percent:g} %" if fact.plus_minus_percent else ""
    condition = f", {fact.condition}" if fact.condition else ""
    return f"{fact.value:g} {fact.unit}{around}{condition}{' (verified)' if fact.verified else ''}"
