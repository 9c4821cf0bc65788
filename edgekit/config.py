"""edgekit.yaml: the project file. Options given on the command line override it.

The file is found upwards from the working directory; its relative paths are relative to itself.
`edgekit.pipeline.settings` joins it with options and the board's default contract.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgekit.errors import ConfigError

FILE_NAME = "edgekit.yaml"
_MAX_BYTES = 1 << 20

# Sections that DESIGN reserves and no verb of this version reads.
_LATER: Mapping[str, str] = {"search": "edgekit search"}

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ContractWish(_Strict):
    """What the user asks of the energy contract; None leaves it to the board file."""

    limit_mw: Positive | None = None
    scope: str | None = None
    mode: Literal["average", "active"] | None = None
    rate_hz: Positive | None = None
    operating_point: str | None = None


class GridWish(_Strict):
    """What a float input holds in truth: real = scale * (integer - zero_point)."""

    scale: Positive
    zero_point: int = 0
    dtype: Literal["uint8", "int8"] = "uint8"


class FpgaWish(_Strict):
    """How a network becomes RTL; what is left out is chosen for the board and the contract."""

    style: Literal["hardwired", "folded"] | None = None
    # Builds every style and takes the best; left out, the style is chosen by what has room.
    optimize: Literal["energy", "latency", "area"] | None = None
    stages: Annotated[int, Field(ge=1, le=64)] | None = None  # registers of a hard-wired network
    toolchain: Literal["native", "yowasp"] | None = None
    allow_timing_failure: bool = False
    bitstream: Path | None = None  # made elsewhere, for a part that needs the vendor's tool
    build_host: str | None = None  # user@host with the vendor's tool


class CompressWish(_Strict):
    """What `edgekit compress` is to do with a float network."""

    model: Path | None = None
    recipe: Path | None = None


class Project(_Strict):
    """edgekit.yaml, with its paths made absolute."""

    model: Path | None = None
    data: Path | None = None
    board: str | None = None  # a name, or the path of a board file
    virtual: bool = False
    port: str | None = None
    meter: str | None = None
    arena_limit_bytes: Annotated[int, Field(gt=0)] | None = None
    input_grid: GridWish | None = None
    contract: ContractWish = ContractWish()
    fpga: FpgaWish = FpgaWish()
    compress: CompressWish = CompressWish()


@dataclass(frozen=True, slots=True)
class Options:
    """What was said on the command line; None: nothing was said. Paths as given."""

    model: Path | None = None
    data: Path | None = None
    board: str | None = None
    virtual: bool | None = None
    port: str | None = None
    meter: str | None = None
    limit_mw: float | None = None
    scope: str | None = None
    mode: Literal["average", "active"] | None = None
    rate_hz: float | None = None
    operating_point: str | None = None
    work: Path | None = None
    seed: int = 0
    fold: bool = True
    arena_limit_bytes: int | None = None
    input_grid: str | None = None  # SCALE[,ZERO[,TYPE]]
    fpga: Mapping[str, object] = field(default_factory=dict)  # keys of FpgaWish that were said


def find(start: Path) -> Path | None:
    """Return the nearest edgekit.yaml in `start` or above it, or None."""
    here = start.resolve()
    for directory in (here, *here.parents):
        if (directory / FILE_NAME).is_file():
            return directory / FILE_NAME
    return None


def load(path: Path) -> Project:
    """Read a project file.

    Raises ConfigError for a file that cannot be read, is not YAML, or has an unknown key (the
    nearest valid one is named) or a value of the wrong kind.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path} is larger than {_MAX_BYTES} bytes: not a project file")
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(
            f"{path} cannot be read: {exc.strerror}", hint="`edgekit init` writes one"
        ) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is not UTF-8 text: {exc.reason}") from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:  # an impossible date, a deep nest
        raise ConfigError(f"{path} is not YAML: {' '.join(str(exc).split())}") from exc
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds a {type(data).__name__}, wanted keys with values")
    _refuse_later(data, path)
    try:
        return _anchored(Project.model_validate(data), path.resolve().parent)
    except ValidationError as exc:
        raise _translate(exc, path) from exc


def _refuse_later(data: Mapping[Any, Any], path: Path) -> None:
    for key, verb in _LATER.items():
        if key in data:
            raise ConfigError(
                f"{path}: section {key!r} belongs to `{verb}`, which this version does not have",
                hint="remove the section",
            )


def _translate(error: ValidationError, path: Path) -> ConfigError:
    rows, hints = [], []
    for item in error.errors():
        *above, key = (str(part) for part in item["loc"])
        fields = _SECTIONS.get(above[0], Project).model_fields if above else Project.model_fields
        where = ".".join((*above, key))
        if item["type"] == "extra_forbidden":
            rows.append(f"unknown key {where!r}")
            hints.append(_nearest(key, tuple(fields)))
        else:
            rows.append(f"{where}: {item['msg'].lower()}, found {item['input']!r}")
    return ConfigError(f"{path}: {'; '.join(rows)}", hint="; ".join(hints))


_SECTIONS: Mapping[str, type[_Strict]] = {
    "contract": ContractWish,
    "input_grid": GridWish,
    "compress": CompressWish,
    "fpga": FpgaWish,
}


def _nearest(key: str, valid: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(key, valid, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"valid keys here: {', '.join(valid)}"


def _anchored(project: Project, base: Path) -> Project:
    """Return `project` with relative paths taken from `base`, the file's directory."""
    board, meter, wish, made = project.board, project.meter, project.compress, project.fpga
    if board is not None and Path(board).suffix in {".yaml", ".yml"}:
        board = str(base / board)
    if meter is not None and meter.startswith("replay:"):
        meter = f"replay:{base / meter.removeprefix('replay:')}"
    return project.model_copy(
        update={
            "model": None if project.model is None else base / project.model,
            "data": None if project.data is None else base / project.data,
            "board": board,
            "meter": meter,
            "fpga": made.model_copy(
                update={"bitstream": None if made.bitstream is None else base / made.bitstream}
            ),
            "compress": CompressWish(
                model=None if wish.model is None else base / wish.model,
                recipe=None if wish.recipe is None else base / wish.recipe,
            ),
        }
    )
