"""Who records a reading sends it, where nothing is in the way: no other thread is woken for it."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.codecs.base import Publication
from gateway.link.exchange import HEAP, STREAM
from gateway.link.hello import Lost
from gateway.model import Entry
from tests.brokers import Listener, Mosquitto, eventually
from tests.gateway.link.parts import LinkRig, sample
from tests.gateway.link.session import Session

QUOTA_EXCEEDED = 0x97


@pytest.fixture
def session() -> Iterator[Session]:
    one = Session(passing=True)
    one.waker.drain()
    yield one
    one.close()


def test_a_reading_is_with_the_broker_before_append_returns(session: Session) -> None:
    for _ in range(10):
        session.outbox.append(sample())
        assert session.arrived() == 1
    assert session.passed == [True] * 10
    assert not session.is_called()
    session.answer()
    session.turn()
    assert len(session.outbox.done) == 10


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_at_every_quality(qos: int) -> None:
    session = Session(passing=True, boiler=qos)
    key = session.outbox.append(sample())
    assert session.arrived() == 1
    assert session.passed == [True]
    assert session.outbox.done == ([key] if qos == 0 else [])
    session.close()


def left_to_the_link(session: Session) -> bool:
    """A reading is recorded: it is not sent, and the link's thread is called."""
    session.is_called()
    session.outbox.append(sample())
    return session.passed[-1:] == [False] and session.arrived() == 0 and session.is_called()


def test_not_while_somebody_else_has_his_turn(session: Session) -> None:
    with session.exchange._turning:
        assert left_to_the_link(session)
    session.turn()
    assert session.arrived() == 1


def test_not_while_half_of_the_window_is_in_flight(session: Session) -> None:
    for _ in range(50):
        session.outbox.append(sample())
    assert session.passed == [True] * 50
    session.arrived()
    assert left_to_the_link(session)


def test_not_beside_others_that_wait_for_the_window(session: Session) -> None:
    """They would be overtaken."""
    session.outbox.subscribe(session.waker.wake, session.waker.wake)
    for _ in range(150):
        session.outbox.append(sample())
    session.turn()
    session.arrived()
    session.outbox.subscribe(session.waker.wake, session._offer)
    assert left_to_the_link(session)


def test_not_while_the_broker_refuses(session: Session) -> None:
    session.outbox.append(sample())
    (mid,) = session.sender.flights
    session.broker.sendall(bytes([0x40, 3]) + mid.to_bytes(2) + bytes([QUOTA_EXCEEDED]))
    session.turn()
    session.arrived()
    assert left_to_the_link(session)


def test_not_while_a_message_is_suspected(session: Session) -> None:
    session.suspects.watched.add("tidegate/g/about")
    assert left_to_the_link(session)


def test_not_where_readings_wait_for_others() -> None:
    session = Session(linger=1.0, passing=True)
    assert left_to_the_link(session)
    session.close()


def test_not_on_a_metered_link() -> None:
    session = Session(daily_bytes=1_000_000, passing=True)
    assert left_to_the_link(session)
    session.close()


def test_not_once_the_link_takes_its_leave(session: Session) -> None:
    session.exchange.leave([Publication("r/g/status", b"offline", 1, True)])
    assert left_to_the_link(session)


def test_not_once_the_session_is_over(session: Session) -> None:
    assert session.exchange.ended(Lost("")) == 0
    session.outbox.append(sample())
    assert session.passed == [False]
    assert session.is_called()
    assert session.outbox.flying == set()


def test_the_backlog_is_left_to_the_link(session: Session) -> None:
    """To pack hundreds of readings takes milliseconds, which a sensor has no time for."""
    session.outbox.subscribe(session.waker.wake, lambda: None)
    late = [session.outbox.append(sample()) for _ in range(150)]
    session.outbox.history |= set(late)
    session.outbox.subscribe(session.waker.wake, session._offer)
    session.is_called()
    session.outbox.append(sample())
    assert session.passed == [False]
    assert len(session.outbox.flying) == 2
    assert session.is_called()
    session.turn()
    assert len(session.outbox.flying) == 151


