"""A board is one YAML file of facts; every figure carries its unit, source and verification."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated, Literal, Self, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgekit._data import data_dir
from edgekit.errors import ConfigError

Cpu = Literal[
    "cortex-m0plus",
    "cortex-m33",
    "cortex-m4f",
    "cortex-m55",
    "cortex-m7",
    "rv32imc",
]
Family = Literal["ice40", "ecp5", "gowin", "zynq7"]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_\-]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(_Strict):
    """One figure with its unit and where it comes from."""

    value: Annotated[float, Field(allow_inf_nan=False)]
    unit: str = Field(min_length=1)
    source: str = Field(min_length=1)
    verified: bool = False
    plus_minus_percent: float = Field(default=0.0, ge=0.0, description="95 % half width")
    condition: str = ""


class Memory(_Strict):
    """Address and size of one memory."""

    base: int
    size_bytes: int = Field(gt=0)


class Usb(_Strict):
    """USB identity of the board's probe and serial port."""

    vid: int
    pid: int
    interface: int | None = None


class OperatingPoint(_Strict):
    """Clock, supply and regulator, with the currents drawn in each state where they are known."""

    clock_hz: int = Field(gt=0)
    clock: Literal["internal", "pin"] | None = None  # of an FPGA; None: the board's own
    supply_mv: int = Field(gt=0)
    regulator: str
    flash_wait_states: int = Field(default=0, ge=0)  # of a microcontroller's code
    sleep_state: str
    run_ua: Fact | None = None  # executing from flash
    sleep_ua: Fact | None = None  # between inferences
    idle_ua: Fact | None = None  # core waiting for the link, clocks running
    wakeup_us: Fact | None = None

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        facts = {
            "run_ua": self.run_ua,
            "sleep_ua": self.sleep_ua,
            "idle_ua": self.idle_ua,
            "wakeup_us": self.wakeup_us,
        }
        missing = [name for name, fact in facts.items() if fact is None]
        if 0 < len(missing) < len(facts):
            raise ValueError(f"{', '.join(missing)} missing: give all four of these facts, or none")
        return self

    def powered(self) -> PoweredPoint | None:
        """Return the point with its currents, or None where nothing is known of them."""
        if self.run_ua is None:
            return None
        return PoweredPoint(**{name: getattr(self, name) for name in type(self).model_fields})


class PoweredPoint(OperatingPoint):
    """An operating point whose currents are known: what energy can be modelled with."""

    run_ua: Fact
    sleep_ua: Fact
    idle_ua: Fact
    wakeup_us: Fact


class Rail(_Strict):
    """A supply that can be measured, and how."""

    name: str
    nominal_mv: int
    measurable: Literal["jumper", "monitor", "none"]
    how: str
    source: str


class Contract(_Strict):
    """What a power figure means on this board unless told otherwise."""

    limit_mw: float = Field(default=15.0, gt=0)
    scope: str = "supply"
    mode: Literal["average", "active"] = "average"
    rate_hz: float | None = Field(default=None, gt=0)
    operating_point: str


class Flash(_Strict):
    """How the image is written; `targets` maps a flasher to its target name or config file."""

    base: int
    default: Literal["openocd", "pyocd", "openFPGALoader"]
    targets: dict[str, str]


class Link(_Strict):
    """The serial port that carries the device link."""

    baud: int = Field(gt=0)
    usb: Usb | None = None  # None: the port has to be named
    mtu_bytes: int = Field(default=1024, ge=64, le=4096)


class Board(_Strict):
    """What edgekit knows about a board of any kind; every one is an McuBoard or an FpgaBoard."""

    name: Identifier
    title: str
    target: Literal["mcu", "fpga"]
    link: Link
    flash: Flash | None = None  # None: edgekit knows no flasher for it
    meter_note: str  # where the ammeter goes in
    mark_pin: str | None = None  # pin that is high during an inference
    rails: tuple[Rail, ...]
    operating_points: dict[str, OperatingPoint]
    contract: Contract
    floor_mw: Fact | None = None  # what the scope draws with the network asleep
    emulated: bool
    run_on_hardware: bool = False  # nobody has, until somebody says so with a report

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        if self.contract.operating_point not in self.operating_points:
            raise ValueError(
                f"contract.operating_point {self.contract.operating_point!r} is not one of "
                f"{', '.join(self.operating_points)}"
            )
        return self


class McuBoard(Board):
    """A microcontroller: CPU, memories and the firmware port that brings it up."""

    target: Literal["mcu"]
    cpu: Cpu
    firmware_port: Identifier | None  # directory below firmware/port; None: nobody has written one
    flash_memory: Memory
    ram: Memory
    weights_in: Literal["flash", "ram"] = "flash"  # ram: copied at the start, if there is room


