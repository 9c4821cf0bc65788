"""A report as JSON and back. Keys are public: they are added, never renamed."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from edgekit.errors import ConfigError
from edgekit.report.types import SCHEMA, Report

_MAX_BYTES = 64 << 20

Kind: TypeAlias = Any  # an annotation, as typing.get_type_hints gives it


def to_json(report: Report, *, detail: bool = True) -> dict[str, Any]:
    """Return the report as plain JSON values; `detail` False leaves out what only pictures need.

    A number that is not finite becomes null.
    """
    body = _encode(report)
    assert isinstance(body, dict)  # a dataclass becomes an object
    if not detail:
        del body["detail"]
    return {"schema": SCHEMA, **body}


def dumps(report: Report) -> str:
    """Return the text of report.json."""
    return json.dumps(to_json(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def load(path: Path) -> Report:
    """Read a report.json. Raises ConfigError if it cannot be read or is no report."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path} is larger than {_MAX_BYTES} bytes: not a report")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"report {path} cannot be read: {exc.strerror}") from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"report {path} is not JSON: {exc}") from exc
    try:
        return from_json(data)
    except ConfigError as exc:
        raise ConfigError(f"report {path}: {exc.message}", hint=exc.hint) from exc


def from_json(data: object) -> Report:
    """Return the report that `data` describes. Unknown keys are left aside: newer files load.

    Raises ConfigError naming the first key that is missing or of the wrong kind.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"found a {type(data).__name__}, wanted an object with `schema`")
    if data.get("schema") != SCHEMA:
        raise ConfigError(
            f"schema is {data.get('schema')!r}, wanted {SCHEMA}",
            hint="write the report again with this version of edgekit",
        )
    report = _decode(Report, data, "report")
    assert isinstance(report, Report)  # decoding a class gives an instance of it
    return report


def _encode(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return {f.name: _encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _encode(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_encode(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _decode(kind: Kind, value: object, where: str) -> object:
    """Return `value` as `kind`: a dataclass, tuple, mapping, union, literal or plain type."""
    origin: Kind = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        members = [k for k in typing.get_args(kind) if k is not type(None)]
        return None if value is None else _decode(_member(members, value), value, where)
    if origin is tuple:
        return _decode_tuple(typing.get_args(kind), value, where)
    if origin is Mapping:
        return _decode_mapping(typing.get_args(kind)[1], value, where)
    if dataclasses.is_dataclass(kind):
        return _decode_class(kind, value, where)
    return _decode_plain(kind, value, where)


def _member(members: list[Kind], value: object) -> Kind:
    """Return the kind that `value` is of: the first whose keys are all there, else the first."""
    if not isinstance(value, dict):
        return members[0]
    classes = [kind for kind in members if dataclasses.is_dataclass(kind)]
    whole = (k for k in classes if all(f.name in value for f in dataclasses.fields(k)))
    return next(whole, members[0])


def _decode_plain(kind: Kind, value: object, where: str) -> object:
    origin: Kind = typing.get_origin(kind)
    if origin is typing.Literal:
        if value not in typing.get_args(kind):
            raise _refusal(where, f"one of {typing.get_args(kind)}", value)
        return value
    if kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _refusal(where, "a number", value)
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _refusal(where, kind.__name__, value)
    return value


def _decode_mapping(kind: Kind, value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _refusal(where, "an object", value)
    return {k: _decode(kind, v, f"{where}.{k}") for k, v in value.items()}


def _decode_tuple(kinds: tuple[Kind, ...], value: object, where: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise _refusal(where, "a list", value)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise _refusal(where, f"{len(kinds)} entries", value)
    return tuple(
        _decode(kind, entry, f"{where}[{i}]")
        for i, (kind, entry) in enumerate(zip(kinds, value, strict=True))
    )


def _decode_class(kind: Kind, value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise _refusal(where, "an object", value)
    hints = typing.get_type_hints(kind)
    given = {}
    for field in dataclasses.fields(kind):
        if field.name in value:
            given[field.name] = _decode(
                hints[field.name], value[field.name], f"{where}.{field.name}"
            )
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}.{field.name} is missing")
    return kind(**given)


def _refusal(where: str, wanted: str, found: object) -> ConfigError:
    return ConfigError(f"{where} is {repr(found)[:60]}, wanted {wanted}")
