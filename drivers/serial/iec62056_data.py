"""Data sets in text form, `1-0:1.8.1(000004.426*kWh)`, to readings. Pure.

IEC 62056-21:2002, 6.5 (data set: address, value, unit) and 5.6 (reduced ID codes); DSMR P1
Companion Standard 5.0.2, 6.12 (which codes) and 6.4 (formats); Fluvius e-MUCS P1 1.7.1 for the
Belgian ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from drivers.base import Channel, Reading, Value
from drivers.serial import obis
from drivers.serial.units import scaled

DATA_SET = re.compile(r"([^()/!\r\n]*)((?:\([^()\r\n]*\))+)")
NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:\*(.+))?")
TIME = re.compile(r"\d{10,12}[SW]?")
MOMENT = re.compile(r"[\dSW.,:/ &-]{8,24}")
CODE = re.compile(r"(?:(\d+)-(\d+):)?(\d+)\.(\d+)(?:\.(\d+))?(?:[*&](\d+))?")

UNITS: dict[str, tuple[str, int]] = {
    # unit in lower case: (quantity, decimal exponent from the unit to the quantity's own)
    "wh": ("energy", -3),
    "kwh": ("energy", 0),
    "mwh": ("energy", 3),
    "varh": ("reactive_energy", -3),
    "kvarh": ("reactive_energy", 0),
    "vah": ("apparent_energy", -3),
    "kvah": ("apparent_energy", 0),
    "w": ("power", 0),
    "kw": ("power", 3),
    "mw": ("power", 6),
    "var": ("reactive_power", 0),
    "kvar": ("reactive_power", 3),
    "va": ("apparent_power", 0),
    "kva": ("apparent_power", 3),
    "v": ("voltage", 0),
    "a": ("current", 0),
    "hz": ("frequency", 0),
    "m3": ("volume", 0),
    "dm3": ("volume", -3),
    "l": ("volume", -3),
    "m3/h": ("volume_flow", 0),
    "m3ph": ("volume_flow", 0),
    "c": ("temperature", 0),
    "s": ("duration", 0),
    "bar": ("pressure", 3),
    "%": ("ratio", 0),
}

JOULES = {"mj": 1, "gj": 1000}
"""Mega- and gigajoule in megajoules: 3.6 MJ are a kilowatt hour."""

_NAMED = {
    "0-0:1.0.0": Channel("meter_time", "timestamp"),
    "0-0:96.14.0": Channel("tariff", "state"),
    "0-0:96.7.21": Channel("power_failures", "count"),
    "0-0:96.7.9": Channel("power_failures_long", "count"),
    "0-0:96.13.0": Channel("message", "text"),
    "0-0:96.3.10": Channel("breaker", "state"),
    "0-0:17.0.0": Channel("power_limit", "power"),
    "1-0:31.4.0": Channel("current_limit", "current"),
    "1-3:0.2.8": Channel("p1_version", "identity"),
    "0-0:96.1.4": Channel("p1_version", "identity"),
    "6.8": Channel("heat_energy", "energy", digits=3),
    "6.26": Channel("volume", "volume"),
} | {
    f"1-0:{c}.{d}.0": Channel(f"voltage_{what}_l{phase}", "count")
    for phase, c in ((1, 32), (2, 52), (3, 72))
    for d, what in ((32, "sags"), (36, "swells"))
}
"""Codes of P1 and of heat meters that are no electrical quantity."""

MBUS_KINDS = {
    # Device type of EN 13757-3, table 6, in 0-n:24.1.0: name and quantity of its register.
    2: ("electricity_energy", "energy"),
    3: ("gas_volume", "volume"),
    4: ("heat_energy", "energy"),
    6: ("warm_water_volume", "volume"),
    7: ("water_volume", "volume"),
    10: ("cooling_energy", "energy"),
    11: ("cooling_energy", "energy"),
    12: ("heat_energy", "energy"),
    13: ("heat_cooling_energy", "energy"),
}
MBUS_REGISTER = re.compile(r"0-([1-4]):24\.[23]\.\d+")
"""The register of one of up to four other meters that a P1 meter reads."""

UNITLESS = frozenset({"count", "power_factor"})

CHANNELS: tuple[Channel, ...] = tuple(
    {
        one.name: one
        for one in (
            *obis.CHANNELS,
            *_NAMED.values(),
            *(
                Channel(name + suffix, quantity, rising=True)
                for name, quantity in MBUS_KINDS.values()
                for suffix in ("", "_1", "_2", "_3", "_4")
            ),
        )
    }.values()
)


class Malformed(ValueError):
    """No data set: the message says which line."""


class DataSet(NamedTuple):
    """A code and what stands in parentheses behind it."""

    code: str
    values: list[str]


def data_sets(text: str) -> list[DataSet]:
    """All data sets of a block. Malformed for a line that is not made of data sets alone.

    A set without a code belongs to the one before: gas in DSMR 2.2 and 3.0 has its value so.
    """
    found: list[DataSet] = []
    for line in text.splitlines():
        for code, groups in _of_line(line):
            values = groups[1:-1].split(")(")
            if code:
                found.append(DataSet(code, values))
            elif found:
                found[-1].values.extend(values)
            else:
                raise Malformed(f"a value without a code: {line[:40]!r}")
    return found


def _of_line(line: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(line):
        match = DATA_SET.match(line, at)
        if match is None:
            raise Malformed(f"not a data set: {line[at : at + 40]!r}")
        yield match[1], match[2]
        at = match.end()


def readings(sets: list[DataSet]) -> tuple[Reading, ...]:
    """Every data set as a reading, in the order of the telegram."""
    others = _other_meters(sets)
    taken: set[str] = set()
    out = []
    for one in sets:
        known = others.get(one.code) or channel_of(one.code)
        value, quantity = measured(one, known.quantity if known else "")
        if known is not None and obis.fits(known, quantity) and known.name not in taken:
            taken.add(known.name)
            out.append(Reading(known.name, value, code=one.code))
        else:
            out.append(Reading(one.code, value, code=one.code, quantity=quantity))
    return tuple(out)


def _other_meters(sets: list[DataSet]) -> dict[str, Channel]:
    """Code of a register to channel, by the device type that the same telegram gives.

    Two registers of one kind are told apart by their number, also while one gives no value: a name
    must not go from one meter to another.
    """
    types = {one.code[:3]: one.values[0] for one in sets if one.code[3:] == ":24.1.0"}
    found: dict[str, tuple[str, str, str]] = {}
    for one in sets:
        match = MBUS_REGISTER.fullmatch(one.code)
        kind = types.get(one.code[:3], "")
        if match and kind.isdecimal() and int(kind) in MBUS_KINDS:
            found[one.code] = (*MBUS_KINDS[int(kind)], match[1])
    names = [name for name, _, _ in found.values()]
    return {
        code: Channel(name if names.count(name) == 1 else f"{name}_{n}", quantity)
        for code, (name, quantity, n) in found.items()
    }


@lru_cache(maxsize=512)
def channel_of(code: str) -> Channel | None:
    """The channel of a code as written: in full, or reduced as electricity meters do (`1.8.0`)."""
    named = _NAMED.get(code.removesuffix("*255"))
    match = CODE.fullmatch(code)
    if named is not None or match is None:
        return named
    a, b, c, d, e, f = match.groups()
    if e is None:
        return None
    octets = [int(part) for part in (a or "1", b or "0", c, d, e, f or "255")]
    return obis.channel_of(bytes(octets)) if max(octets) <= 255 else None


def measured(one: DataSet, expected: str) -> tuple[Value, str]:
    """The value of a data set in the unit of its quantity, and that quantity.

    expected: the quantity the code stands for, since only some have values without a unit.
    """
    values = one.values
    if len(values) == 7 and one.code.endswith(":24.3.0"):
        return _number(f"{values[6]}*{values[5]}", expected)  # DSMR 2.2: unit and value apart
    if len(values) == 2 and TIME.fullmatch(values[0]):
        return _number(values[1], expected)
    if len(values) == 1 or (len(values) == 2 and MOMENT.fullmatch(values[1]) and "*" in values[0]):
        return _number(values[0], expected)  # a maximum, and when it was
    return "".join(f"({value})" for value in values), "text"


def _number(text: str, expected: str) -> tuple[Value, str]:
    match = NUMBER.fullmatch(text)
    if match is None:
        return text, _words(expected)
    sign, whole, decimals, unit = match.groups(default="")
    digits, exponent = int(f"{sign}{whole}{decimals}"), -len(decimals)
    unit = unit.strip().lower()
    if unit in JOULES:
        return float(digits * JOULES[unit] * Fraction(10) ** exponent / Fraction(36, 10)), "energy"
    if unit in UNITS:
        quantity, shift = UNITS[unit]
        return scaled(digits, exponent + shift), quantity
    if not unit and expected in UNITLESS:
        return scaled(digits, exponent), expected
    return text, _words(expected)


def _words(expected: str) -> str:
    return expected if expected in ("state", "timestamp", "identity") else "text"