# Names of devices and packages as the families' tools take them.

_PARTS: dict[Family, tuple[str, str]] = {
    "ice40": (r"(lp|hx)(1k|4k|8k)|lp384|up[35]k|u[124]k", r"[a-z]{2,3}\d+(tr)?(:4k)?"),
    "ecp5": (r"(um5g-|um-)?(12|25|45|85)k", r"(CABGA|CSFBGA|TQFP)\d+"),
    "gowin": (r"GW\d\w*-\w+/\w+", r"[A-Z]+\d+[A-Z]*"),
    "zynq7": (r"xc7z\d{3}s?[a-z]{3}\d{3}-\d\w*", r"[a-z]{3}\d{3}"),
}
_UP_PACKAGES = r"sg48|uwg30"
HFOSC_MHZ = (48, 24, 12, 6)  # of the iCE40 UltraPlus' own oscillator
_DIV_MIN = 8  # clocks a bit of the link
_BAUD_ERROR = 0.02


def whole_mhz(clock_hz: int) -> int:
    """Return the clock in MHz; ConfigError where the link in logic cannot be clocked by it."""
    mhz, rest = divmod(clock_hz, 1_000_000)
    if rest or not 1 <= mhz <= 63:
        raise ConfigError(f"clock_hz is {clock_hz}, the link wants whole MHz up to 63")
    return mhz


def clocks_a_bit(clock_hz: int, baud: int) -> int:
    """Return the clocks of one bit on the serial line; ConfigError where too few or not whole."""
    div = round(clock_hz / baud)
    error = abs(clock_hz / div / baud - 1.0) if div else 1.0
    if div < _DIV_MIN or error > _BAUD_ERROR:
        raise ConfigError(
            f"{baud} baud cannot be made of {clock_hz} Hz: {div} clocks a bit, "
            f"{100 * error:.1f} % off",
            hint=f"at least {_DIV_MIN} clocks a bit and at most {100 * _BAUD_ERROR:.0f} % off",
        )
    return div


class FpgaPart(_Strict):
    """An FPGA by the names its tools know it by, and what it holds.

    `lut` counts look-up tables of the family's own size (4 inputs; 6 on zynq7); a block RAM holds
    `bram_bits`, a single-port RAM (`spram`) `spram_bits` and starts without contents.
    """

    family: Family
    device: str  # up5k, 25k, GW1NR-LV9QN88PC6/I5, xc7z020clg400-1
    package: str
    lut: int = Field(gt=0)
    ff: int = Field(gt=0)
    bram: int = Field(ge=0)
    bram_bits: int = Field(ge=0)
    spram: int = Field(default=0, ge=0)
    spram_bits: int = Field(default=0, ge=0)
    dsp: int = Field(ge=0)
    source: str

    @model_validator(mode="after")
    def _is_of_its_family(self) -> Self:
        device, package = _PARTS[self.family]
        if not re.fullmatch(device, self.device):
            raise ValueError(f"device: {self.family} has no {self.device!r}, wanted {device}")
        if self.family == "ice40" and self.device.startswith("up"):
            package = _UP_PACKAGES
        if not re.fullmatch(package, self.package):
            raise ValueError(f"package: {self.device} has no {self.package!r}, wanted {package}")
        return self


PinName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]


class FpgaBoard(Board):
    """An FPGA: its part, where the clock comes from, and which pin is which."""

    target: Literal["fpga"]
    part: FpgaPart
    # internal: the part's own oscillator, divided; pin: a crystal at `pins.clk`; ps: the Arm side
    clock: Literal["internal", "pin", "ps"]
    pins: dict[str, PinName]  # clk, rx, tx, mark, led and others to pin names of the package

    def clock_source(self, operating_point: str) -> Literal["internal", "pin"]:
        """Return where the clock comes from at that point; the Arm side's clock is at a pin."""
        named = self.operating_points[operating_point].clock
        if named is not None:
            return named
        return "pin" if self.clock == "ps" else self.clock

    @model_validator(mode="after")
    def _pins_differ(self) -> Self:
        twice = sorted({pin for pin in self.pins.values() if [*self.pins.values()].count(pin) > 1})
        if twice:
            raise ValueError(f"pins: {', '.join(twice)} named twice")
        return self

    @model_validator(mode="after")
    def _clocks_can_be_made(self) -> Self:
        for name, point in self.operating_points.items():
            try:
                mhz = whole_mhz(point.clock_hz)
                clocks_a_bit(point.clock_hz, self.link.baud)
            except ConfigError as exc:
                raise ValueError(f"operating_points.{name}: {exc.message}") from exc
            source = self.clock_source(name)
            ultra_plus = self.part.device.startswith("up")
            if source == "internal" and not (ultra_plus and mhz in HFOSC_MHZ):
                raise ValueError(
                    f"operating_points.{name}: {self.part.device} has no oscillator of {mhz} MHz; "
                    "iCE40 UltraPlus have one of 48, 24, 12 or 6 MHz"
                )
            if source == "pin" and self.clock != "ps" and "clk" not in self.pins:
                raise ValueError(f"operating_points.{name}: its clock comes from no pin: pins.clk")
        return self


