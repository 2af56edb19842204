"""Messages that go past paho: the same bytes, every answer, identifiers apart from its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.client import MQTTMessage, MQTTMessageInfo

from gateway.codecs.base import Publication
from gateway.link import express
from gateway.link.client import MQTT_5, MQTT_311, WiredClient
from gateway.link.connection import Connection
from gateway.link.express import Express
from gateway.link.hello import Hello
from gateway.link.wire import Wire

CONNACK = {5: bytes([0x20, 3, 0, 0, 0]), 4: bytes([0x20, 2, 0, 0])}
PINGRESP = bytes([0xD0, 0])
COMMAND = bytes([0x30, 9, 0, 3]) + b"a/b" + b"\0" + b"on!"


class Pieces:
    """A socket that gives what came in the given pieces, and keeps what was sent."""

    def __init__(self) -> None:
        self.coming: list[bytes] = []
        self.sent = b""

    def recv(self, size: int) -> bytes:
        if not self.coming:
            raise BlockingIOError
        piece = self.coming.pop(0)
        assert len(piece) <= size
        return piece

    def send(self, data: bytes) -> int:
        self.sent += data
        return len(data)

    def fileno(self) -> int:
        return 0

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def close(self) -> None:
        pass


def hello(version: int) -> Hello:
    will = Publication("g/status", b"offline")
    protocol = MQTT_5 if version == 5 else MQTT_311
    return Hello("x", protocol, 30, False, 0.0, will, [])


class Open:
    """A connection that the broker has let in."""

    def __init__(self, version: int = 5, reads: Callable[[bytes], bool] = lambda _: True) -> None:
        self.stream = Pieces()
        self.messages: list[MQTTMessage] = []
        self.bugs: list[str] = []
        wire = Wire(self.stream)
        self.connection = Connection(
            wire, hello(version), 0.0, 15.0, self.messages.append, self.bugs.append, reads
        )
        self.connection.write()
        self.stream.coming = [CONNACK[version]]
        self.connection.read(0.0)
        assert self.connection.open
        self.stream.sent = b""

    def publish(self, topic: str = "a/b", qos: int = 1, payload: bytes = b"x") -> int:
        mid = self.connection.publish(Publication(topic, payload, qos), qos, 0.0)
        assert mid is not None
        return mid

    def hear(self, *pieces: bytes) -> list[tuple[int, int]]:
        self.stream.coming = [piece for piece in pieces if piece]
        while self.stream.coming:
            self.connection.read(0.0)
        answers = list(self.connection.answers)
        self.connection.answers.clear()
        return answers


@given(
    topic=st.text(st.characters(exclude_characters="+#\0", exclude_categories=["Cs"]), min_size=1),
    size=st.sampled_from([0, 1, 100, 127, 128, 16_383, 16_384, 70_000]),
    qos=st.sampled_from([0, 1]),
    retain=st.booleans(),
    mqtt5=st.booleans(),
)
@settings(deadline=None)
def test_the_bytes_are_those_that_paho_would_send(
    topic: str, size: int, qos: int, retain: bool, mqtt5: bool
) -> None:
    payload = b"p" * size
    ours, theirs = Pieces(), Pieces()
    wire = Wire(ours)
    Express(wire, mqtt5, lambda topic: True).publish(topic, payload, qos, retain)
    wire.flush()
    client = WiredClient(Wire(theirs), "x", MQTT_5 if mqtt5 else MQTT_311, True)
    client._sock = client.wire
    first = express.FIRST.to_bytes(2)
    info = MQTTMessageInfo(express.FIRST)
    client._send_publish(express.FIRST, topic.encode(), payload, qos, retain, info=info)
    client.loop_write()
    client.wire.flush()
    assert ours.sent == theirs.sent
    assert (first in ours.sent) or qos == 0


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0b", "x" * 65_536])
def test_what_is_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="not a topic"):
        Express(Wire(Pieces()), True, lambda topic: True).publish(topic, b"", 1, False)


def puback(mid: int, code: int | None, properties: bytes | None) -> bytes:
    body = mid.to_bytes(2)
    if code is not None:
        body += bytes([code])
        if properties is not None:
            body += properties
    return bytes([0x40, len(body)]) + body


CODES = st.sampled_from([None, 0x00, 0x10, 0x80, 0x87, 0x97])
REASON_STRING = bytes([6, 0x1F, 0, 3]) + b"why"


@given(
    answers=st.lists(st.tuples(CODES, st.sampled_from([None, b"\0", REASON_STRING])), max_size=8),
    between=st.lists(st.sampled_from([b"", PINGRESP, COMMAND]), min_size=9, max_size=9),
    cuts=st.sets(st.integers(0, 120)),
)
@settings(deadline=None)
def test_every_answer_is_heard_however_it_is_cut(
    answers: list[tuple[int | None, bytes | None]], between: list[bytes], cuts: set[int]
) -> None:
    """Plain or refused, with properties or without, in pieces, among pings and commands."""
    link = Open()
    mids = [link.publish() for _ in answers]
    expected, stream = [], between[0]
    for mid, (code, properties), other in zip(mids, answers, between[1:], strict=False):
        stream += puback(mid, code, properties) + other
        expected.append((mid, code or 0))
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    heard = link.hear(*[stream[a:b] for a, b in pairwise(edges)])
    assert heard == expected
    assert len(link.messages) == stream.count(COMMAND)
    assert not link.bugs


def command(topic: bytes, qos: int = 0, size: int = 3) -> bytes:
    identifier = b"\0\7" if qos else b""
    body = len(topic).to_bytes(2) + topic + identifier + b"\0" + bytes(size)
    length = len(body)
    digits = bytes([length]) if length < 128 else bytes([length & 0x7F | 0x80, length >> 7])
    return bytes([0x30 | qos << 1]) + digits + body


COMING = b"a/set", b"b/set", b"other", b"answer", b"ping"


@given(
    stream=st.lists(
        st.sampled_from([b"a/set", b"b/set", b"other", b"answer", b"ping"]), max_size=12
    ),
    qos=st.lists(st.sampled_from([0, 1]), min_size=12, max_size=12),
    size=st.sampled_from([0, 3, 120, 130, 1000]),
    cuts=st.sets(st.integers(0, 2000)),
)
@settings(deadline=None)
def test_what_nobody_reads_is_passed_over_and_all_else_is_heard(
    stream: list[bytes], qos: list[int], size: int, cuts: set[int]
) -> None:
    """At QoS 0 only, on its topic only; cut in two it may be read after all."""
    link = Open(reads=lambda topic: topic != b"a/set")
    sent, expected, whole = b"", [], []
    for what, quality in zip(stream, qos, strict=False):
        if what == b"answer":
            expected.append((link.publish(), 0))
            sent += puback(expected[-1][0], None, None)
        else:
            sent += PINGRESP if what == b"ping" else command(what, quality, size)
            whole += [what.decode()] * (what != b"ping" and (what != b"a/set" or quality > 0))
    edges = [0, *sorted(cut for cut in cuts if cut < len(sent)), len(sent)]
    assert link.hear(*[sent[a:b] for a, b in pairwise(edges)]) == expected
    heard = [message.topic for message in link.messages]
    if len(edges) == 2:
        assert heard == whole
    assert [topic for topic in heard if topic != "a/set"] == [t for t in whole if t != "a/set"]
    assert heard.count("a/set") >= whole.count("a/set")
    assert not link.bugs


@pytest.mark.parametrize(
    "packet",
    [
        bytes([0x30, 0x80, 0x80, 0x80, 0x80, 1]),
        bytes([0x30, 1, 0, 0]),
        bytes([0x30, 4, 0, 9, 65, 65]),
    ],
    ids=["its length has five bytes", "too short for a topic", "a topic longer than itself"],
)
def test_what_is_malformed_is_for_paho_to_judge(packet: bytes) -> None:
    reads, wire = Mock(return_value=False), Wire(Pieces())
    wire._in = packet
    assert not Express(wire, True, reads).read(deque())
    assert not reads.called
    assert wire.ahead == packet


def test_an_answer_counts_once_and_only_for_what_waits() -> None:
    link = Open(4)
    mid = link.publish()
    assert link.hear(puback(mid + 1, None, None)) == []
    assert link.hear(puback(mid, None, None)) == [(mid, 0)]
    assert link.hear(puback(mid, None, None)) == []
    assert link.connection.proven


def test_quality_0_waits_for_nothing() -> None:
    link = Open()
    assert link.publish(qos=0) == 0
    link.connection.write()
    assert link.stream.sent == bytes([0x30, 7, 0, 3]) + b"a/b" + b"\0" + b"x"


def test_packet_identifiers_never_meet() -> None:
    """paho's stay in the lower half, ours in the upper; one that waits long is passed over."""
    link = Open()
    first = link.publish()
    ours = {link.publish() for _ in range(10)}
    for mid in ours:
        link.hear(puback(mid, None, None))
    for _ in range(express.LAST - express.FIRST + 5):
        mid = link.publish()
        assert mid >= express.FIRST and mid != first
        link.hear(puback(mid, None, None))
    client = link.connection.client
    theirs = {client._mid_generate() for _ in range(express.FIRST + 5)}
    assert theirs == set(range(1, express.FIRST))


def test_what_paho_sends_and_what_goes_past_it_keep_their_order() -> None:
    link = Open()
    link.publish("a/1")
    link.connection.publish(Publication("a/2", b"", content_type="text/plain"), 1, 0.0)
    link.publish("a/3")
    link.connection.write()
    sent = link.stream.sent
    assert sent.index(b"a/1") < sent.index(b"a/2") < sent.index(b"a/3")


def test_the_answers_of_both_are_told() -> None:
    link = Open()
    with_properties = link.connection.publish(
        Publication("a/2", b"", content_type="text/plain"), 1, 0.0
    )
    plain = link.publish()
    link.connection.write()
    assert with_properties is not None and with_properties < express.FIRST <= plain
    heard = link.hear(puback(plain, None, None) + puback(with_properties, 0x87, b"\0"))
    assert heard == [(plain, 0), (with_properties, 0x87)]
