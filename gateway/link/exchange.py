"""A session from the broker's welcome to its end: messages both ways, a turn at a time.

The turns are the link's thread's, but for one kind: who records a reading while nothing is in its
way sends it himself (`pass_on`). To wake another thread for it costs more than to send it.
"""

from __future__ import annotations

import logging
import operator
import threading

from gateway.clock import Clock
from gateway.codecs.base import Publication
from gateway.link.connection import Connection
from gateway.link.decisions import STABLE, overdue
from gateway.link.ears import Ears
from gateway.link.flights import Settled
from gateway.link.hello import Lost
from gateway.link.inbound import Inbox
from gateway.link.linger import Linger
from gateway.link.pacing import least_class
from gateway.link.sender import Sender
from gateway.link.suspects import Suspects
from gateway.link.tally import CoarseWall, DayBytes
from gateway.link.waker import Waker
from gateway.model import Klass

log = logging.getLogger(__name__)

TURN = 5.0
"""Seconds between two heartbeats at most."""
HANGS_UP = "the broker hangs up whenever it is sent"
CHORES = 0.25
"""Seconds between two looks at deadlines and counters while much goes on."""
HEAP = 0.04
"""Seconds for which answers may wait for the next reading, so that one wake-up serves both."""
STREAM = 2 * HEAP
"""Answers that come so soon after others, in seconds, belong to a stream: more will follow."""


