"""What a pushed list of a smart meter says: items to readings. Pure.

Lists differ by maker and country. With an OBIS code before each value: Aidon, Kamstrup, Kaifa in
Austria and Sweden, Sagemcom. By position: Kaifa in Norway (NEK "HAN Kaifa", 2016). With the codes
in front, and the values behind: Landis+Gyr in Switzerland. Units come with the values, or are the
maker's habit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from drivers.base import Channel, Quality, Reading, Value
from drivers.serial.dlms_data import TIME_LENGTH, Enum, Item, Malformed, Notification, time_text
from drivers.serial.obis import CHANNELS as ELECTRICITY
from drivers.serial.obis import channel_of, fits, named_once, text_of
from drivers.serial.units import COSEM_UNITS, EXPONENT_MAX, scaled

CODE_LENGTH = 6

_NAMED = {
    "0-0:1.0.0*255": ("meter_time", "timestamp"),
    "0-1:1.0.0*255": ("meter_time", "timestamp"),
    "0-0:42.0.0*255": ("logical_name", "identity"),
    "0-0:96.1.7*255": ("meter_type", "identity"),
    "1-1:96.1.1*255": ("meter_type", "identity"),
    "1-0:0.2.129*255": ("list_version", "identity"),
    "1-1:0.2.129*255": ("list_version", "identity"),
    "1-1:0.0.5*255": ("device_id", "identity"),
}
CHANNELS: tuple[Channel, ...] = tuple(
    {
        one.name: one
        for one in (*ELECTRICITY, *(Channel(name, what) for name, what in _NAMED.values()))
    }.values()
)

_KAIFA = (
    "1-0:0.2.129",
    "0-0:96.1.0",
    "0-0:96.1.7",
    *(f"1-0:{c}.7.0" for c in (1, 2, 3, 4, 31, 51, 71, 32, 52, 72)),
    "0-0:1.0.0",
    *(f"1-0:{c}.8.0" for c in (1, 2, 3, 4)),
)
_ONE_PHASE = (*_KAIFA[:8], _KAIFA[10])
_BY_POSITION = {
    1: ("1-0:1.7.0",),
    9: _ONE_PHASE,
    13: _KAIFA[:13],
    14: (*_ONE_PHASE, *_KAIFA[13:]),
    18: _KAIFA,
}

Habit: TypeAlias = dict[str, int]
_WATTS: Habit = {
    # quantity: decimal exponent from what is sent to the quantity's unit
    "power": 0,
    "reactive_power": 0,
    "apparent_power": 0,
    "energy": -3,
    "reactive_energy": -3,
    "apparent_energy": -3,
}
_KAIFA_HABIT = {**_WATTS, "current": -3, "voltage": -1}
_KAMSTRUP_HABIT = {
    **_WATTS,
    "current": -2,
    "voltage": 0,
    "energy": -2,
    "reactive_energy": -2,
    "power_factor": -2,
}
_KAMSTRUP_TRANSFORMER_HABIT = {**_KAMSTRUP_HABIT, "current": -3}
_DEFINED_HABIT = {**_WATTS, "current": -2, "voltage": 0, "power_factor": -3, "frequency": 0}
"""Landis+Gyr E450 and E570."""
_DEFINED_TENTHS_HABIT = {**_DEFINED_HABIT, "voltage": -1}
"""Landis+Gyr E360 and Iskraemeco AM550."""
_TENTHS = 1000
"""No mains has so many volts between phase and neutral: it is their tenths."""
_TRANSFORMER_TYPES = ("685",)
"""Kamstrup Omnipower for current transformers."""


class Scale(tuple[int, int]):
    """A scaler and a unit, as a pair of their own."""


def readings(message: Notification) -> tuple[Reading, ...]:
    """All values of a notification. Malformed where there are none."""
    body = message.body
    if not isinstance(body, list) or not body:
        raise Malformed("a notification without a list")
    found = list(_defined(body) or _coded(body) or _positioned(body))
    if not found:
        raise Malformed("a list in a form that is not known")
    time = time_text(message.time) if message.time else ""
    if time and not any(one.channel == "meter_time" for one in found):
        found.append(Reading("meter_time", time))
    return tuple(named_once(found))


def _defined(body: list[Item]) -> list[Reading]:
    """Codes in an array in front, each with the value in its place behind."""
    first = body[0]
    if not isinstance(first, list) or not first or not all(map(_is_definition, first)):
        return []
    codes = [one[1] for one in first if isinstance(one, list)]
    pairs = [
        (code, value)
        for code, value in zip(codes, body, strict=False)
        if isinstance(code, bytes) and not isinstance(value, list)
    ]
    tenths = any(map(_is_tenths_of_volts, pairs))
    habit = _DEFINED_TENTHS_HABIT if tenths else _DEFINED_HABIT
    return [_reading(code, value, None, habit) for code, value in pairs]


def _is_tenths_of_volts(pair: tuple[bytes, Item]) -> bool:
    known, value = channel_of(pair[0]), pair[1]
    voltage = known is not None and known.quantity == "voltage"
    return voltage and isinstance(value, int) and value >= _TENTHS


def _is_definition(one: Item) -> bool:
    """Class, code, attribute, index; newer push setups add a restriction and columns."""
    return (
        isinstance(one, list)
        and len(one) in (4, 6)
        and isinstance(one[1], bytes)
        and len(one[1]) == CODE_LENGTH
        and all(isinstance(number, int) for number in (one[0], one[2], one[3]))
    )


def _coded(body: list[Item]) -> list[Reading]:
    """Code, value and perhaps a scale, in lists of their own or one after the other."""
    items = list(_flat(body))
    habit = _habit(items)
    found: list[Reading] = []
    if items and isinstance(items[0], str):  # Kamstrup: the list's version, without a code
        found.append(Reading("list_version", items[0]))
    at = 0
    while at + 1 < len(items):
        code, value = items[at], items[at + 1]
        if not isinstance(code, bytes) or len(code) != CODE_LENGTH or isinstance(value, Scale):
            at += 1
            continue
        at += 2
        scale = items[at] if at < len(items) else None
        if isinstance(scale, Scale):
            at += 1
            found.append(_reading(code, value, scale, habit))
        else:
            found.append(_reading(code, value, None, habit))
    return found if any(one.code for one in found) else []


def _flat(items: list[Item]) -> Iterator[Item | Scale]:
    for one in items:
        if not isinstance(one, list):
            yield one
        elif len(one) == 2 and isinstance(one[0], int) and isinstance(one[1], Enum):
            yield Scale((one[0], one[1]))
        else:
            yield from _flat(one)


def _habit(items: list[Item | Scale]) -> Habit:
    texts = [one for one in items if isinstance(one, str)]
    if not any(text.startswith("Kamstrup") for text in texts):
        return _WATTS
    transformer = any(text.startswith(_TRANSFORMER_TYPES) for text in texts)
    return _KAMSTRUP_TRANSFORMER_HABIT if transformer else _KAMSTRUP_HABIT


def _positioned(body: list[Item]) -> list[Reading]:
    codes = _BY_POSITION.get(len(body), ())
    return [
        _reading(_code(text), value, None, _KAIFA_HABIT)
        for text, value in zip(codes, body, strict=False)
    ]


def _code(text: str) -> bytes:
    medium, _, rest = text.partition(":")
    a, b = medium.split("-")
    return bytes([int(a), int(b), *map(int, rest.split(".")), 255])


def _reading(code: bytes, value: Item | Scale, scale: Scale | None, habit: Habit) -> Reading:
    text = text_of(code)
    name, quantity = _NAMED.get(text, ("", ""))
    if name:
        return _told(name, _text(value, quantity), text, quantity)
    known = channel_of(code)
    if isinstance(value, bool) or not isinstance(value, int | float):
        name = known.name if known is not None and known.quantity == "identity" else text
        return _told(name, _text(value, "text"), text, "text")
    if scale is None:
        return _by_habit(known, text, value, habit)
    quantity, shift = COSEM_UNITS.get(scale[1], ("count", 0))
    exponent = scale[0] + shift
    measured = _scaled(value, exponent)
    if known is not None and fits(known, quantity):
        return _told(known.name, measured, text, known.quantity)
    return _told(text, measured, text, quantity)


def _by_habit(known: Channel | None, text: str, value: float, habit: Habit) -> Reading:
    if known is None or known.quantity not in habit:
        return _told(text, value, text, "count")
    return _told(known.name, _scaled(value, habit[known.quantity]), text, known.quantity)


def _scaled(value: float, exponent: int) -> float | None:
    if abs(exponent) > EXPONENT_MAX:
        return None
    if isinstance(value, int):
        return scaled(value, exponent)
    return value * 10.0**exponent


def _told(name: str, value: Value | None, code: str, quantity: str) -> Reading:
    quality = Quality.BAD if value is None else Quality.GOOD
    return Reading(name, value, quality, code, quantity if name == code else "")


def _text(value: Item | Scale, quantity: str) -> Value | None:
    """Letters as they are, times as ISO 8601, other octets in hexadecimal."""
    if isinstance(value, bytes):
        if len(value) == TIME_LENGTH and quantity in ("timestamp", "text"):
            return time_text(value) or None
        text = value.rstrip(b"\0") or value
        printable = text.isascii() and text.decode("ascii").isprintable()
        return text.decode("ascii").strip() if printable else value.hex()
    if isinstance(value, str):
        return value.strip()
    return value if isinstance(value, bool | int | float) else None
