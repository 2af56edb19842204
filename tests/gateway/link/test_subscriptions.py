"""What the broker refuses to let us hear is asked for again, on the same connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from gateway.codecs.base import Publication
from gateway.link.client import MQTT_5
from gateway.link.connection import SUBACK_TIMEOUT, Connection
from gateway.link.hello import Hello, Lost
from gateway.link.subscriptions import AGAIN
from gateway.link.wire import Wire
from tests.brokers import eventually
from tests.gateway.link.parts import LinkRig
from tests.mqtt_bytes import SUBACK, SUBSCRIBE, packet
from tests.scripted_broker import ScriptedBroker

CONNACK = bytes([0x20, 3, 0, 0, 0])
NOT_AUTHORISED, GRANTED = 0x87, 0x01
FILTERS = [("g/+/set", 1), ("g/command", 1)]
WILL = Publication("g/status", b"offline")


class Session:
    """A connection on a pair of sockets; seconds are told to it."""

    def __init__(self) -> None:
        ours, self.broker = socket.socketpair()
        self.broker.settimeout(30)
        hello = Hello("x", MQTT_5, 0, False, 0.0, WILL, FILTERS)
        self.connection = Connection(Wire(ours), hello, 0.0, 15.0, self._fail, self._fail)
        self._exchange(0.1, CONNACK)

    def _fail(self, what: object) -> None:
        raise AssertionError(what)

    def _exchange(self, now: float, answer: bytes) -> None:
        self.asked()
        self.broker.sendall(answer)
        self.connection.read(now)

    def asked(self) -> bytes:
        """What the connection says."""
        self.connection.write()
        return self.broker.recv(1 << 16)

    def answer(self, now: float, *codes: int) -> bytes:
        """A SUBACK for what is asked, which is returned."""
        asked = self.asked()
        assert asked[0] == SUBSCRIBE << 4 | 2
        self.broker.sendall(packet(SUBACK, asked[2:4] + b"\0" + bytes(codes)))
        self.connection.read(now)
        return asked

    def close(self) -> None:
        self.connection.close()
        self.broker.close()


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


def test_rights_that_are_given_meanwhile_are_found(session: Session) -> None:
    """P21: only what was refused is asked for again, until it is granted."""
    connection, subscriptions = session.connection, session.connection.subscriptions
    session.answer(0.2, GRANTED, NOT_AUTHORISED)
    assert connection.open
    assert subscriptions.denied == {"g/command": NOT_AUTHORISED}
    connection.tick(0.2 + AGAIN - 1, True)
    assert not connection.wants_write
    connection.tick(0.2 + AGAIN, True)
    again = session.answer(AGAIN + 1, GRANTED)
    assert b"g/command" in again and b"g/+/set" not in again
    assert subscriptions.denied == {}
    connection.tick(10 * AGAIN, True)
    assert not connection.wants_write


def test_an_answer_may_take_its_time_however_quiet_it_was_before(session: Session) -> None:
    session.answer(0.2, NOT_AUTHORISED, NOT_AUTHORISED)
    connection, asked = session.connection, 0.2 + AGAIN
    connection.tick(asked, True)
    connection.tick(asked + SUBACK_TIMEOUT - 1, True)
    assert connection.open
    with pytest.raises(Lost, match="does not answer SUBSCRIBE"):
        connection.tick(asked + SUBACK_TIMEOUT + 1, True)


def test_the_alarm_is_cleared_when_they_are_granted(scripted: ScriptedBroker) -> None:
    scripted.suback = NOT_AUTHORISED
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.settled and len(rig.told("subscription")) == 1)
        scripted.suback = None
        rig.until(lambda: len(rig.told("subscription")) == 2, step=5)
        assert [raised for raised, _ in rig.told("subscription")] == [True, False]
