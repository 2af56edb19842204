"""`tidegate schema`: the configuration as JSON Schema, for editors.

Draft 7, which the TOML language servers understand. One definition a driver. `tidegate check`
tells more: references between tables, addresses, names.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from drivers.base import Option
from gateway.catalog import Driver, everything
from gateway.config import TABLES
from gateway.config_schema import Setting, fields_of, split
from gateway.config_values import DURATIONS, SIZES
from gateway.settings import (
    NAME_PATTERN,
    AlarmSettings,
    BusSettings,
    CommanderSettings,
    DeviceSettings,
    FilterSettings,
    LoadBudgetSettings,
    OutputSettings,
)
from gateway.settings_people import PeopleSettings
from gateway.settings_rules import ActionSettings, ConditionSettings, RuleSettings

HELP = "Print the configuration's JSON Schema, for editors that complete and check TOML."
EXAMPLES = """\
tidegate schema > gateway.schema.json        # then, first line of gateway.toml:
                                             # #:schema ./gateway.schema.json"""

OTHERS: dict[str, type] = {
    "alarm": AlarmSettings,
    "load_budget": LoadBudgetSettings,
    "rule": RuleSettings,
    "commander": CommanderSettings,
    "people": PeopleSettings,
}
"""Arrays of named tables that no driver adds anything to."""

Schema = dict[str, Any]

SHARED = {FilterSettings: "filter", ConditionSettings: "condition", ActionSettings: "action"}
"""What is defined once, with its name; a condition may hold conditions."""

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_SCALES: dict[str, Mapping[str, float]] = {"s": DURATIONS, "B": SIZES}


def configure(parser: argparse.ArgumentParser) -> None:
    """It takes no arguments."""


def run(args: argparse.Namespace) -> int:
    drivers = [driver for _, driver in everything() if isinstance(driver, Driver)]
    print(json.dumps(schema(drivers), ensure_ascii=False, indent=2))
    return 0


def schema(drivers: Iterable[Driver]) -> Schema:
    """The JSON Schema of a configuration that may use these drivers."""
    tables = {name: _table(fields_of(cls)) for name, cls in TABLES.items()}
    devices = {driver.name: _device(driver) for driver in drivers}
    bus = _named(_table(fields_of(BusSettings)))
    device = {
        "type": "object",
        "required": ["name", "driver"],
        "properties": {"driver": {"enum": sorted(devices)}},
        "allOf": [_if_driver(name) for name in devices],
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Tidegate configuration",
        "type": "object",
        "required": ["gateway", "upstream"],
        "additionalProperties": False,
        "properties": {
            **tables,
            "bus": {"type": "array", "items": bus},
            "device": {"type": "array", "items": device},
            **{name: _array(cls) for name, cls in OTHERS.items()},
        },
        "definitions": {
            **{name: _table(fields_of(cls)) for cls, name in SHARED.items()},
            **{f"driver-{name}": definition for name, definition in devices.items()},
        },
    }


def _if_driver(name: str) -> Schema:
    asked = {"properties": {"driver": {"const": name}}, "required": ["driver"]}
    return {"if": asked, "then": {"$ref": f"#/definitions/driver-{name}"}}


def _device(driver: Driver) -> Schema:
    outputs = fields_of(OutputSettings) if driver.is_actuator else {}
    found = _named(_table({**fields_of(DeviceSettings), **outputs, **driver.options}))
    found["description"] = driver.summary
    found["properties"]["driver"] = {"const": driver.name, "description": driver.summary}
    if driver.has_bus:
        found["required"].append("bus")
    return found


def _array(cls: type) -> Schema:
    return {"type": "array", "items": _named(_table(fields_of(cls)))}


def _named(table: Schema) -> Schema:
    table["properties"]["name"]["pattern"] = f"^{NAME_PATTERN}$"
    return table


def _table(settings: Mapping[str, Setting]) -> Schema:
    return {
        "type": "object",
        "required": [setting.key for setting in settings.values() if setting.required],
        "additionalProperties": False,
        "properties": {name: _setting(setting) for name, setting in settings.items()},
    }


def _setting(setting: Setting) -> Schema:
    found = {"description": setting.note.help, **_kind(setting.type, setting.note)}
    if not setting.required and setting.default is not None:
        found["default"] = setting.default
    return found


def _kind(kind: Any, note: Option) -> Schema:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        members = [_kind(a, note) for a in args if a is not NoneType]
        return members[0] if len(members) == 1 else {"anyOf": members}
    if origin is Literal:
        return {"enum": list(args)}
    if origin is tuple:
        return {"type": "array", **_items(args, note)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        inner, own_note = split(args[1])
        return {"type": "object", "additionalProperties": _kind(inner, own_note or note)}
    if kind in SHARED:
        return {"$ref": f"#/definitions/{SHARED[kind]}"}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _table(fields_of(kind))
    return {"enum": list(note.choices)} if note.choices else _plain(kind, note)


def _items(args: tuple[Any, ...], note: Option) -> Schema:
    if args[-1] is Ellipsis:
        return {"items": _kind(args[0], note)}
    kinds = [_kind(a, note) for a in args]
    return {"items": kinds, "minItems": len(kinds), "maxItems": len(kinds)}


def _plain(kind: Any, note: Option) -> Schema:
    found: Schema = {"type": _TYPES[kind]} if kind in _TYPES else {}
    if kind not in (int, float):
        return found
    if note.low is not None:
        found["minimum"] = note.low
    if note.high is not None:
        found["maximum"] = note.high
    if note.unit in _SCALES:
        units = "|".join(_SCALES[note.unit])
        # Or what the environment says in its place.
        text = {"type": "string", "pattern": rf"^[0-9.]+ ?({units})$|\$\{{"}
        return {"anyOf": [found, text]}
    return found
