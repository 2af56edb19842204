"""SunSpec information models as channels: what lies where in a model's registers. Pure.

SunSpec Device Information Model Specification V1.1 and the model definitions of the SunSpec
Alliance (github.com/sunspec/models): 1, 101 to 103, 111 to 113, 160, 201 to 204, 211 to 214.
Offsets count from the model's own number, as in the models' tables.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.base import Channel, Reading
from drivers.serial.units import scaled

SUNS = b"SunS"
BASES = (40000, 0, 50000)
END = 0xFFFF
COMMON, MPPT = 1, 160
INVERTERS, INVERTERS_FLOAT = (101, 102, 103), (111, 112, 113)
METERS, METERS_FLOAT = (201, 202, 203, 204), (211, 212, 213, 214)
KNOWN = (COMMON, MPPT, *INVERTERS, *INVERTERS_FLOAT, *METERS, *METERS_FLOAT)
STRINGS = 4
"""Of an inverter, that `channels` lists; more come all the same."""

STATES = {
    1: "off",
    2: "sleeping",
    3: "starting",
    4: "producing",
    5: "throttled",
    6: "shutting down",
    7: "fault",
    8: "standby",
}

INT16_ABSENT, UINT16_ABSENT = -0x8000, 0xFFFF


@dataclass(frozen=True, slots=True)
class Point:
    """kind: s int16, u uint16, a acc32, f float32. factor: offset of its scale factor. exponent:
    from the model's unit to ours."""

    name: str
    quantity: str
    at: int
    kind: str
    factor: int = 0
    exponent: int = 0


def _phases(name: str, quantity: str, at: int, kind: str, factor: int, **more: int) -> list[Point]:
    step = 1 if kind in "su" else 2
    return [
        Point(f"{name}_l{n + 1}", quantity, at + n * step, kind, factor, **more) for n in range(3)
    ]


def _total(name: str, at: int, kind: str, factor: int, exponent: int = 0) -> list[Point]:
    quantity = "energy" if name.startswith("energy") else name
    step = 1 if kind in "su" else 2
    return [
        Point(name, quantity, at, kind, factor, exponent),
        *_phases(name, quantity, at + step, kind, factor, exponent=exponent),
    ]


_INVERTER = [
    Point("current", "current", 2, "u", 6),
    *_phases("current", "current", 3, "u", 6),
    *_phases("voltage", "voltage", 10, "u", 13),
    Point("power", "power", 14, "s", 15),
    Point("frequency", "frequency", 16, "u", 17),
    Point("apparent_power", "apparent_power", 18, "s", 19),
    Point("reactive_power", "reactive_power", 20, "s", 21),
    Point("power_factor", "power_factor", 22, "s", 23, -2),
    Point("energy_export", "energy", 24, "a", 26, -3),
    Point("current_dc", "current", 27, "u", 28),
    Point("voltage_dc", "voltage", 29, "u", 30),
    Point("power_dc", "power", 31, "s", 32),
    Point("temperature", "temperature", 33, "s", 37),
    Point("temperature_heat_sink", "temperature", 34, "s", 37),
]
_INVERTER_FLOAT = [
    Point("current", "current", 2, "f"),
    *_phases("current", "current", 4, "f", 0),
    *_phases("voltage", "voltage", 16, "f", 0),
    Point("power", "power", 22, "f"),
    Point("frequency", "frequency", 24, "f"),
    Point("apparent_power", "apparent_power", 26, "f"),
    Point("reactive_power", "reactive_power", 28, "f"),
    Point("power_factor", "power_factor", 30, "f", 0, -2),
    Point("energy_export", "energy", 32, "f", 0, -3),
    Point("current_dc", "current", 34, "f"),
    Point("voltage_dc", "voltage", 36, "f"),
    Point("power_dc", "power", 38, "f"),
    Point("temperature", "temperature", 40, "f"),
    Point("temperature_heat_sink", "temperature", 42, "f"),
]
_METER = [
    *_total("current", 2, "s", 6),
    *_phases("voltage", "voltage", 8, "s", 15),
    Point("frequency", "frequency", 16, "s", 17),
    *_total("power", 18, "s", 22),
    *_total("apparent_power", 23, "s", 27),
    *_total("reactive_power", 28, "s", 32),
    *_total("power_factor", 33, "s", 37, -2),
    *_total("energy_export", 38, "a", 54, -3),
    *_total("energy_import", 46, "a", 54, -3),
]
_METER_FLOAT = [
    *_total("current", 2, "f", 0),
    *_phases("voltage", "voltage", 12, "f", 0),
    Point("frequency", "frequency", 26, "f"),
    *_total("power", 28, "f", 0),
    *_total("apparent_power", 36, "f", 0),
    *_total("reactive_power", 44, "f", 0),
    *_total("power_factor", 52, "f", 0),  # from 0 to 1, where the whole-number models have percent
    *_total("energy_export", 60, "f", 0, -3),
    *_total("energy_import", 68, "f", 0, -3),
]
POINTS: dict[int, list[Point]] = {
    **dict.fromkeys(INVERTERS, _INVERTER),
    **dict.fromkeys(INVERTERS_FLOAT, _INVERTER_FLOAT),
    **dict.fromkeys(METERS, _METER),
    **dict.fromkeys(METERS_FLOAT, _METER_FLOAT),
}
_STATE_AT = {**dict.fromkeys(INVERTERS, 38), **dict.fromkeys(INVERTERS_FLOAT, 48)}
_TEXTS = (("manufacturer", 2, 16), ("model", 18, 16), ("firmware", 42, 8), ("device_id", 50, 16))