def test_a_call_that_comes_while_somebody_loads_is_not_forgotten(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second reading is recorded while the first is being put into its message, and the link's
    thread wakes up for it before that is done."""
    outbox, loader = session.outbox, session.sender._loader
    wait, loaded = session.exchange._wait, loader._loaded

    def interrupted(*given: Any) -> Any:
        monkeypatch.setattr(loader, "_loaded", loaded)
        outbox.append(sample())
        woken.append(wait(0.0))
        return loaded(*given)

    woken: list[tuple[bool, bool]] = []
    monkeypatch.setattr(loader, "_loaded", interrupted)
    monkeypatch.setattr(session.exchange, "_turning", threading.RLock())
    outbox.append(sample())
    assert session.arrived() == 1
    session.exchange._take_turn(*woken[0])
    assert session.arrived() == 1


def fill_the_socket(session: Session) -> None:
    wire = session.exchange.connection.client.wire
    wire._stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # type: ignore[attr-defined]
    for _ in range(49):
        session.outbox.append(sample())
        if not session.passed[-1]:
            return
    pytest.fail("the socket takes everything")


def test_what_the_socket_does_not_take_is_left_to_the_link() -> None:
    session = Session(passing=True)
    fill_the_socket(session)
    assert session.is_called()
    count = len(session.passed)
    came = 0
    while count - came and (now := session.arrived()):
        came += now
        session.turn()
    assert came == count
    session.close()


def test_a_broken_connection_is_the_links_to_end(session: Session) -> None:
    session.broker.close()
    key = session.outbox.append(sample())
    assert session.passed == [False]
    assert session.is_called()
    with pytest.raises(Lost, match=r"the connection broke|closed the connection"):
        session.turn()
    session.exchange.ended(Lost(""))
    assert session.outbox.flying == set()
    assert list(session.outbox.kept) == [key]


def broken(entry: Entry) -> list[Publication]:
    raise RuntimeError("a bug")


def test_a_bug_is_not_met_by_who_records(
    session: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(session.sender._loader._dialect, "live", broken)
    session.outbox.append(sample())
    assert session.passed == [False]
    assert session.is_called()
    assert [r.message for r in caplog.records] == ["a reading could not be passed on"]
    with pytest.raises(Lost, match=re.escape("internal error: RuntimeError('a bug')")):
        session.turn()
    session.exchange.ended(Lost(""))
    assert session.outbox.flying == set()


def test_answers_to_a_stream_are_taken_in_together(session: Session) -> None:
    """However few are in flight when the link's thread begins to wait."""
    for pause in (1.0, STREAM / 2):
        session.clock.advance(pause)
        session.outbox.append(sample())
        session.answer()
        session.turn()
        assert not len(session.sender.flights)
    assert session.waits_for()[0] == pytest.approx(HEAP)


def test_a_single_answer_is_taken_in_at_once(session: Session) -> None:
    for _ in range(2):
        session.clock.advance(10.0)
        session.outbox.append(sample())
        session.answer()
        session.turn()
    assert session.waits_for()[0] > HEAP


def test_a_stream_that_has_ended_is_not_waited_for(session: Session) -> None:
    for _ in range(2):
        session.clock.advance(STREAM / 2)
        session.outbox.append(sample())
        session.answer()
        session.turn()
    session.turn(HEAP)
    assert session.waits_for()[0] > HEAP


def test_at_quality_0_more_than_a_window_goes_without_a_pause() -> None:
    """Nothing is answered then, and nothing would wake the link."""
    session = Session(boiler=0)
    session.outbox.subscribe(lambda: None, lambda: None)
    for _ in range(250):
        session.outbox.append(sample())
    session.waker.wake()
    session.turn()
    assert session.arrived() == 100
    assert session.waits_for() == (0.0, False)
    session.turn()
    assert session.arrived() == 150
    assert session.waits_for()[0] > 0.0
    session.close()


def in_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_from_many_threads_each_once_and_in_order(broker: Mosquitto, listener: Listener) -> None:
    each, threads = 200, 4  # mosquitto holds 1,000 for a slow subscriber
    rig = LinkRig(broker.url)

    def record(number: int) -> None:
        for value in range(each):
            rig.outbox.append(sample(float(value), f"device{number}"))

    with rig:
        eventually(lambda: rig.settled)
        in_threads(threads, record)
        eventually(lambda: len(rig.outbox.done) == each * threads)
        for number in range(threads):
            payloads = listener.wait_for(f"tidegate/g/device{number}/data", each)
            assert [json.loads(p)["temperature"] for p in payloads] == list(range(each))


def test_the_links_thread_is_not_needed_for_it(broker: Mosquitto, listener: Listener) -> None:
    rig = LinkRig(broker.url)
    with rig:
        eventually(lambda: rig.settled)
        rung: list[bool] = []
        rig.link._waker.wake = lambda: rung.append(True)  # type: ignore[method-assign]
        rig.outbox.append(sample())
        listener.wait_for("tidegate/g/boiler/data")
        del rig.link._waker.wake
    assert rung == []
