"""The encoding of SML: bytes to nested lists, and the messages of a telegram. Pure.

BSI TR-03109-1, annex IV b, section 6.3 (SML Binary Encoding) and 5.1 (SML_Message).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Item: TypeAlias = "bytes | bool | int | list[Item] | None"
"""Octets, Boolean, a whole number, a list, or None for an optional element that is left out."""

ANOTHER_TL = 0x80
OCTETS, BOOLEAN, INTEGER, UNSIGNED, LIST = 0x00, 0x40, 0x50, 0x60, 0x70
LEFT_OUT = 0x01
END_OF_MESSAGE = 0x00

DEPTH_MAX = 16
"""Lists in lists. A GetList.Res needs 6."""

NUMBER_MAX = 8
"""Bytes of the widest number there is, Integer64."""

GET_LIST_RESPONSE = 0x0701


class Malformed(ValueError):
    """Not SML: the message says what and where."""


class Negative(int):
    """A number below 0, and the bytes it came in: some meters send positive ones so by mistake."""

    width: int

    def __new__(cls, octets: bytes) -> Negative:
        number = super().__new__(cls, int.from_bytes(octets, "big", signed=True))
        number.width = len(octets)
        return number


@dataclass(frozen=True, slots=True)
class Message:
    """One SML_Message: the kind of its body, the body, what its checksum covers, and that."""

    kind: int
    body: Item
    raw: bytes
    crc: int


def messages(data: bytes) -> list[Message]:
    """All messages of a telegram, of known kinds or not. Zeros behind the last are fill bytes."""
    found = []
    at = 0
    while at < len(data):
        if data[at] == END_OF_MESSAGE and not data[at:].strip(b"\0"):
            break
        try:
            one, at = _message(data, at)
        except IndexError:
            raise Malformed(f"the message at {at} is cut off") from None
        found.append(one)
    if not found:
        raise Malformed("a telegram without messages")
    return found


def _message(data: bytes, start: int) -> tuple[Message, int]:
    """transactionId, groupNo, abortOnError, messageBody, crc16, endOfSmlMsg."""
    if data[start] != LIST | 6:
        raise Malformed(f"no message at {start}: {data[start]:02x}, not 76")
    at = start + 1
    for _ in range(3):
        _, at = item(data, at)
    body, at = item(data, at)
    crc, end = item(data, at)
    if not isinstance(body, list) or len(body) != 2 or not isinstance(body[0], int):
        raise Malformed(f"no message body in the message at {start}")
    if not isinstance(crc, int) or crc < 0 or data[end] != END_OF_MESSAGE:
        raise Malformed(f"no checksum or no end in the message at {start}")
    return Message(body[0], body[1], data[start:at], crc & 0xFFFF), end + 1


def item(data: bytes, at: int, depth: int = 0) -> tuple[Item, int]:
    """The element at a position, and the position behind it. IndexError past the end."""
    first = data[at]
    if first == LEFT_OUT:
        return None, at + 1
    value_at = at + 1
    length = first & 0x0F
    if first & ANOTHER_TL:
        length, value_at = _long_length(data, at)
    kind = first & 0x70
    if kind == LIST:
        return _list(data, value_at, length, depth)
    end = at + length
    if end < value_at or end > len(data):
        raise Malformed(f"element of length {length} at {at}")
    return _value(kind, data[value_at:end], at), end


def _long_length(data: bytes, at: int) -> tuple[int, int]:
    """A type-length field of several bytes, 4 bits of length in each, and where the value begins.

    The length counts the field itself, save that of a list, which counts elements.
    """
    length = data[at] & 0x0F
    while data[at] & ANOTHER_TL:
        at += 1
        length = length << 4 | data[at] & 0x0F
        if length > len(data):
            raise Malformed(f"element longer than the telegram at {at}")
    return length, at + 1


def _list(data: bytes, at: int, count: int, depth: int) -> tuple[list[Item], int]:
    # Each element takes a byte at least: no count can make us do more than there is data.
    if depth == DEPTH_MAX or count > len(data) - at:
        raise Malformed(f"list of {count} elements, {depth} deep, at {at}")
    elements: list[Item] = []
    for _ in range(count):
        if data[at] == LEFT_OUT:
            elements.append(None)
            at += 1
        else:
            element, at = item(data, at, depth + 1)
            elements.append(element)
    return elements, at


def _value(kind: int, octets: bytes, at: int) -> Item:
    if kind == OCTETS:
        return octets
    if kind in (INTEGER, UNSIGNED) and 1 <= len(octets) <= NUMBER_MAX:
        if kind == INTEGER and octets[0] & 0x80:
            return Negative(octets)
        return int.from_bytes(octets, "big")
    if kind == BOOLEAN and len(octets) == 1:
        return octets != b"\0"
    raise Malformed(f"element of type {kind:02x} with {len(octets)} bytes at {at}")
