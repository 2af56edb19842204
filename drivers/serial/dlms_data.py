"""DLMS data (A-XDR): bytes to values and lists, and the notification around them. Pure.

DLMS UA 1000-2 (Green Book), 9.5 (Data) and 9.4.6.1 (data-notification); IEC 61334-6 for lengths;
DLMS UA 1000-1 (Blue Book), 4.1.6.1 for the twelve bytes of a time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeAlias

Item: TypeAlias = "bytes | str | bool | int | float | list[Item] | None"

NOTIFICATION = 0x0F
OCTETS = 9
DEPTH_MAX = 12
TIME_LENGTH = 12
NO_YEAR, NO_DEVIATION = 0xFFFF, -0x8000

_NUMBERS = {
    # tag: struct format
    5: ">i",
    6: ">I",
    15: ">b",
    16: ">h",
    17: ">B",
    18: ">H",
    20: ">q",
    21: ">Q",
    22: ">B",
    23: ">f",
    24: ">d",
}
_NULL, _ARRAY, _STRUCTURE, _BOOLEAN, _BITS, _ENUM = 0, 1, 2, 3, 4, 22
_TEXTS = (10, 12)
_FIXED = {25: 12, 26: 5, 27: 4}
_BCD = 13


class Malformed(ValueError):
    """Not DLMS data; the message says what and where."""


class Enum(int):
    """An enumeration, such as a unit: told apart from other whole numbers."""


@dataclass(frozen=True, slots=True)
class Notification:
    """time: twelve bytes as sent, or b""."""

    time: bytes
    body: Item


def notification(data: bytes) -> Notification:
    """A data-notification APDU. Some meters send the time's length with a tag before it."""
    if not data or data[0] != NOTIFICATION:
        raise Malformed(f"no data-notification but {data[:4].hex(' ')}")
    at = 5  # behind the long-invoke-id-and-priority
    if data[at : at + 2] == bytes([OCTETS, TIME_LENGTH]):
        at += 1
    if at >= len(data):
        raise Malformed("a notification that ends too early")
    length = data[at]
    if length not in (0, TIME_LENGTH):
        raise Malformed(f"a time of {length} bytes")
    time = data[at + 1 : at + 1 + length]
    body, end = _item(data, at + 1 + length, 0)
    while data[end:].strip(b"\0"):  # some meters count their list wrong, or end it early
        if not isinstance(body, list):
            raise Malformed(f"{len(data) - end} bytes behind the data")
        more, end = _item(data, end, 0)
        body.append(more)
    return Notification(time, body)


def _item(data: bytes, at: int, depth: int) -> tuple[Item, int]:
    """The item at a position, and where the next one begins."""
    if at >= len(data) or depth > DEPTH_MAX:
        raise Malformed("data that end too early, or are nested too deep")
    tag, at = data[at], at + 1
    if tag == _NULL:
        return None, at
    if tag in (_ARRAY, _STRUCTURE):
        count, at = length(data, at)
        items: list[Item] = []
        for _ in range(count):
            item, at = _item(data, at, depth + 1)
            items.append(item)
        return items, at
    if tag in _NUMBERS:
        return _number(data, at, tag)
    if tag == _BOOLEAN:
        return _taken(data, at, 1) != b"\0", at + 1
    if tag in _FIXED:
        return _taken(data, at, _FIXED[tag]), at + _FIXED[tag]
    if tag in (OCTETS, *_TEXTS, _BITS, _BCD):
        count, at = length(data, at)
        size = -(-count // 8) if tag == _BITS else count
        octets = _taken(data, at, size)
        return (octets.decode("utf-8", "replace") if tag in _TEXTS else octets), at + size
    raise Malformed(f"an unknown kind of data, {tag}, at {at - 1}")


def _number(data: bytes, at: int, tag: int) -> tuple[Item, int]:
    size = struct.calcsize(_NUMBERS[tag])
    (value,) = struct.unpack(_NUMBERS[tag], _taken(data, at, size))
    return (Enum(value) if tag == _ENUM else value), at + size


def _taken(data: bytes, at: int, count: int) -> bytes:
    octets = data[at : at + count]
    if len(octets) < count:
        raise Malformed("data that end too early")
    return octets


def length(data: bytes, at: int) -> tuple[int, int]:
    first = _taken(data, at, 1)[0]
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    if count > 2:
        raise Malformed(f"a length in {count} bytes")
    return int.from_bytes(_taken(data, at + 1, count), "big"), at + 1 + count


def time_text(octets: bytes) -> str:
    """ISO 8601, with the zone where the meter says it; "" for a time that is not specified."""
    fields = struct.unpack(">HBBxBBBxh", octets[:11])
    year, month, day, hour, minute, second, deviation = fields
    if year == NO_YEAR or not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60):
        return ""
    second = second if second < 60 else 0
    text = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    if deviation == NO_DEVIATION or abs(deviation) > 720:
        return text
    ahead = -deviation  # it says how far UTC is from the local time
    return f"{text}{'-' if ahead < 0 else '+'}{abs(ahead) // 60:02}:{abs(ahead) % 60:02}"
