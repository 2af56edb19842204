"""A ready configuration block for a driver, made of what the driver says of itself."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from drivers.base import Channel, OptionError
from gateway.catalog import Driver
from gateway.config_devices import BusNotThere
from gateway.config_report import Place, Report
from gateway.config_schema import Setting, fields_of, split
from gateway.config_values import read_settings

EXAMPLE_PIN = 17
"""A GPIO without a second function on any Pi."""

_BUSES = {
    # kind: an example of `device`, or of what else such a bus needs
    "i2c": 'device = "/dev/i2c-1"',
    "serial": 'device = "/dev/ttyUSB0"  # better a name below /dev/serial/by-id',
    "spi": 'device = "/dev/spidev0.0"',
    "gpio": "",
}


def block(driver: Driver) -> str:
    """TOML of a bus and a device: required options with an example, the others with defaults."""
    rows = []
    if driver.has_bus:
        kind = driver.bus_kinds[0]
        rows += ["[[bus]]", f'name = "{kind}"', f'kind = "{kind}"']
        rows += [_BUSES[kind]] if _BUSES.get(kind) else []
        rows += [""]
    rows += ["[[device]]", f'name = "{driver.name.replace("_", "-")}"', f'driver = "{driver.name}"']
    if driver.has_bus:
        rows.append(f'bus = "{driver.bus_kinds[0]}"')
    for option in driver.options.values():
        if option.required:
            rows.append(f"{option.name} = {toml(example(option), option.name)}")
        elif option.default is not None:
            rows.append(f"#{option.name} = {toml(option.default, option.name)}")
    return "\n".join(rows) + "\n"


def channels(driver: Driver) -> Sequence[Channel] | None:
    """With the options of `block`; None if the driver cannot be made with them."""
    table = {name: example(option) for name, option in driver.options.items() if option.required}
    values = read_settings(driver.options, table, Place(Report("", [], {}, table)))
    try:
        return driver.create(BusNotThere(), values).channels
    except OptionError:
        return None


def example(option: Setting) -> Any:
    """A value that the option takes."""
    if option.note.example is not None:
        listed = get_origin(option.type) is tuple
        return [option.note.example] if listed else option.note.example
    if option.note.choices:
        return option.note.choices[0]
    return _example_of(option.type, option)


def _example_of(kind: Any, option: Setting) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return args[0]
    if origin is tuple:
        return tuple(_example_of(a, option) for a in args if a is not Ellipsis)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"name": _example_of(split(args[1])[0], option)}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return {name: example(field) for name, field in fields_of(kind).items() if field.required}
    if args:
        return _example_of(next(a for a in args if a is not NoneType), option)
    if option.name == "pin" or option.name.endswith("_pin"):
        limit = option.note.high
        return EXAMPLE_PIN if limit is None or limit >= EXAMPLE_PIN else int(option.note.low or 0)
    if kind in (int, float):
        return kind(max(1, option.note.low or 0))
    return {bool: False}.get(kind, option.name)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def toml(value: Any, name: str = "") -> str:
    """A value as TOML; addresses in hexadecimal, as `i2cdetect` prints them."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml(item, name) for item in value)}]"
    if isinstance(value, Mapping):
        items = (f"{_key(key)} = {toml(item)}" for key, item in value.items())
        return f"{{ {', '.join(items)} }}" if value else "{}"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return f"{value}".removesuffix(".0")
    return f"0x{value:02x}" if name == "address" else f"{value}"
