"""Anything that sends binary frames of one length: a struct format says what is where.

For microcontrollers and sensors that speak by themselves and have no driver of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from drivers.base import Channel, Option, OptionError, Reading, SerialPort
from drivers.quantities import QUANTITIES
from drivers.serial.crc import modbus
from drivers.serial.framing import Found, FrameDecoder, Skip, noise
from drivers.serial.stream import StreamMeter, checked_line

LENGTH_MAX = 1024


def _xor(data: bytes) -> int:
    found = 0
    for byte in data:
        found ^= byte
    return found


CHECKSUMS: dict[str, tuple[int, Callable[[bytes], int], str]] = {
    # name: (bytes, of all bytes of the frame before it, byte order)
    "none": (0, lambda data: 0, "big"),
    "sum8": (1, lambda data: sum(data) & 0xFF, "big"),
    "negated_sum8": (1, lambda data: -sum(data) & 0xFF, "big"),
    "xor8": (1, _xor, "big"),
    "sum16": (2, lambda data: sum(data) & 0xFFFF, "big"),
    "sum16_little": (2, lambda data: sum(data) & 0xFFFF, "little"),
    "crc16_modbus": (2, modbus, "little"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One item of the format."""

    item: Annotated[int, Option("its place in the format, from 0", low=0, high=255)]
    quantity: Annotated[str, Option("what it is", choices=tuple(QUANTITIES))]
    scale: Annotated[float, Option("times this gives the unit")] = 1.0
    offset: Annotated[float, Option("then plus this")] = 0.0
    digits: Annotated[int, Option("decimal places", low=0, high=9)] = 3


class FramesDecoder(FrameDecoder):
    """Frames of one length that begin with fixed bytes and may end with a checksum."""

    def __init__(
        self,
        *,
        begin: Annotated[str, Option("first bytes, in hexadecimal", example="aa 55")],
        layout: Annotated[
            str, Option("Python struct format of what follows, as >hH", example=">hH")
        ],
        fields: Annotated[Mapping[str, Part], Option("the items that are channels, by name")],
        checksum: Annotated[
            str, Option("of all bytes before it", choices=tuple(CHECKSUMS))
        ] = "none",
    ) -> None:
        self._begin = _bytes(begin)
        self._layout = _layout(layout)
        self._size, self._check, order = CHECKSUMS[checksum]
        self._little = order == "little"
        self._fields = fields
        items = len(self._layout.unpack(bytes(self._layout.size)))
        for name, part in fields.items():
            if part.item >= items:
                raise OptionError(f"fields.{name}: layout has no item {part.item}, but {items}")
        if not fields:
            raise OptionError("fields: at least one table [device.fields.CHANNEL]")
        self._length = len(self._begin) + self._layout.size + self._size
        super().__init__(2 * self._length)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The fields, with their quantities."""
        return tuple(Channel(name, one.quantity) for name, one in self._fields.items())

    def scan(self, data: bytearray, final: bool) -> Found | Skip | None:
        start = data.find(self._begin)
        if start:
            return noise(data, start, self._begin, final)
        if len(data) < self._length:
            return None
        frame = bytes(data[: self._length])
        end = self._length - self._size
        sent = int.from_bytes(frame[end:], "little" if self._little else "big")
        if sent != self._check(frame[:end]):
            return Skip(1, "wrong checksum")
        return Found(self._length, self._readings(frame[len(self._begin) : end]))

    def _readings(self, data: bytes) -> tuple[Reading, ...]:
        items = self._layout.unpack(data)
        return tuple(_reading(name, part, items) for name, part in self._fields.items())


def _reading(name: str, part: Part, items: tuple[object, ...]) -> Reading:
    item = items[part.item]
    if isinstance(item, bytes):
        return Reading(name, item.split(b"\0", 1)[0].decode("ascii", "replace"))
    if isinstance(item, bool) or not isinstance(item, int | float):
        return Reading(name, bool(item))
    return Reading(name, item * part.scale + part.offset)


def _bytes(text: str) -> bytes:
    try:
        begin = bytes.fromhex(text)
    except ValueError as error:
        raise OptionError(f"begin: {error}") from error
    if not begin:
        raise OptionError("begin: at least one byte, or nothing says where a frame begins")
    return begin


def _layout(text: str) -> struct.Struct:
    try:
        layout = struct.Struct(text if text[:1] in "<>!=@" else f">{text}")
    except struct.error as error:
        raise OptionError(f"layout: {error}") from error
    if not 0 < layout.size <= LENGTH_MAX:
        raise OptionError(f"layout: {layout.size} bytes, must be 1 to {LENGTH_MAX}")
    return layout


DECODER = FramesDecoder


class Frames(StreamMeter):
    """One device on a port of its own."""

    def __init__(
        self,
        port: SerialPort,
        *,
        begin: Annotated[str, Option("first bytes, in hexadecimal", example="aa 55")],
        layout: Annotated[
            str, Option("Python struct format of what follows, as >hH", example=">hH")
        ],
        fields: Annotated[Mapping[str, Part], Option("the items that are channels, by name")],
        checksum: Annotated[
            str, Option("of all bytes before it", choices=tuple(CHECKSUMS))
        ] = "none",
        line: Annotated[str, Option("speed and frame, as 9600 8N1")] = "9600 8N1",
        silence: Annotated[
            float, Option("offline without a good frame for so long", "s", low=1)
        ] = 60.0,
    ) -> None:
        decoder = partial(
            FramesDecoder, begin=begin, layout=layout, fields=fields, checksum=checksum
        )
        decoder()
        channels = [Channel(name, one.quantity, digits=one.digits) for name, one in fields.items()]
        super().__init__(port, checked_line(line), decoder, channels, silence)


DRIVER = Frames