class Exchange:
    """ack_timeout: seconds without an answer after which the broker is taken for dead. linger:
    seconds for which a live reading may wait for others. daily_bytes: a metered link's budget, 0
    for none."""

    def __init__(
        self,
        connection: Connection,
        *,
        sender: Sender,
        inbox: Inbox,
        suspects: Suspects,
        waker: Waker,
        clock: Clock,
        tally: DayBytes,
        ack_timeout: float,
        linger: float,
        daily_bytes: int,
    ) -> None:
        self.connection = connection
        self._sender = sender
        self._inbox = inbox
        self._suspects = suspects
        self._waker = waker
        self._clock = clock
        self._tally = tally
        self._ack_timeout = ack_timeout
        self._linger = Linger(linger)
        self._daily_bytes = daily_bytes
        self._turning = threading.Lock()
        """Whoever holds it has the connection and the sender for himself."""
        self._trouble: Lost | None = None
        self._paused_until = 0.0
        self._leaving = False
        self._ears = Ears(connection.fileno(), waker.fileno())
        self._chores_at = 0.0
        self._counted, self._waited = (0, 0, 0, 0), (0, 0)
        self._opened: float | None = None
        self._read_at = 0.0
        self._streaming = self._unfinished = False
        self._wall = CoarseWall(clock)

    @property
    def lasted(self) -> float | None:
        """Seconds since the broker let us in, None if it has not."""
        return None if self._opened is None else self._clock.monotonic() - self._opened

    def opened(self, first: list[Publication]) -> None:
        """The gate opens: first goes out before everything else."""
        with self._turning:
            self._opened = self._clock.monotonic()
            self._sender.opened(self.connection, first, self._suspects.one_at_a_time)
        self._waker.wake()  # the turn that let us in has been

    def pass_on(self) -> bool:
        """From any thread: sends what the outbox has just got, if nothing is in the way; whether
        all of it went. Else the link's thread is to be woken for it. Never blocks, never raises."""
        if not self._turning.acquire(blocking=False):
            return False
        try:
            return self._passes(self._clock.monotonic())
        except OSError:
            return False  # the link's thread meets it as well, and hears the broker's last words
        except Exception as error:
            log.exception("a reading could not be passed on")
            self._trouble = Lost(f"internal error: {error!r}")
            return False
        finally:
            self._turning.release()

    def _passes(self, now: float) -> bool:
        sender = self._sender
        if self._is_in_the_way(now) or not sender.takes_more():
            return False
        self._fill(now, 1)
        if not self.connection.push():
            return False
        sender.written(now)
        return not (self._unfinished or sender.has_more)

    def _is_in_the_way(self, now: float) -> bool:
        """Readings wait for others, for the broker, for tomorrow's budget, or because the broker
        hangs up on one of them."""
        if self._linger.seconds or self._daily_bytes or self._suspects.watched:
            return True
        return self._opened is None or self._leaving or now < self._paused_until

    def turn(self, at_most: float = TURN) -> bool:
        """Waits for something to do, and does it; whether it was time for the chores, too. Lost."""
        rang, heard = self._wait(at_most)
        with self._turning:
            if self._trouble is not None:
                raise self._trouble
            return self._take_turn(rang, heard)

    def _take_turn(self, rang: bool, heard: bool) -> bool:
        connection, now = self.connection, self._clock.monotonic()
        self._unfinished = False
        if rang or not heard:
            # After a quiet turn too: a wake-up that was lost must not hold readings back for ever.
            self._sender.woken()
        if heard:
            connection.read(now)
            self._streaming = bool(connection.answers) and now < self._read_at + STREAM
            self._read_at = now
        # A quiet turn is there for what is due; while much goes on, that is looked at now and then.
        chores = not (rang or heard) or now >= self._chores_at or not connection.open
        connection.tick(now, chores)
        if self._opened is not None:
            self._work(now)
        lingers = self._linger.seconds and self._opened is not None and self._lingers(now)
        if not lingers and (not connection.wants_write or connection.write()):
            self._sender.written(now)
        if chores:
            self._chores_at = now + CHORES
            self._deadline(now)
        if chores or self._daily_bytes:
            self._count()
        return chores

    def _wait(self, at_most: float) -> tuple[bool, bool]:
        """Until there is something to do; whether somebody has called, and whether something may
        have come from the broker."""
        with self._turning:
            timeout, line, writing = self._plan(at_most)
        rang, heard = self._ears.wait(timeout, line, writing)
        if not line:
            heard = heard or not rang or timeout < HEAP / 4
        if rang:
            self._waker.heard()
        return rang, heard

    def _plan(self, at_most: float) -> tuple[float, bool, bool]:
        """How long to wait, whether for the line too, whether for room to write."""
        now = self._clock.monotonic()
        held = self._linger.until
        writing = held is None and self.connection.wants_write
        if held is not None:
            at_most = max(0.0, min(at_most, held - now))
        if self._unfinished:
            at_most = 0.0
        # While readings come one after the other, the answers to several are read together.
        heap = self._read_at + HEAP - now
        awaited = self._streaming or len(self._sender.flights) > 0
        if 0.0 < heap < at_most and not writing and awaited and self._sender.patient:
            return heap, False, False
        return min(at_most, self._timeout(now)), True, writing

    def _timeout(self, now: float) -> float:
        turn = min(TURN, self.connection.wait(now))
        if self.connection.open and now < self._paused_until:
            return min(turn, self._paused_until - now)
        due = self._sender.due(now)
        # A token that is due in a moment is waited for a little longer, so that they come in heaps.
        return turn if due is None else min(turn, max(0.05, due))

    def _work(self, now: float) -> None:
        if self.connection.answers or self._suspects.watched:
            self._take_answers(now)
        self._inbox.send_acks(self.connection)
        if self._linger.seconds:
            self._linger.before(self.connection.unsent, self.connection.client.want_write())
        if now >= self._paused_until and not self._leaving:
            self._fill(now)

    def _fill(self, now: float, backlog: int | None = None) -> None:
        """backlog: how many of it at most; to pack them is nobody's work but ours."""
        budget, wall = self._daily_bytes, self._wall.at(now)
        least = least_class(self._tally.total, budget) if budget else Klass.TELEMETRY
        self._unfinished = self._sender.fill(self.connection, now, wall, least, backlog)

    def _lingers(self, now: float) -> bool:
        """Whether what waits to be written waits on, for readings that leave with it."""
        connection, patient = self.connection, self._sender.may_wait()
        if patient and connection.client.want_write():
            connection.client.loop_write()  # to the rest, so that its bytes are counted
        if self._linger.holds(now, connection.unsent, patient):
            return True
        if connection.unsent:
            connection.client.wire.hush()
        return False

    def _take_answers(self, now: float) -> None:
        settled, pause = self._sender.settle(self.connection, now)
        if self._suspects.watched:
            self._acquit(settled, now)
        if pause:
            self._paused_until = now + pause

    def _acquit(self, settled: Settled, now: float) -> None:
        if self._opened is not None and now - self._opened > STABLE:
            self._suspects.clear()  # it is not among what is sent now
        else:
            self._suspects.answered(settled.names())
        if not self._suspects.one_at_a_time:
            self._sender.full_window(self.connection)

    def _deadline(self, now: float) -> None:
        if self._opened is None:
            return
        flights = self._sender.flights
        before, waited = self._waited
        sent, _, _, _ = self.connection.traffic
        self._waited = sent, self.connection.unsent
        if waited and sent > before:
            flights.progress = now  # a slow link is not a dead one: bytes still leave
        if overdue(now, flights.silent_since(), flights.oldest(), self._ack_timeout):
            raise Lost(f"the broker has acknowledged nothing for {self._ack_timeout:g} s")

    def leave(self, last: list[Publication]) -> None:
        """Nothing more is begun but these."""
        with self._turning:
            self._leaving = True
            self._linger.release()
            self._sender.finish(self.connection, last, self._clock.monotonic())

    def say_goodbye(self, within: float) -> None:
        """Waits until the last is answered, `within` seconds at most, and disconnects. Lost."""
        until = self._clock.monotonic() + within
        while not self.settled and (left := until - self._clock.monotonic()) > 0:
            self.turn(left)
        self.connection.farewell(with_will=not self.settled)

    @property
    def settled(self) -> bool:
        """Everything that went out is answered."""
        return self._sender.quiet and not self.connection.wants_write

    def ended(self, lost: Lost) -> int:
        """Closes, and gives back what was in flight; how many entries that were."""
        with self._turning:
            self._leaving = True
            return self._close(lost)

    def _close(self, lost: Lost) -> int:
        now = self._clock.monotonic()
        self._ears.close()
        self.connection.close()
        self._count()
        if self._opened is not None:
            # Answers that came before the end count: at QoS 2 they are the truth.
            try:
                self._sender.settle(self.connection, now)
            except Exception:
                log.exception("the last answers were not taken in")
        in_flight = self._sender.flights.messages()
        keys = self._sender.lost(self.connection)
        guilty = self._suspects.dropped(in_flight, lost.by_broker, self.connection.proven, now)
        if guilty is not None:
            self._sender.blame(guilty, HANGS_UP)
        return len(keys)

    def _count(self) -> None:
        traffic = self.connection.traffic
        if traffic != self._counted or self._daily_bytes:  # a new day comes without any, too
            wall = self._wall.at(self._clock.monotonic())
            self._tally.add(wall, *map(operator.sub, traffic, self._counted))
            self._counted = traffic
