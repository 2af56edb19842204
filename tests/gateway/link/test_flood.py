"""A flood of commands costs no more than its messages, and keeps nobody else out (case 46)."""

from __future__ import annotations

from contextlib import suppress
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import gate
from gateway.link.flood import BURST, RATE, TELL_EVERY, TOPICS, Flood
from tests.gateway.link.parts import sample
from tests.gateway.link.session import Session


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=300))
def test_never_more_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    flood, now, passed = Flood(), 0.0, 0
    for pause in pauses:
        now += pause
        passed += flood.passes("t/g/lamp/set", now)
    assert passed <= BURST + RATE * now + 1


@given(st.lists(st.floats(1 / RATE + 1e-6, 1.0), max_size=200))
def test_an_honest_sender_is_always_heard(pauses: list[float]) -> None:
    flood, now = Flood(), 0.0
    for pause in pauses:
        now += pause
        assert flood.passes("t/g/lamp/set", now)


def test_a_flood_on_one_topic_keeps_no_other_out() -> None:
    flood = Flood()
    assert sum(flood.passes("t/g/lamp/set", 1.0) for _ in range(1000)) == BURST
    assert flood.passes("t/g/bell/set", 1.0)
    assert flood.passes("t/g/lamp/set", 1.0 + 2 / RATE)


def test_topics_that_somebody_thinks_of_take_no_memory() -> None:
    flood = Flood()
    for number in range(10 * TOPICS):
        flood.passes(f"t/g/{number}/set", 1.0)
    assert len(flood._buckets) == TOPICS


def test_it_is_told_once_a_minute_with_the_count() -> None:
    flood = Flood()
    assert flood.report(0.0) == ""
    for _ in range(int(BURST) + 7):
        flood.passes("t/g/lamp/set", 1.0)
    assert " 7 were not looked at" in flood.report(1.0)
    flood.passes("t/g/lamp/set", 1.0)
    assert flood.report(2.0) == ""
    assert " 1 were not looked at" in flood.report(1.0 + TELL_EVERY)


def test_what_passes_is_still_more_than_an_output_takes() -> None:
    """So that too many commands are answered, as long as they are not a flood."""
    assert RATE > gate.RATE
    assert BURST > gate.BURST


def test_a_flood_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """paho sees as many commands at QoS 0 as are looked at, and those that are cut in two; a
    reading's answer that comes behind them is heard."""
    session, seen = Session(passing=True), []
    client = session.exchange.connection.client
    parsed = Mock(wraps=client._handle_publish)
    monkeypatch.setattr(client, "_handle_publish", parsed)
    monkeypatch.setattr(session.inbox, "_on_command", lambda what, token: seen.append(what))
    session.outbox.append(sample())
    (mid,) = session.sender.flights
    topic, count, turns = b"r/g/relay/set", 20_000, 0
    body = len(topic).to_bytes(2) + topic + b"\0" + b'{"value": true}'
    left = (bytes([0x30, len(body)]) + body) * count + bytes([0x40, 2]) + mid.to_bytes(2)
    while left or not session.outbox.done:
        with suppress(BlockingIOError):
            left = left[session.broker.send(left[:50_000]) :]
        session.turn()
        turns += 1
    assert len(seen) == BURST
    assert parsed.call_count <= BURST + turns
    assert session.inbox._flood._unread == count - BURST - 1  # the first was told
    session.close()
