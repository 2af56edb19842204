"""Builds SML telegrams, for tests: the opposite of drivers/serial/sml_message.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from drivers.serial.crc import sml_x25

ESCAPE = b"\x1b\x1b\x1b\x1b"


@dataclass(frozen=True)
class Number:
    """A number with its type and width: Integer64 is Number(1, 8, signed=True)."""

    value: int
    width: int
    signed: bool = False


Node: TypeAlias = "bytes | bool | int | Number | list[Node] | None"


def length_field(kind: int, length: int) -> bytes:
    """Type and length, in as many bytes as it takes; all but a list count themselves."""
    for size in range(1, 5):
        total = length if kind == 0x70 else length + size
        if total < 1 << 4 * size:
            nibbles = [total >> 4 * n & 0x0F for n in range(size - 1, -1, -1)]
            more = [0x80] * (size - 1) + [0]
            first = [kind] + [0] * (size - 1)
            return bytes(a | b | c for a, b, c in zip(nibbles, more, first, strict=True))
    raise ValueError(length)


def encode(node: Node) -> bytes:
    if node is None:
        return b"\x01"
    if isinstance(node, bool):
        return b"\x42\x01" if node else b"\x42\x00"
    if isinstance(node, int):
        return encode(Number(node, 1 if node < 1 << 8 else 4))
    if isinstance(node, Number):
        octets = node.value.to_bytes(node.width, "big", signed=node.signed)
        return length_field(0x50 if node.signed else 0x60, node.width) + octets
    if isinstance(node, bytes):
        return length_field(0x00, len(node)) + node
    return length_field(0x70, len(node)) + b"".join(encode(one) for one in node)


def message(kind: int, body: Node, crc: Callable[[bytes], bytes] = sml_x25) -> bytes:
    head = encode([b"\x01\x02", 0, 0, [Number(kind, 2), body], None, None])
    raw = head[:-2]  # without the last two elements: checksum and end come after
    return raw + b"\x63" + crc(raw) + b"\x00"


def telegram(*messages: bytes, crc: Callable[[bytes], bytes] = sml_x25) -> bytes:
    body = b"".join(messages)
    fill = -len(body) % 4
    escaped = (body + bytes(fill)).replace(ESCAPE, ESCAPE + ESCAPE)
    raw = ESCAPE + b"\x01\x01\x01\x01" + escaped + ESCAPE + bytes([0x1A, fill])
    return raw + crc(raw)


def entry(name: bytes, value: Node, unit: int | None = None, scaler: int | None = None) -> Node:
    shift = None if scaler is None else Number(scaler, 1, signed=True)
    return [name, None, None, unit, shift, value, None]


def get_list(
    *entries: Node,
    server_id: bytes = b"\x0a\x01TST\x00\x00\x00\x00\x01",
    crc: Callable[[bytes], bytes] = sml_x25,
) -> bytes:
    body: Node = [None, server_id, None, None, list(entries), None, None]
    return message(0x0701, body, crc)


def opening(crc: Callable[[bytes], bytes] = sml_x25) -> bytes:
    return message(0x0101, [None, None, b"\x01", b"\x02", None, None], crc)
