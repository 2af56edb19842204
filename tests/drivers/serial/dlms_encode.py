"""DLMS data, HDLC and M-Bus frames, for tests: the opposite of drivers/serial/dlms_*.py."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.serial.crc import x25
from tests.drivers.serial.cipher_encode import length

LLC = b"\xe6\xe7\x00"
ADDRESSES = bytes([0x41, 0x08, 0x83])


@dataclass(frozen=True)
class Number:
    """A number with its tag."""

    tag: int
    value: float


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Array:
    items: Sequence[object]


FORMATS = {5: ">i", 6: ">I", 15: ">b", 16: ">h", 17: ">B", 18: ">H", 20: ">q", 21: ">Q"} | {
    22: ">B",
    23: ">f",
    24: ">d",
}


def item(value: object) -> bytes:
    """bytes: an octet-string; a list: a structure; None: null; bool: boolean."""
    match value:
        case None:
            return b"\0"
        case bool():
            return bytes([3, value])
        case bytes():
            return b"\x09" + length(len(value)) + value
        case Text(text):
            return b"\x0a" + length(len(text)) + text.encode("ascii")
        case Number(tag, number):
            return bytes([tag]) + struct.pack(FORMATS[tag], number)
        case Array(items):
            return b"\x01" + length(len(items)) + b"".join(map(item, items))
        case list():
            return b"\x02" + length(len(value)) + b"".join(map(item, value))
    raise TypeError(value)


def scale(exponent: int, unit: int) -> list[object]:
    return [Number(15, exponent), Number(22, unit)]


def notification(body: object, time: bytes = b"", tagged: bool = False) -> bytes:
    head = b"\x0f\x40\0\0\0" + (b"\x09" if tagged else b"")
    return head + bytes([len(time)]) + time + item(body)


def hdlc(content: bytes, segment: int = 2000, address: bytes = ADDRESSES) -> bytes:
    """A message in frames with at most `segment` bytes of content."""
    out = b""
    parts = [content[at : at + segment] for at in range(0, len(content), segment)]
    for part in parts:
        last = part is parts[-1]
        size = 2 + len(address) + 1 + 2 + len(part) + 2
        header = (0xA000 | (0 if last else 0x0800) | size).to_bytes(2, "big")
        frame = header + address + b"\x13"
        frame += x25(frame).to_bytes(2, "little") + part
        frame += x25(frame).to_bytes(2, "little")
        out += b"\x7e" + frame + b"\x7e"
    return out


def blocks(content: bytes, size: int = 100) -> bytes:
    """A message by general block transfer, each block in an HDLC frame of its own."""
    out = b""
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    for number, part in enumerate(parts, 1):
        last = 0x80 if number == len(parts) else 0
        head = bytes([0xE0, 0x40 | last]) + number.to_bytes(2, "big") + b"\0\0"
        llc = LLC if number == 1 else b""
        out += hdlc(llc + head + length(len(part)) + part)
    return out


def mbus(content: bytes, segment: int = 245) -> bytes:
    out = b""
    parts = [content[at : at + segment] for at in range(0, len(content), segment)]
    for number, part in enumerate(parts):
        last = 0x10 if number == len(parts) - 1 else 0
        body = bytes([0x53, 0xFF, number | last, 0x01, 0x67]) + part
        size = len(body)
        out += bytes([0x68, size, size, 0x68]) + body + bytes([sum(body) & 0xFF, 0x16])
    return out
