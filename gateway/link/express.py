"""PUBLISH at QoS 0 and 1 without properties, and its PUBACK, beside paho on the same wire.

Nearly all that a gateway sends is of this kind, and paho takes ten times as long for it. paho keeps
everything else: the connection, commands, keep-alive, QoS 2, messages with properties. It also
reads every answer that is not a plain success and every one that comes in pieces, and hands over
those that are not for messages of its own (`WiredClient.on_other_puback`).

    PUBLISH  0x30 + 2*QoS + retain; length; topic; identifier at QoS 1; 0x00 in MQTT 5; payload
    PUBACK   0x40; length 2 or 3; identifier; reason code if the length is 3

A flood of commands is passed over here, too: paho would need longer for it than the broker, and
the answers to readings stand behind it in the same stream.

MQTT 5.0 and 3.1.1, sections 3.3 and 3.4.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from gateway.link.wire import Wire

FIRST, LAST = 0x8000, 0xFFFF
"""Packet identifiers of these messages; paho counts below them."""
LARGEST = 268_435_455
"""A packet's remaining length at most, section 2.1.4."""
PUBACK = 0x40
SHORT, LONG = LENGTHS = 2, 3
"""Of a PUBACK without and with a reason code."""
PUBLISH = 0x30, 0x31
"""At QoS 0, without and with RETAIN."""
SUCCESS = frozenset({0x00, 0x10})
"""Success, and success with nobody subscribed."""


class Express:
    """reads: of a message at QoS 0 on this topic, whether anybody will look at it."""

    def __init__(self, wire: Wire, mqtt5: bool, reads: Callable[[bytes], bool]) -> None:
        self._wire = wire
        self._reads = reads
        self._no_properties = b"\0" if mqtt5 else b""
        self._last = LAST
        self._flying: set[int] = set()
        self._topics: dict[str, bytes] = {}

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> int:
        """Into the wire's buffer; the packet identifier, 0 at QoS 0. ValueError."""
        mid = self._identifier() if qos else 0
        head = self._topics.get(topic) or self._encoded(topic)
        if qos:
            head += mid.to_bytes(2)
        rest = len(head) + len(self._no_properties) + len(payload)
        if rest > LARGEST:
            raise ValueError(f"a message of {rest} bytes is too long for MQTT")
        first = 0x30 | qos << 1 | retain
        self._wire.send(b"".join((_fixed(first, rest), head, self._no_properties, payload)))
        return mid

    def _identifier(self) -> int:
        while True:
            self._last = self._last + 1 if self._last < LAST else FIRST
            if self._last not in self._flying:
                self._flying.add(self._last)
                return self._last

    def _encoded(self, topic: str) -> bytes:
        encoded = topic.encode()
        if not 0 < len(encoded) <= 0xFFFF or "+" in topic or "#" in topic or "\0" in topic:
            raise ValueError(f"not a topic to publish to: {topic!r}")
        self._topics[topic] = len(encoded).to_bytes(2) + encoded
        return self._topics[topic]

    def read(self, answers: deque[tuple[int, int]]) -> bool:
        """Takes the plain successes that are next on the wire, packet identifier and reason code,
        and passes over what nobody reads; whether there was any of it.

        Only between two packets: not while paho is in the middle of one.
        """
        data, at, flying = self._wire.ahead, 0, self._flying
        size = len(data)
        while at + 4 <= size:
            if data[at] != PUBACK:
                end = self._unread(data, at) if data[at] in PUBLISH else at
                if end == at:
                    break
                at = end
                continue
            length = data[at + 1]
            mid = data[at + 2] << 8 | data[at + 3]
            end = at + 2 + length
            if length not in LENGTHS or end > size or mid not in flying:
                break
            code = data[at + 4] if length == LONG else 0
            if code not in SUCCESS:
                break
            flying.remove(mid)
            answers.append((mid, code))
            at = end
        self._wire.skip(at)
        return at > 0

    def _unread(self, data: bytes, at: int) -> int:
        """Behind the PUBLISH at `at`, if it is whole and nobody reads it; else `at`."""
        length, start = _length(data, at + 1)
        topic, end = start + 2, start + length
        behind = topic + int.from_bytes(data[start:topic])
        # What is cut or malformed is for paho to wait for, or to judge.
        if length < 2 or behind > end or end > len(data) or self._reads(data[topic:behind]):
            return at
        return end

    def answered(self, mid: int) -> bool:
        """paho has read an answer. Whether it is for a message of ours that waited for one."""
        ours = mid in self._flying
        self._flying.discard(mid)
        return ours


def _fixed(first: int, length: int) -> bytes:
    """The fixed header, section 2.1: type and flags, then the length in groups of seven bits."""
    if 0x80 <= length < 0x4000:
        return bytes((first, length & 0x7F | 0x80, length >> 7))
    header = bytearray((first,))
    while length > 0x7F:
        header.append(length & 0x7F | 0x80)
        length >>= 7
    header.append(length)
    return bytes(header)


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A remaining length, and where it ends; 0 for one that is cut or longer than it may be."""
    length = 0
    for place, byte in enumerate(data[at : at + 4]):
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return length, at + place + 1
    return 0, at
