"""MQTT packets as bytes, both versions: what the scripted broker reads and writes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 12, 13, 14

# Properties: MQTT 5.0, 2.2.2.2.
MESSAGE_EXPIRY, CONTENT_TYPE, SESSION_EXPIRY, ASSIGNED_CLIENT_ID = 0x02, 0x03, 0x11, 0x12
SERVER_KEEP_ALIVE, REASON_STRING, RECEIVE_MAXIMUM, TOPIC_ALIAS = 0x13, 0x1F, 0x21, 0x23
MAXIMUM_QOS, RETAIN_AVAILABLE, USER_PROPERTY, MAXIMUM_PACKET_SIZE = 0x24, 0x25, 0x26, 0x27
_ONE = frozenset({0x01, 0x17, 0x19, 0x24, 0x25, 0x28})
_TWO = frozenset({0x13, 0x21, 0x22, 0x23})
_FOUR = frozenset({0x02, 0x11, 0x18, 0x27})

Values = dict[int, object]


@dataclass(frozen=True)
class Hello:
    """A CONNECT."""

    version: int
    client_id: str
    clean: bool
    keepalive: int
    properties: Values
    will: Sent | None
    username: str | None
    password: str | None


@dataclass(frozen=True)
class Sent:
    """A PUBLISH of the client, or its will."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool = False
    mid: int = 0
    properties: Values = field(default_factory=dict)
    size: int = 0


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        self.at += count
        assert self.at <= len(self.data), "the client's packet is too short"
        return self.data[self.at - count : self.at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count))

    def text(self) -> str:
        return self.take(self.number(2)).decode()

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def properties(self) -> Values:
        end = self.varint() + self.at
        found: Values = {}
        while self.at < end:
            kind = self.number(1)
            if kind in _ONE:
                found[kind] = self.number(1)
            elif kind in _TWO:
                found[kind] = self.number(2)
            elif kind in _FOUR:
                found[kind] = self.number(4)
            elif kind == USER_PROPERTY:
                found[kind] = (self.text(), self.text())
            else:
                found[kind] = self.take(self.number(2))
        return found

    @property
    def rest(self) -> bytes:
        return self.data[self.at :]


def varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, digit = value >> 7, value & 127
        out.append(digit | (128 if value else 0))
        if not value:
            return bytes(out)


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(raw)) + raw


def packed(values: Values) -> bytes:
    out = b""
    for kind, value in values.items():
        out += bytes([kind])
        if isinstance(value, int):
            out += value.to_bytes(1 if kind in _ONE else 2 if kind in _TWO else 4)
        elif isinstance(value, tuple):
            out += text(value[0]) + text(value[1])
        else:
            assert isinstance(value, str | bytes)
            out += text(value)
    return varint(len(out)) + out


def packet(kind: int, body: bytes, flags: int = 0) -> bytes:
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def read_hello(reader: Reader) -> Hello:
    assert reader.text() == "MQTT"
    version, flags, keepalive = reader.number(1), reader.number(1), reader.number(2)
    properties = reader.properties() if version == 5 else {}
    client_id = reader.text()
    will = None
    if flags & 0x04:
        values = reader.properties() if version == 5 else {}
        topic, payload = reader.text(), reader.take(reader.number(2))
        will = Sent(topic, payload, flags >> 3 & 3, bool(flags & 0x20), properties=values)
    username = reader.text() if flags & 0x80 else None
    password = reader.text() if flags & 0x40 else None
    clean = bool(flags & 0x02)
    return Hello(version, client_id, clean, keepalive, properties, will, username, password)


def read_publish(flags: int, body: bytes, version: int) -> Sent:
    reader = Reader(body)
    qos = flags >> 1 & 3
    topic = reader.text()
    mid = reader.number(2) if qos else 0
    properties = reader.properties() if version == 5 else {}
    size = 1 + len(varint(len(body))) + len(body)
    return Sent(topic, reader.rest, qos, bool(flags & 1), bool(flags & 8), mid, properties, size)