_STRING_AT, _STRING_LENGTH = 10, 20
_STRING = [
    Point("current", "current", 9, "u", 2),
    Point("voltage", "voltage", 10, "u", 3),
    Point("power", "power", 11, "u", 4),
    Point("energy", "energy", 12, "a", 5, -3),
]


def _channel(name: str, point: Point) -> Channel:
    return Channel(name, point.quantity, rising=point.quantity == "energy")


CHANNELS: tuple[Channel, ...] = (
    *(Channel(name, "identity") for name, _, _ in _TEXTS),
    Channel("state", "text"),
    *(_channel(point.name, point) for point in _INVERTER),
    *(_channel(f"meter_{point.name}", point) for point in _METER),
    *(_channel(f"{point.name}_pv{n}", point) for n in range(1, STRINGS + 1) for point in _STRING),
)


def readings(model: int, data: bytes, meter: int) -> Iterator[Reading]:
    """What a model's registers say; points that the device does not have are left out.

    meter: the how manieth meter of the device this is, from 1.
    """
    if model == COMMON:
        yield from _identity(data)
    elif model == MPPT:
        yield from _strings(data)
    else:
        is_meter = model in METERS or model in METERS_FLOAT
        prefix = "" if not is_meter else "meter_" if meter == 1 else f"meter{meter}_"
        for point in POINTS[model]:
            value = _value(point, data, 0)
            if value is not None:
                yield _reading(prefix + point.name, value, model, point)
        if model in _STATE_AT:
            state = _unsigned(data, _STATE_AT[model])
            if state != UINT16_ABSENT:
                yield Reading("state", STATES.get(state, str(state)), code=f"{model}.St")


def _reading(name: str, value: float, model: int, point: Point) -> Reading:
    return Reading(name, value, code=f"{model}.{point.at}", quantity=point.quantity)


def _identity(data: bytes) -> Iterator[Reading]:
    for name, at, words in _TEXTS:
        text = data[2 * at : 2 * (at + words)].split(b"\0", 1)[0].decode("ascii", "replace").strip()
        if text:
            yield Reading(name, text, code=f"{COMMON}.{at}")


def _strings(data: bytes) -> Iterator[Reading]:
    """Of each string of modules what its tracker measures."""
    room = (len(data) // 2 - _STRING_AT) // _STRING_LENGTH
    for n in range(min(_unsigned(data, 8), room)):
        for point in _STRING:
            value = _value(point, data, _STRING_AT + n * _STRING_LENGTH)
            if value is not None:
                yield _reading(f"{point.name}_pv{n + 1}", value, MPPT, point)


def _unsigned(data: bytes, at: int) -> int:
    return int.from_bytes(data[2 * at : 2 * at + 2], "big")


def _signed(data: bytes, at: int) -> int:
    return int.from_bytes(data[2 * at : 2 * at + 2], "big", signed=True)


def _value(point: Point, data: bytes, base: int) -> float | None:
    at = base + point.at
    if 2 * at + (2 if point.kind in "su" else 4) > len(data):
        return None
    if point.kind == "f":
        (number,) = struct.unpack_from(">f", data, 2 * at)
        return number * 10.0**point.exponent if math.isfinite(number) else None
    raw = {"u": _unsigned, "s": _signed, "a": _long}[point.kind](data, at)
    absent = {"u": UINT16_ABSENT, "s": INT16_ABSENT}.get(point.kind)
    factor = _signed(data, point.factor)
    if raw == absent or not -10 <= factor <= 10:
        return None
    return scaled(raw, factor + point.exponent)


def _long(data: bytes, at: int) -> int:
    return int.from_bytes(data[2 * at : 2 * at + 4], "big")
