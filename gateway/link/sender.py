"""What goes out next: notices, live entries, then the backlog, never more than the window.

Runs in the link's thread, save `notices.put`, which anyone may call.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

from gateway.codecs.base import Dialect, Publication
from gateway.link.connection import Connection
from gateway.link.decisions import window_of
from gateway.link.exact import Handshakes
from gateway.link.flights import Cargo, Flight, Flights, Item, Settled
from gateway.link.loader import Loader
from gateway.link.notices import Notices
from gateway.link.pacing import HistoryWindow, Pace
from gateway.link.reasons import BAD_TOPIC, reason_text
from gateway.link.refusals import Refusals
from gateway.link.supply import Outbox
from gateway.link.suspects import Message
from gateway.model import Key, Klass, Lane

log = logging.getLogger(__name__)

BURST_BYTES = 256 * 1024
"""Nothing more is encoded while so much waits for the socket."""


class Sender:
    """window: messages in flight at most. batch: samples in a history message, 0: one by one.
    on_shelved is told of every entry that the broker will not take, on_barred of every notice.
    """

    def __init__(
        self,
        outbox: Outbox,
        dialect: Dialect,
        *,
        window: int,
        batch: int,
        pace: Pace,
        on_shelved: Callable[[Key, str], None],
        on_barred: Callable[[str, str], None],
    ) -> None:
        self._outbox = outbox
        self._configured = window
        self._loader = Loader(outbox, dialect, batch, pace, self.shelve)
        self._on_shelved = on_shelved
        self.notices = Notices(on_barred)
        self._queue: deque[Item] = deque()
        self._unwritten: list[Cargo] = []
        self._orphans: list[Key] = []
        self.refusals, self._exact = Refusals(), Handshakes()
        self._start_over()

    def _start_over(self) -> None:
        self.flights = Flights()
        self._history = HistoryWindow()
        self._loader.more, self._loader.urgent = True, False
        self.window = self._configured

    # One connection.

    def opened(self, connection: Connection, first: Sequence[Publication], alone: bool) -> None:
        """first: what is published before everything else. alone: one message at a time."""
        self._start_over()
        self.full_window(connection)
        if alone:
            self.window = 1
        self.notices.connected(first)
        again, forgotten = self._exact.opened(connection)
        self._queue.extend(again)
        self._outbox.returned(forgotten)

    def full_window(self, connection: Connection) -> None:
        self.window = window_of(self._configured, connection.limits.receive_maximum)

    def finish(self, connection: Connection, last: Sequence[Publication], now: float) -> None:
        """Only these still go out; what waited here is the outbox's again."""
        flying = set(self.flights.entries())
        waiting = [key for item in self._queue if item.cargo for key in item.cargo.keys]
        self._queue.clear()
        self._outbox.returned([key for key in dict.fromkeys(waiting) if key not in flying])
        self.notices.clear()
        for publication in last:
            qos = min(publication.qos, connection.limits.qos)
            mid = connection.publish(publication, qos, 0.0)
            if mid is not None and qos > 0:
                self.flights.sent(mid, Flight(publication.topic, now))

    def woken(self) -> None:
        """The outbox has something new."""
        self._loader.more = True

    def fill(
        self,
        connection: Connection,
        now: float,
        wall: float,
        least: Klass,
        backlog: int | None = None,
    ) -> bool:
        """Publishes until the window is full or there is nothing left. Whether it ends before, so
        that the broker is heard too: at QoS 0 no window ever is full. backlog: how many of it to
        take at most."""
        for _ in range(self._configured):
            if len(self.flights) >= self.window or connection.unsent >= BURST_BYTES:
                return False
            notice = self.notices.next(connection.limits.packet_size)
            if notice is not None:
                self._queue.appendleft(Item(notice, None))
                self._loader.urgent = True
            elif not self._queue and self._loader.more:
                self._refill(connection, now, least, backlog)
                backlog = None if backlog is None else 0
            if not self._queue or not self._send(connection, now, wall):
                return False
            if notice is None and not self._queue and not self._loader.more:
                return False
        return len(self.flights) < self.window

    def _send(self, connection: Connection, now: float, wall: float) -> bool:
        item = self._queue[0]
        publication = item.publication
        if publication.expires is not None and publication.expires <= wall:
            self._queue.popleft()  # nobody wants it any more
            if item.cargo is not None:
                self._unwritten.append(item.cargo)
            return True
        qos = min(publication.qos, connection.limits.qos)
        try:
            if qos == 2:
                mid = self._exact.publish(connection, item, wall)
            else:
                mid = connection.publish(publication, qos, wall)
        except ValueError:
            self._queue.popleft()
            self._unpublishable(item, now)
            return True
        if mid is None:
            return False  # paho has no room: it stays ours
        self._queue.popleft()
        if qos > 0:
            reply = publication.reply
            self.flights.sent(mid, Flight(publication.topic, now, item.cargo, item.lane, reply))
        elif item.cargo is not None:
            self._unwritten.append(item.cargo)
        return True

    def _unpublishable(self, item: Item, now: float) -> None:
        """MQTT has no such topic. It would be no other next time, and must not stop the rest."""
        topic, settled = item.publication.topic, Settled()
        if item.cargo is None:
            self.notices.refused(topic, reason_text(BAD_TOPIC))
        else:
            item.cargo.done(0 if item.publication.reply else BAD_TOPIC, topic, settled)
        self._settle(settled, now)

    def _refill(
        self, connection: Connection, now: float, least: Klass, together: int | None
    ) -> None:
        room = self.window - len(self.flights)
        backlog = min(room, self._history.size - self.flights.of_lane(Lane.HISTORY))
        limit = connection.limits.packet_size
        self._queue.extend(self._loader.load(room, backlog, now, least, limit, together))

    def due(self, now: float) -> float | None:
        """Seconds until the backlog may go on, None if no clock holds it back."""
        return self._loader.due(now)

    def written(self, now: float) -> None:
        """All that was queued is with the operating system: QoS 0 asks for no more."""
        if not self._unwritten:
            return
        cargoes, self._unwritten = self._unwritten, []
        settled = Settled()
        for cargo in cargoes:
            cargo.done(0, "", settled)
        self._settle(settled, now)

    def settle(self, connection: Connection, now: float) -> tuple[Settled, float]:
        """Takes in the broker's answers: what they are, and how many seconds to wait after them."""
        settled = Settled()
        full = self.flights.of_lane(Lane.HISTORY) >= self._history.size
        while connection.answers:
            mid, code = connection.answers.popleft()
            self._exact.open.pop(mid, None)
            flight = self.flights.answered(mid, code, now, settled)
            if flight is not None and flight.lane is Lane.HISTORY:
                self._history.acknowledged(now, now - flight.sent, full)
        try:
            return settled, self._settle(settled, now)
        except BaseException:
            # A bug behind the outbox: nobody else knows of these any more.
            self._orphans += [name for name in settled.names() if not isinstance(name, str)]
            raise

    def _settle(self, settled: Settled, now: float) -> float:
        if settled.accepted:
            self._outbox.accepted(settled.accepted)
            self.refusals.accepted(settled.accepted)
        for key, code, topic in settled.shelved:
            self.shelve(key, f"{reason_text(code)} ({topic})")
        for topic, code in settled.notices:
            if code >= 0x80:
                self.notices.refused(topic, reason_text(code))
            else:
                self.notices.taken(topic)
        return self._retry(settled.retry, now) if settled.retry else 0.0

    def _retry(self, refused: list[tuple[Key, int, str]], now: float) -> float:
        again = []
        for key, code, topic in refused:
            if self.refusals.refused(key, code, now):
                self.shelve(key, f"{reason_text(code)}, while others are taken ({topic})")
            else:
                again.append(key)
        self._outbox.returned(again)
        return self.refusals.pause()

    def shelve(self, key: Key, reason: str) -> None:
        """The broker will never take this entry."""
        self.refusals.forget(key)
        self._outbox.refused(key, reason)
        self._on_shelved(key, reason)

    def blame(self, message: Message, reason: str) -> None:
        """The broker does not survive this message: what it carries is left out or shelved."""
        (first, *rest) = message
        if isinstance(first, str):
            self.notices.bar(first, reason)
        elif rest:
            # Perhaps only too many at once: they are sent again, in smaller batches.
            self._loader.batch = max(1, len(message) // 4)
            log.warning("%s: batches of %d samples from now on", reason, self._loader.batch)
        else:
            self.shelve(first, reason)

    def lost(self, connection: Connection) -> list[Key]:
        """What was in flight, in order: the outbox's again, but for half done handshakes."""
        half = self._exact.lost(connection, self._queue)
        flying = self.flights.entries()
        waiting = [item.cargo for item in self._queue if item.cargo] + self._unwritten
        keys = [*flying, *(key for cargo in waiting for key in cargo.keys)]
        keys += [*self._orphans, *self._loader.orphans()]
        self._queue.clear()
        self._unwritten, self._orphans = [], []
        self._start_over()
        self._outbox.returned([key for key in dict.fromkeys(keys) if key not in half])
        return flying

    def may_wait(self) -> bool:
        """Whether nothing but live readings was published since the last call, and more may be."""
        patient = not self._loader.urgent and len(self.flights) < self.window
        self._loader.urgent = self._loader.urgent and bool(self._queue)
        return patient

    @property
    def patient(self) -> bool:
        """So much of the windows is free that nobody waits for answers."""
        few = 2 * len(self.flights) < self.window
        return few and self.flights.of_lane(Lane.HISTORY) < self._history.size

    @property
    def has_more(self) -> bool:
        """Something waits here, or may wait in the outbox."""
        return self._loader.more or bool(self._queue)

    def takes_more(self) -> bool:
        """As `woken`, where nothing waits already, and of the window half is free."""
        if self.has_more or 2 * len(self.flights) >= self.window:
            return False
        self._loader.more = True
        return True

    @property
    def quiet(self) -> bool:
        """Nothing is in flight and nothing waits here."""
        return not (self.notices.pending or self._queue or len(self.flights))
