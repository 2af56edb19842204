"""Live readings that wait for others, to share packets: what waits, how long, what not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.base import Publication
from gateway.config import parse
from gateway.config_report import ConfigErrors
from gateway.link.hello import Lost
from gateway.link.inbound import AckToken
from gateway.link.linger import FULL, Linger
from gateway.link.wire import Wire
from gateway.model import Klass, Lane, Outcome, Result
from tests.brokers import Listener, Mosquitto
from tests.gateway.link.parts import STAMP, LinkRig, sample
from tests.gateway.link.session import Session

READING = 100  # bytes
LONG = 3.0


# The decision.


class Line:
    """A connection's buffer before a `Linger`, which is emptied when it says so."""

    def __init__(self, seconds: float = LONG) -> None:
        self.linger = Linger(seconds)
        self.unsent = 0
        self.went: list[int] = []

    def turn(
        self, now: float, added: int = 0, other: bool = False, patient: bool = True, takes: int = 1
    ) -> bool:
        """Whether it waits on. takes: 0 when the socket is full."""
        self.linger.before(self.unsent, other)
        self.unsent += added
        held = self.linger.holds(now, self.unsent, patient)
        if not held and self.unsent and takes:
            self.went.append(self.unsent)
            self.unsent = 0
        return held


def test_readings_wait_for_the_first_of_them_and_leave_together() -> None:
    line = Line()
    assert line.turn(10.0, READING)
    assert line.turn(11.0, READING)
    assert line.linger.until == 13.0
    assert line.turn(12.9)
    assert not line.turn(13.0)
    assert line.went == [2 * READING]
    assert line.linger.until is None
    assert line.turn(20.0, READING)
    assert line.linger.until == 23.0


def test_they_leave_when_one_more_would_not_fit_into_two_packets() -> None:
    line = Line()
    for number in range(1000):
        line.turn(10.0 + number / 1000, READING)
    assert set(line.went) == {FULL // READING * READING}


def test_a_burst_leaves_at_once() -> None:
    assert not Line().turn(10.0, FULL + 1)
    assert not Line().turn(10.0, FULL // 2 + 1)


@pytest.mark.parametrize("hurry", [{"other": True}, {"patient": False}])
def test_with_what_does_not_wait_all_leaves(hurry: dict[str, bool]) -> None:
    line = Line()
    line.turn(10.0, READING)
    assert not line.turn(10.1, READING, **hurry)
    assert line.went == [2 * READING]


def test_what_has_begun_to_leave_does_not_wait_for_the_rest() -> None:
    line = Line()
    line.turn(10.0, READING)
    assert not line.turn(13.0, takes=0)  # the socket is full
    assert not line.turn(13.1, READING, takes=0)
    assert not line.turn(13.2)
    assert line.went == [2 * READING]
    assert line.turn(13.3, READING)


def test_without_linger_nothing_waits() -> None:
    assert not Line(0.0).turn(10.0, READING)


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 2.0),
            st.integers(0, 2 * FULL),
            st.booleans(),
            st.booleans(),
            st.integers(0, 1),
        )
    )
)
def test_nothing_waits_for_longer_than_it_may(
    turns: list[tuple[float, int, bool, bool, int]],
) -> None:
    """A turn comes at the latest when `until` says; what is held fits into two packets, and it
    holds nothing that has begun to leave."""
    line, now = Line(), 0.0
    since: float | None = None
    for step, added, other, patient, takes in turns:
        until = line.linger.until
        now = now + step if until is None else min(now + step, until)
        before = line.unsent
        held = line.turn(now, added, other, patient, takes)
        if held:
            since = now if since is None else since
            assert now < since + LONG
            assert line.linger.until == since + LONG
            assert 0 < line.unsent <= FULL
            assert patient
            assert not other
        else:
            since = None
            assert line.linger.until is None
            assert line.unsent == (before + added if not takes else 0)


# In a session.


@pytest.fixture
def session() -> Iterator[Session]:
    one = Session(LONG)
    yield one
    one.close()


def result() -> Result:
    return Result("c1", "relay", STAMP, Outcome.DONE)


def test_readings_leave_together_after_so_long(session: Session) -> None:
    keys = [session.reading() for _ in range(3)]
    session.turn(LONG - 0.01)
    assert session.arrived() == 0
    session.turn(0.01)
    assert session.arrived() == 3
    session.answer()
    session.turn()
    assert session.outbox.done == keys


def test_two_full_packets_leave_at_once(session: Session) -> None:
    came = 0
    for _ in range(30):
        session.reading()
        came += session.arrived()
    assert 20 < came < 30


def test_the_wait_ends_in_time(session: Session) -> None:
    """Not with the next heartbeat: what the link would wait for is asked for."""
    session.reading()
    session.clock.advance(1.0)
    timeout, writing = session.waits_for()
    assert timeout == pytest.approx(LONG - 1.0)
    assert not writing  # there is room: asked for it, it would not wait at all
    session.turn(LONG)
    timeout, _ = session.waits_for()
    assert timeout > LONG