_KINDS: dict[str, type[McuBoard] | type[FpgaBoard]] = {"mcu": McuBoard, "fpga": FpgaBoard}


def mcu(board: Board) -> McuBoard:
    """Return `board` where it is a microcontroller; ConfigError where it is not."""
    if isinstance(board, McuBoard):
        return board
    raise ConfigError(
        f"{board.name} is an FPGA, and this is for microcontrollers",
        hint=f"pick one of: {', '.join(n for n in names() if isinstance(find(n), McuBoard))}",
    )


def fpga(board: Board) -> FpgaBoard:
    """Return `board` where it is an FPGA; ConfigError where it is not."""
    if isinstance(board, FpgaBoard):
        return board
    raise ConfigError(
        f"{board.name} is a microcontroller, and this is for FPGAs",
        hint=f"pick one of: {', '.join(n for n in names() if isinstance(find(n), FpgaBoard))}",
    )


def names() -> tuple[str, ...]:
    """Return the names of the boards that ship with edgekit, sorted."""
    return tuple(sorted(p.stem for p in data_dir("boards").glob("*.yaml")))


def find(name_or_path: str) -> McuBoard | FpgaBoard:
    """Return the board called `name_or_path`, or the one described by that YAML file.

    Raises ConfigError for an unknown name, unreadable YAML, or an unknown or missing key.
    """
    given = Path(name_or_path)
    if given.suffix in {".yaml", ".yml"}:
        return _load(given)
    if name_or_path not in names():
        raise ConfigError(
            f"no board is called {name_or_path!r}",
            hint=f"pick one of: {', '.join(names())}; or pass a path to your own .yaml",
        )
    return _load(data_dir("boards") / f"{name_or_path}.yaml")


def _load(path: Path) -> McuBoard | FpgaBoard:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"board file {path} cannot be read: {exc.strerror}") from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:  # not UTF-8, an impossible date
        raise ConfigError(f"board file {path} is not YAML: {exc}") from exc
    try:
        board = _kind(data).model_validate(data)
    except ValidationError as exc:
        raise ConfigError(f"board file {path}: {problems(exc, _kind(data))}") from exc
    if board.name != path.stem:
        raise ConfigError(
            f"board file {path} describes {board.name!r}",
            hint=f"name the file {board.name}.yaml or the board {path.stem}",
        )
    return board


def _kind(data: object) -> type[McuBoard] | type[FpgaBoard]:
    """Return what a board file describes; a microcontroller where it does not say."""
    target = data.get("target") if isinstance(data, dict) else None
    return _KINDS.get(target, McuBoard) if isinstance(target, str) else McuBoard


def problems(error: ValidationError, model: type[BaseModel]) -> str:
    """Return an error of `model` as one line: key, what was wrong, the key that was meant."""
    rows = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or "file"
        text = item["msg"].lower()
        if item["type"] == "value_error":  # our own words
            text = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            text = f"unknown key{_meant(model, item['loc'])}"
        rows.append(f"{key}: {text}")
    return "; ".join(rows)


def _meant(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """Return a suggestion for the unknown key at the end of `loc`, or what is valid there."""
    valid = _keys_at(model, loc[:-1])
    close = difflib.get_close_matches(str(loc[-1]), valid, 1)
    if close:
        return f", did you mean {close[0]!r}?"
    return f", valid are {', '.join(valid)}" if valid else ""


def _keys_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the mapping at `path` of a file that `model` describes."""
    element: type[BaseModel] | None = None  # of the table or list that `path` is inside of
    for part in path:
        if element is not None:
            model, element = element, None
            continue
        field = model.model_fields.get(str(part))
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        inner = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if not inner:
            return []
        if field is not None and get_origin(field.annotation) in (dict, tuple):
            element = inner[0]
        else:
            model = inner[0]
    return list(model.model_fields)
