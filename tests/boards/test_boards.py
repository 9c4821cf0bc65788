"""Every board that ships: it loads, its figures have sources, and a misspelt key is named."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgekit import board
from edgekit._data import data_dir
from edgekit.errors import ConfigError

NAMES = board.names()


def raw(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((data_dir("boards") / f"{name}.yaml").read_text())
    return loaded


def keys_of(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from keys_of(inner, (*path, key))
    elif isinstance(value, list):
        for k, inner in enumerate(value):
            yield from keys_of(inner, (*path, k))


def facts_of(value: object, path: str = "") -> Iterator[tuple[str, board.Fact]]:
    if isinstance(value, board.Fact):
        yield path, value
    elif isinstance(value, board.BaseModel):
        for name in type(value).model_fields:
            yield from facts_of(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from facts_of(inner, f"{path}.{name}")


def test_boards_are_there() -> None:
    assert "nucleo-l4r5zi" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_loads_and_is_named_like_its_file(name: str) -> None:
    assert board.find(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_unit_and_a_source(name: str) -> None:
    found = board.find(name)
    facts = dict(facts_of(found))
    powered = any(point.powered() for point in found.operating_points.values())
    assert len(facts) >= (5 if powered else 0)
    for path, fact in facts.items():
        assert fact.unit, path
        assert len(fact.source) > 10, path
        assert fact.verified or fact.plus_minus_percent > 0, f"{path}: unverified, yet exact"
    for rail in found.rails:
        assert rail.source


@pytest.mark.parametrize("name", NAMES)
def test_units_are_those_of_the_names(name: str) -> None:
    units = {"_ua": "uA", "_us": "us", "_mw": "mW"}
    for path, fact in facts_of(board.find(name)):
        assert fact.unit == units[path[-3:]], path


@pytest.mark.parametrize("name", NAMES)
def test_currents_are_in_order(name: str) -> None:
    points = [p.powered() for p in board.find(name).operating_points.values()]
    for point in filter(None, points):
        assert 0 < point.sleep_ua.value < point.idle_ua.value <= point.run_ua.value


@pytest.mark.parametrize("name", NAMES)
def test_every_misspelt_key_is_named(name: str, tmp_path: Path) -> None:
    whole = raw(name)
    free = {"operating_points", "targets", "pins"}  # their keys are names, not fields
    paths = [p for p in keys_of(whole) if len(p) < 2 or p[-2] not in free]
    # Entries of a list or a table have the same keys: one of them is enough.
    alike = {
        tuple(
            0 if i and path[i - 1] in {*free, "rails"} else part for i, part in enumerate(path)
        ): path
        for path in paths
    }
    assert len(alike) > 20
    for path in alike.values():
        broken = copy.deepcopy(whole)
        inner: Any = broken
        for key in path[:-1]:
            inner = inner[key]
        inner[f"{path[-1]}x"] = inner.pop(path[-1])
        file = tmp_path / f"{name}.yaml"
        file.write_text(json.dumps(broken))  # YAML too, and quick to write
        with pytest.raises(ConfigError) as caught:
            board.find(str(file))
        assert f"{path[-1]}x" in caught.value.message, path
        assert f"did you mean {path[-1]!r}" in caught.value.message, path


def test_unknown_board_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match="nucleo-l4r5z'") as caught:
        board.find("nucleo-l4r5z")
    assert "nucleo-l4r5zi" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"contract": {"limit_mw": 15.0, "mode": "average", "operating_point": "fast"}}, "fast"),
        ({"meter_note": None}, "meter_note"),
        ({"cpu": "cortex-m9"}, "cpu"),
        ({"flash_memory": {"base": 0, "size_bytes": 0}}, "size_bytes"),
    ],
)
def test_wrong_values_are_named(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    file = tmp_path / "nucleo-l4r5zi.yaml"
    file.write_text(yaml.safe_dump({**raw("nucleo-l4r5zi"), **change}))
    with pytest.raises(ConfigError, match=said):
        board.find(str(file))


def test_currents_come_all_four_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "nucleo-l4r5zi.yaml"
    whole = raw("nucleo-l4r5zi")
    whole["operating_points"] = {
        name: {k: v for k, v in point.items() if not k.endswith(("_ua", "_us"))}
        for name, point in whole["operating_points"].items()
    }
    del whole["floor_mw"]
    file.write_text(yaml.safe_dump(whole))
    found = board.find(str(file))
    assert [p.powered() for p in found.operating_points.values()] == [None] * 5
    whole["operating_points"]["run_24mhz"]["run_ua"] = {"value": 1, "unit": "uA", "source": "none"}
    file.write_text(yaml.safe_dump(whole))
    with pytest.raises(ConfigError, match="sleep_ua, idle_ua, wakeup_us missing"):
        board.find(str(file))


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: [", "name: 5"])
def test_what_is_no_board_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "b.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"b\.yaml"):
        board.find(str(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        board.find(str(tmp_path / "no.yaml"))


def test_a_board_in_the_wrong_file(tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(yaml.safe_dump(raw("nucleo-l4r5zi")))
    with pytest.raises(ConfigError, match="nucleo-l4r5zi"):
        board.find(str(file))


@pytest.mark.parametrize(
    ("pins", "said"),
    [
        ({"rx": "6", "tx": "6"}, "6 named twice"),
        ({"rx": "6\nset_io evil 2", "tx": "9"}, "pins.rx"),
    ],
)
def test_pins_that_cannot_be(tmp_path: Path, pins: dict[str, str], said: str) -> None:
    file = tmp_path / "icebreaker.yaml"
    file.write_text(json.dumps({**raw("icebreaker"), "pins": pins}))
    with pytest.raises(ConfigError, match=said):
        board.find(str(file))


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("icebreaker", {"part": {"device": "25k"}}, "part: device: ice40 has no '25k'"),
        ("icebreaker", {"part": {"package": "sg49"}}, "part: .*up5k has no 'sg49'"),
        ("icebreaker", {"link": {"baud": 1700000}}, "run_12mhz: 1700000 baud cannot be made of"),
        ("icebreaker", {"link": {"baud": 4000000}}, "3 clocks a bit"),
        ("icebreaker", {"run_12mhz": {"clock_hz": 0}}, "run_12mhz.clock_hz: .*greater than 0"),
        ("icebreaker", {"run_12mhz": {"clock_hz": -12}}, "run_12mhz.clock_hz: .*greater than 0"),
        ("icebreaker", {"run_12mhz": {"clock_hz": 12500000}}, "run_12mhz: .* wants whole MHz"),
        ("icebreaker", {"run_12mhz": {"clock_hz": 150000000}}, "run_12mhz: .* wants whole MHz"),
        ("icebreaker", {"run_12mhz": {"clock": "moon"}}, "run_12mhz.clock: .*'internal' or 'pin'"),
        ("icebreaker", {"hfosc_24mhz": {"clock_hz": 18000000}}, "no oscillator of 18 MHz"),
        ("icebreaker", {"pins": {"clk": None}}, r"pins\.clk"),
        ("ulx3s", {"part": {"device": "up5k"}}, "part: .*ecp5 has no 'up5k'"),
        ("ulx3s", {"run_25mhz": {"clock": "internal"}}, "85k has no oscillator of 25 MHz"),
        ("tang-nano-9k", {"part": {"device": "GW1N"}}, "part: .*gowin has no 'GW1N'"),
        ("pynq-z2", {"part": {"device": "xc7a35tcpg236-1"}}, "part: .*zynq7 has no"),
    ],
)
def test_a_part_that_no_tool_knows_or_no_clock_makes(
    tmp_path: Path, name: str, changes: dict[str, dict[str, Any]], said: str
) -> None:
    data = raw(name)
    for key, change in changes.items():
        where = data["operating_points"] if key in data["operating_points"] else data
        where[key] = {k: v for k, v in {**where[key], **change}.items() if v is not None}
    file = tmp_path / f"{name}.yaml"
    file.write_text(json.dumps(data))
    with pytest.raises(ConfigError, match=said) as caught:
        board.find(str(file))
    assert caught.value.message.startswith(f"board file {file}: ")
