"""A session without a thread: an exchange on a pair of sockets, turn by turn."""

from __future__ import annotations

import select
import socket
from typing import Any

from gateway.clock import Clock
from gateway.codecs import json_
from gateway.codecs.base import Publication
from gateway.link.client import MQTT_5
from gateway.link.connection import Connection
from gateway.link.exchange import Exchange
from gateway.link.hello import Hello
from gateway.link.inbound import Inbox
from gateway.link.pacing import Pace
from gateway.link.sender import Sender
from gateway.link.suspects import Suspects
from gateway.link.tally import DayBytes
from gateway.link.waker import Waker
from gateway.link.wire import Wire
from gateway.model import Key
from tests.gateway.fake_clock import FakeClock
from tests.gateway.link.parts import MemoryOutbox, sample

CONNACK = bytes([0x20, 3, 0, 0, 0])


class Session:
    """An exchange on a pair of sockets, turn by turn, with a clock of its own."""

    def __init__(
        self,
        linger: float = 0.0,
        window: int = 100,
        passing: bool = False,
        daily_bytes: int = 0,
        **qos: int,
    ) -> None:
        """passing: who records a reading may send it. qos: of devices."""
        self.passed: list[bool] = []
        self.suspects = Suspects()
        ours, self.broker = socket.socketpair()
        self.broker.setblocking(False)
        self.clock, self.outbox, self.waker = FakeClock(), MemoryOutbox(), Waker()
        clock: Clock = self.clock
        dialect = json_.dialect(root="r", gateway="g", qos=qos, restamp=lambda stamp: stamp)
        self.sender = Sender(
            self.outbox,
            dialect,
            window=window,
            batch=200,
            pace=Pace(),
            on_shelved=lambda key, reason: None,
            on_barred=lambda topic, reason: None,
        )
        will = Publication("r/g/status", b"offline")
        hello = Hello("x", MQTT_5, 30, False, 0.0, will, [])
        self.inbox = Inbox(dialect, clock, lambda what, token: None)
        now, says = clock.monotonic(), (self.inbox.received, self._bug, self.inbox.reads)
        self.exchange = Exchange(
            Connection(Wire(ours), hello, now, 15.0, *says),
            sender=self.sender,
            inbox=self.inbox,
            suspects=self.suspects,
            waker=self.waker,
            clock=clock,
            tally=DayBytes(),
            ack_timeout=15.0,
            linger=linger,
            daily_bytes=daily_bytes,
        )
        self.turn()
        self.broker.sendall(CONNACK)
        self.turn()
        assert self.exchange.connection.open
        self.exchange.opened([])
        self.outbox.subscribe(self.waker.wake, self._offer if passing else self.waker.wake)
        self.turn()
        self.arrived()

    def _offer(self) -> None:
        """As the link does it."""
        self.passed.append(self.exchange.pass_on())
        if not self.passed[-1]:
            self.waker.wake()

    def _bug(self, what: str) -> None:
        raise AssertionError(what)

    def turn(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        self.exchange.turn(0.0)

    def is_called(self) -> bool:
        """Whether the link's thread would have woken up since the last call."""
        called = bool(select.select([self.waker], [], [], 0.0)[0])
        self.waker.drain()
        return called

    def reading(self) -> Key:
        key = self.outbox.append(sample())
        self.turn()
        return key

    def arrived(self) -> int:
        """PUBLISH packets that came to the broker since the last call; they are not answered."""
        try:
            data = self.broker.recv(1 << 20)
        except BlockingIOError:
            return 0
        topics = b"r/g/boiler/data", b"r/g/relay/result", b"r/g/history"
        return sum(map(data.count, topics))

    def waits_for(self) -> tuple[float, bool]:
        """A turn in which nothing comes: for how long it would wait, and whether for room."""
        asked: list[tuple[float, bool]] = []
        ears: Any = self.exchange._ears

        class Deaf:
            def wait(self, timeout: float, line: bool, writing: bool) -> tuple[bool, bool]:
                asked.append((timeout, writing))
                return False, False

        self.exchange._ears = Deaf()  # type: ignore[assignment]
        self.exchange.turn()
        self.exchange._ears = ears
        return asked[0]

    def answer(self) -> None:
        """PUBACK for what is in flight."""
        flying = self.sender.flights
        self.broker.sendall(b"".join(bytes([0x40, 2]) + mid.to_bytes(2) for mid in flying))

    def close(self) -> None:
        self.exchange._ears.close()
        self.exchange.connection.close()
        self.broker.close()
        self.waker.close()
