"""What the binary formats have in common: a reader that trusts no length. Pure.

A length is believed only as far as bytes are there; nesting, repeated names and what follows the
value are refused. Names in a mapping are text.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

from gateway.codecs.commands import MAX_DEPTH

ONE_VALUE = Callable[["Reader", int], Any]
"""Reads one value; the number is how deep it stands."""
_FLOATS = {2: struct.Struct(">e"), 4: struct.Struct(">f"), 8: struct.Struct(">d")}


def nearest(value: int) -> float:
    """The float for an integer that is too wide for the format; infinite where there is none."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


class Reader:
    """Walks over a payload. ValueError where it does not go on."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def byte(self) -> int:
        if not self.left:
            raise ValueError("cut short")
        self._at += 1
        return self._data[self._at - 1]

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise ValueError("cut short")
        self._at += size
        return self._data[self._at - size : self._at]

    def integer(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "big", signed=signed)

    def floating(self, size: int) -> float:
        return float(_FLOATS[size].unpack(self.take(size))[0])

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise ValueError("a text that is not UTF-8") from None

    def array(self, size: int, one: ONE_VALUE, depth: int) -> list[Any]:
        self._enter(size, depth)
        return [one(self, depth + 1) for _ in range(size)]

    def mapping(self, size: int, one: ONE_VALUE, depth: int) -> dict[str, Any]:
        self._enter(2 * size, depth)
        fields: dict[str, Any] = {}
        for _ in range(size):
            name = one(self, depth + 1)
            if not isinstance(name, str):
                raise ValueError("a field's name that is no text")
            fields[name] = one(self, depth + 1)
        if len(fields) != size:
            raise ValueError("a field is given twice")
        return fields

    def _enter(self, least: int, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        if least > self.left:
            raise ValueError("cut short")  # a value takes a byte at least


def read_all(payload: bytes, one: ONE_VALUE, name: str) -> Any:
    """The one value that the payload is. ValueError says that it is not, and why."""
    reader = Reader(payload)
    try:
        value = one(reader, 0)
        if reader.left:
            raise ValueError(f"{reader.left} bytes follow the value")
    except ValueError as error:
        raise ValueError(f"the payload is not valid {name}: {error}") from None
    return value


def or_envelope(
    loads: Callable[[bytes], Any], text: Callable[[bytes], Any]
) -> Callable[[bytes], Any]:
    """Commands in a binary dialect: its own values, or a JSON envelope, whose `{` is no beginning
    of a whole value of so few bytes in MessagePack or CBOR."""
    return lambda payload: (text if payload[:1] == b"{" else loads)(payload)
