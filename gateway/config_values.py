"""One value of a TOML file into the type that its setting has; or an error that helps.

Pure but for the report that the errors go to. `tomllib` gives bool, int, float, str, list, dict
and dates; what is wanted is float, int, str, bool, Literal, tuple, Mapping, a settings dataclass,
or a union of these.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from drivers.base import Option
from gateway.config_report import Place, nearest
from gateway.config_schema import Setting, fields_of, split
from gateway.config_words import describe, limits_of, listed, number, show

INVALID: Any = object()
"""Stands for a value that could not be read and has been complained about."""

DURATIONS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
SIZES = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}
_SCALES: dict[str, Mapping[str, float]] = {"s": DURATIONS, "B": SIZES}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?) ?([A-Za-z]+)")
_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")


def substitute(value: Any, env: Mapping[str, str], place: Place) -> Any:
    """Put the environment's values for `${NAME}` and `${NAME:-default}`, in every text inside.

    `$${` is a plain `${`. A variable that is not set and has no default is an error, and the
    text INVALID.
    """
    if isinstance(value, str) and "${" in value:
        parts = [_replacement(match, env, place) for match in _REFERENCE.finditer(value)]
        if INVALID in parts:
            return INVALID
        replacements = iter(parts)
        return _REFERENCE.sub(lambda _: next(replacements), value)
    if isinstance(value, list):
        return [substitute(item, env, place.at(i)) for i, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: substitute(item, env, place.at(key)) for key, item in value.items()}
    return value


def _replacement(match: re.Match[str], env: Mapping[str, str], place: Place) -> Any:
    name, default = match.groups()
    if match.group() == "$${":
        return "${"
    place = place.at(secret=True)  # the line may be that of a password
    if name is None:
        place.error("${ without a variable's name and }", "a plain ${ is written $${")
    elif name in env:
        return env[name]
    elif default is not None:
        return str(default)
    else:
        place.error(
            f"the environment variable {name} is not set",
            f"set it, or give a default: ${{{name}:-default}}",
        )
    return INVALID


def read_fields(cls: type, table: Any, place: Place) -> Any:
    """An instance of a settings dataclass; INVALID when a value that it needs is missing."""
    if not isinstance(table, dict):
        return _wrong(place, "a table", table)
    known = fields_of(cls)
    refuse_unknown(table, known, place)
    values = read_settings(known, table, place)
    return cls(**values) if is_complete(values, known) else INVALID


def is_complete(values: Mapping[str, Any], known: Mapping[str, Setting]) -> bool:
    """Whether every required setting has a value."""
    return all(setting.name in values for setting in known.values() if setting.required)


def read_settings(
    known: Mapping[str, Setting], table: Mapping[str, Any], place: Place
) -> dict[str, Any]:
    """What the table says about the known settings, as arguments. Wrong values are left out."""
    found: dict[str, Any] = {}
    for setting in known.values():
        here = place.at(setting.key, secret=setting.note.secret)
        if setting.key in table:
            value = convert(table[setting.key], setting.type, setting.note, here)
            if value is not INVALID:
                found[setting.name] = value
        elif setting.required:
            here.error("is missing", f"{describe(setting.type, setting.note)}: {setting.note.help}")
    return found


def refuse_unknown(
    table: Mapping[str, Any],
    known: Iterable[str],
    place: Place,
    hints: Mapping[str, str] | None = None,
) -> None:
    """An error for each key that is not known; hints says more about some keys."""
    for key in table:
        if key not in known:
            hint = (hints or {}).get(key) or nearest(key, known)
            place.at(key).error("unknown key", hint or f"known: {', '.join(sorted(known))}")


def convert(value: Any, kind: Any, note: Option, place: Place) -> Any:
    """The value in its type; INVALID after an error. Numbers may be texts with their unit."""
    origin = get_origin(kind)
    if value is INVALID:
        return INVALID
    if origin in (Union, UnionType):
        return _union(value, kind, note, place)
    if origin is Literal:
        return _choice(value, get_args(kind), note, place)
    if origin is tuple:
        return _sequence(value, kind, note, place)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(value, get_args(kind)[1], note, place)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return read_fields(kind, value, place)
    return _scalar(value, kind, note, place)


def _scalar(value: Any, kind: Any, note: Option, place: Place) -> Any:
    written = value
    if kind in (int, float) and isinstance(value, str):
        value = with_unit(value, note.unit, value)
    if kind is float and type(value) is int:
        value = float(value)
    elif kind is int and type(value) is float and note.unit in ("s", "B") and value.is_integer():
        value = int(value)
    if kind is not Any and type(value) is not kind:
        hint = "a number stands without quotes" if _is_quoted_number(written, kind) else ""
        return _wrong(place, describe(kind, note, place.path[-1] == "address"), written, hint)
    if note.choices:
        return _choice(value, note.choices, note, place)
    return _in_range(value, written, note, place)


def _is_quoted_number(written: Any, kind: Any) -> bool:
    number = kind in (int, float) and isinstance(written, str)
    return number and re.fullmatch(r"[+-]?(0x[0-9A-Fa-f]+|\d+(\.\d+)?)", written) is not None


def with_unit(text: str, unit: str, otherwise: Any) -> Any:
    """The number that "5min" or "64MiB" means in s or B; otherwise, if it means none."""
    match = _QUANTITY.fullmatch(text.strip())
    scale: Mapping[str, float] = _SCALES.get(unit, {})
    if match is None or match.group(2) not in scale:
        return otherwise
    return float(match.group(1)) * scale[match.group(2)]


def _in_range(value: Any, written: Any, note: Option, place: Place) -> Any:
    if isinstance(value, bool | str):
        return value
    low = -math.inf if note.low is None else note.low
    high = math.inf if note.high is None else note.high
    if not (low <= value <= high and math.isfinite(value)):
        limits = limits_of(note, place.path[-1] == "address") or "a finite number"
        return _wrong(place, limits, written, note.help)
    return value


def _choice(value: Any, choices: tuple[Any, ...], note: Option, place: Place) -> Any:
    for choice in choices:
        # 1 == True == 1.0 in Python, but not in a configuration.
        if type(choice) is type(value) and choice == value:
            return value
        if type(choice) is float and type(value) is int and choice == value:
            return choice
    hint = ""
    if isinstance(value, str):
        hint = nearest(value, [choice for choice in choices if isinstance(choice, str)])
    shown = listed(choices, place.path[-1] == "address")
    return _wrong(place, shown, value, hint or note.help)


def _sequence(value: Any, kind: Any, note: Option, place: Place) -> Any:
    kinds: tuple[Any, ...] = get_args(kind)
    if not isinstance(value, list):
        hint = f"write [{show(value)}]" if not isinstance(value, dict) else ""
        return _wrong(place, describe(kind, note), value, hint)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        place.error(f"must be a list of {len(kinds)}, not of {len(value)}", note.help)
        return INVALID
    pairs = zip(value, kinds, strict=True)
    items = tuple(convert(item, k, note, place.at(i)) for i, (item, k) in enumerate(pairs))
    return INVALID if any(item is INVALID for item in items) else items


def _mapping(value: Any, kind: Any, note: Option, place: Place) -> Any:
    if not isinstance(value, dict):
        return _wrong(place, "a table", value, note.help)
    inner, own_note = split(kind)
    items = {
        key: convert(item, inner, own_note or note, place.at(key)) for key, item in value.items()
    }
    return INVALID if any(item is INVALID for item in items.values()) else items


def _union(value: Any, kind: Any, note: Option, place: Place) -> Any:
    members = [member for member in get_args(kind) if member is not type(None)]
    for member in members:
        if _suits(value, member, note):
            return convert(value, member, note, place)
    if len(members) == 1:
        return convert(value, members[0], note, place)
    return _wrong(place, describe(kind, note), value, note.help)


def _suits(value: Any, kind: Any, note: Option) -> bool:
    """Whether this member of a union is meant: by the TOML type alone."""
    origin = get_origin(kind)
    if origin is tuple:
        return isinstance(value, list)
    if dataclasses.is_dataclass(kind):
        return isinstance(value, dict)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in get_args(kind))
    if kind is float:
        return type(value) in (int, float) or (isinstance(value, str) and note.unit in ("s", "B"))
    return type(value) is kind


def _wrong(place: Place, expected: str, value: Any, hint: str = "") -> Any:
    """The error for a value that cannot be used; what it is stays unsaid if it is a secret."""
    if place.secret:
        place.error(f"must be {expected}")
    elif place.path[-1] == "address" and type(value) is int:
        place.error(f"must be {expected}, not {number(value, True)}", hint)
    else:
        place.error(f"must be {expected}, not {show(value)}", hint)
    return INVALID
