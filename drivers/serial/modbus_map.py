"""Device maps: which register of a Modbus device holds what. Data, as a file or in the config.

A map is a TOML file in `drivers/serial/maps/`, or one of the user's own:

    title = "Eastron SDM120"
    source = "Eastron SDM120 Modbus protocol V2.4"
    line = "2400 8N1"                     # as delivered
    table = "input"                       # for registers that do not say
    kind = "float32"

    [registers.voltage]
    address = 0x0000
    quantity = "voltage"

The fields of `Register` and `DeviceMap`, with their notes, are the schema.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from drivers.base import Option, OptionError
from drivers.quantities import QUANTITIES
from drivers.serial.modbus_frame import REGISTERS_MAX

MAPS = Path(__file__).parent / "maps"
OWN = "own"

WORDS = {
    # kind: registers
    "bool": 1,
    "uint16": 1,
    "int16": 1,
    "uint32": 2,
    "int32": 2,
    "float32": 2,
    "uint64": 4,
    "int64": 4,
    "float64": 4,
    "string": 0,
}
TABLES = ("coil", "discrete", "holding", "input")
BITS = ("coil", "discrete")
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One value. What is left empty is taken from the map."""

    address: Annotated[int, Option("as on the wire: from 0", low=0, high=0xFFFF)]
    quantity: Annotated[str, Option("what it is", choices=tuple(QUANTITIES))]
    table: Annotated[str, Option("kind of register, empty: the map's", choices=("", *TABLES))] = ""
    kind: Annotated[str, Option("of value, empty: the map's", choices=("", *WORDS))] = ""
    order: Annotated[
        str, Option("of bytes, A the most significant; empty: the map's", choices=("", *ORDERS))
    ] = ""
    scale: Annotated[float, Option("times this gives the unit")] = 1.0
    offset: Annotated[float, Option("then plus this")] = 0.0
    mask: Annotated[int, Option("these bits alone, moved down; 0: all", low=0)] = 0
    length: Annotated[int, Option("registers of a string", low=0, high=REGISTERS_MAX)] = 0
    digits: Annotated[int, Option("decimal places; -1: by scale", low=-1, high=9)] = -1
    absent: Annotated[tuple[int, ...], Option("raw values that stand for no value")] = ()
    names: Annotated[Mapping[str, str], Option("texts for raw values")] = field(
        default_factory=dict
    )
    rising: Annotated[bool, Option("only counts up: what goes back is marked uncertain")] = False
    optional: Annotated[bool, Option("not every model has it: left out where refused")] = False

    @property
    def words(self) -> int:
        return self.length if self.kind == "string" else WORDS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMap:
    """longest, gap: registers in one request, and unasked ones that it may read on the way."""

    registers: dict[str, Register]
    title: Annotated[str, Option("device")] = ""
    source: Annotated[str, Option("where the registers are described")] = ""
    line: Annotated[str, Option("speed and frame as delivered")] = "9600 8N1"
    table: Annotated[str, Option("for registers that do not say", choices=TABLES)] = "holding"
    kind: Annotated[str, Option("for registers that do not say", choices=tuple(WORDS))] = "uint16"
    order: Annotated[str, Option("for registers that do not say", choices=ORDERS)] = "ABCD"
    longest: Annotated[int, Option("registers in one request", low=1, high=REGISTERS_MAX)] = 60
    gap: Annotated[int, Option("unasked registers between two", low=0, high=REGISTERS_MAX)] = 0
    pause: Annotated[float, Option("rest before a request", "s", low=0, high=5)] = 0.0


def names() -> list[str]:
    """The packaged maps."""
    return sorted(path.stem for path in MAPS.glob("*.toml"))


def device_map(name: str, own: Mapping[str, Register] | None) -> DeviceMap:
    """The map of this name or file, with the registers of the configuration added. OptionError."""
    base = DeviceMap(registers={}) if name == OWN else _loaded(name)
    registers = {**base.registers}
    for channel, register in (own or {}).items():
        registers[channel] = _completed(register, base, f"registers.{channel}")
    if not registers:
        raise OptionError('map "own" needs at least one table [device.registers.CHANNEL]')
    return replace(base, registers=registers)


def _loaded(name: str) -> DeviceMap:
    path = Path(name) if name.endswith(".toml") else MAPS / f"{name}.toml"
    if name not in names() and not name.endswith(".toml"):
        known = ", ".join(names())
        raise OptionError(f"map {name!r}: there is {known}; or a path ending in .toml, or {OWN}")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OptionError(f"map {path}: {error}") from error
    try:
        return parsed(table)
    except OptionError as error:
        raise OptionError(f"map {path}: {error}") from error


def parsed(table: Mapping[str, Any]) -> DeviceMap:
    """A map from its TOML. OptionError names the key."""
    written = {key: value for key, value in table.items() if key != "registers"}
    base = DeviceMap(registers={}, **_arguments(DeviceMap, written, ""))
    own = table.get("registers")
    if not isinstance(own, dict) or not own:
        raise OptionError("registers: at least one table [registers.CHANNEL]")
    registers = {}
    for channel, row in own.items():
        where = f"registers.{channel}"
        if not isinstance(row, dict):
            raise OptionError(f"{where}: must be a table")
        arguments = _arguments(Register, row, f"{where}.")
        for key in ("address", "quantity"):
            if key not in arguments:
                raise OptionError(f"{where}: {key} is missing")
        registers[channel] = _completed(Register(**arguments), base, where)
    return replace(base, registers=registers)


def _completed(register: Register, base: DeviceMap, where: str) -> Register:
    """With the map's defaults, and checked as a whole."""
    table = register.table or base.table
    kind = "bool" if table in BITS else register.kind or base.kind
    order = register.order or base.order
    whole = replace(register, table=table, kind=kind, order=order)
    if kind == "string" and not register.length:
        raise OptionError(f"{where}: a string needs its length, in registers")
    if whole.address + whole.words > 0x10000:
        raise OptionError(f"{where}: reaches beyond the last register, 65535")
    if register.mask and kind not in ("uint16", "uint32", "uint64"):
        raise OptionError(f"{where}: mask needs an unsigned kind, not {kind}")
    return whole


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


def _arguments(cls: type, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    known = {one.name for one in fields(cls)} - {"registers"}
    found = {}
    for key, value in table.items():
        if key not in known:
            raise OptionError(f"{where}{key}: unknown key; known: {', '.join(sorted(known))}")
        kind, note = get_args(_hints(cls)[key])
        found[key] = _checked(value, kind, note, where + key)
    return found


def _checked(value: Any, kind: Any, note: Option, where: str) -> Any:
    if kind is float and type(value) is int:
        value = float(value)
    if get_origin(kind) is tuple:
        if not isinstance(value, list) or any(type(one) is not int for one in value):
            raise OptionError(f"{where}: must be a list of whole numbers")
        return tuple(value)
    if get_origin(kind) is Mapping:
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise OptionError(f"{where}: must be a table of texts")
        return value
    if type(value) is not kind:
        raise OptionError(f"{where}: must be {kind.__name__}, not {value!r}")
    if note.choices and value not in note.choices:
        raise OptionError(f"{where}: {value!r} is none of {', '.join(map(str, note.choices))}")
    if (note.low is not None and value < note.low) or (note.high is not None and value > note.high):
        raise OptionError(f"{where}: {value!r} is not from {note.low} to {note.high}")
    return value