def test_a_result_takes_the_readings_with_it(session: Session) -> None:
    session.reading()
    session.outbox.append(result(), Klass.RESULT)
    session.turn()
    assert session.arrived() == 2
    session.reading()
    assert session.arrived() == 0


def test_counters_and_notices_do_not_wait(session: Session) -> None:
    session.outbox.append(sample(), Klass.COUNTER)
    session.turn()
    assert session.arrived() == 1
    session.reading()
    session.sender.notices.put(Publication("r/g/health", b"{}"), connected=True)
    session.waker.wake()
    session.turn()
    assert session.arrived() == 1


def test_the_backlog_does_not_wait(session: Session) -> None:
    session.reading()
    session.outbox.append(sample())
    session.outbox.history = set(session.outbox.kept) - session.outbox.flying
    session.turn()
    assert session.arrived() == 2


def test_an_acknowledged_command_does_not_wait(session: Session) -> None:
    session.reading()
    session.inbox.acknowledge(AckToken(session.inbox.connection, 7, 1))
    session.turn()
    assert b"\x40\x02\x00\x07" in session.broker.recv(1 << 20)


def test_answers_are_read_while_readings_wait(session: Session) -> None:
    first = session.reading()
    session.turn(LONG)
    session.answer()
    session.outbox.append(sample())
    session.turn(1.0)
    assert session.outbox.done == [first]
    assert session.arrived() == 1


def test_the_end_is_not_delayed(session: Session) -> None:
    keys = [session.reading() for _ in range(2)]
    session.exchange.leave([Publication("r/g/status", b"offline", 1, True)])
    _, writing = session.waits_for()
    assert writing
    assert session.arrived() == len(keys)


def test_the_kernel_acknowledges_the_answers_late() -> None:
    """As Linux tells it: 0 is late (tcp(7), TCP_QUICKACK). A Unix socket has no such thing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1
        Wire(ours).hush()
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 0
        ours.close()
        theirs.close()


def test_where_the_window_is_full_nobody_waits() -> None:
    """One at a time, as after a message that a broker hung up on."""
    narrow = Session(LONG, window=1)
    narrow.reading()
    assert narrow.arrived() == 1
    narrow.close()


@pytest.mark.parametrize("qos", [0, 2])
def test_readings_of_every_quality_wait(qos: int) -> None:
    """At QoS 2 paho has a queue of its own."""
    session = Session(LONG, boiler=qos)
    for _ in range(3):
        session.reading()
    assert session.arrived() == 0
    assert session.outbox.done == []
    session.turn(LONG)
    assert session.arrived() == 3
    session.close()


def test_a_lost_connection_gives_back_what_waited(session: Session) -> None:
    key = session.reading()
    assert session.outbox.flying == {key}
    session.exchange.ended(Lost("cut"))
    assert session.outbox.flying == set()
    assert key in session.outbox.kept


def test_readings_that_nothing_pushes_leave_by_themselves(
    broker: Mosquitto, listener: Listener
) -> None:
    """The whole link, in real time."""
    rig = LinkRig(broker.url, linger=0.2).start()
    try:
        rig.until(lambda: rig.settled, step=0.0)
        keys = [rig.outbox.append(sample(float(number))) for number in range(40)]
        listener.wait_for("tidegate/g/boiler/data", len(keys))
        rig.until(lambda: rig.outbox.done == keys, step=0.0)
    finally:
        assert rig.link.stop(30.0)


# The configuration.

CONFIG = '[gateway]\nid = "g"\n[upstream]\nurl = "mqtt://localhost"\n'


def warned(upstream: str, outbox: str = "") -> list[str]:
    _, warnings = parse(f"{CONFIG}{upstream}\n[outbox]\n{outbox}\n", "g.toml", {})
    return [str(problem) for problem in warnings]


def test_a_linger_beyond_commit_every_is_warned_of() -> None:
    assert warned('linger = "900ms"') == []
    (warning,) = warned('linger = "1s"')
    assert "wait for longer than commit_every" in warning
    assert warned('linger = "1s"', 'commit_every = "1500ms"') == []
    assert warned('linger = "1s"', 'durability = "each"') == []
    (warning,) = warned('linger = "100ms"\nbatch_every = "1h"')
    assert "does nothing beside batch_every" in warning


def test_a_linger_that_looks_like_a_dead_broker_is_refused() -> None:
    with pytest.raises(ConfigErrors, match="at most half of ack_timeout"):
        warned('linger = "8s"')


def test_answers_are_read_at_once_when_the_backlog_waits_for_them() -> None:
    """A drain in batches fills its own window long before that of all messages."""
    session = Session(0.0)
    for _ in range(1000):
        session.outbox.append(sample())
    session.outbox.history = set(session.outbox.kept)
    session.turn()
    assert session.arrived() == session.sender.flights.of_lane(Lane.HISTORY) == 4
    assert not session.sender.patient
    session.answer()
    session.turn()
    assert session.arrived() == 1
    assert session.sender.patient
    session.close()
