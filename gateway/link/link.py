"""The link: one thread between the outbox and the broker.

It runs paho's loop itself, so that whatever happens in a callback happens in its own hands. A
connection ends in exactly one place, with a `Lost` that says why; what it carried goes back to the
outbox, and the back-off decides when the next one begins.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import NoReturn

from gateway.clock import Clock
from gateway.codecs.base import Dialect, LinkState, LinkStatus, Publication, Session
from gateway.link.complaints import Complaints
from gateway.link.connection import Connection
from gateway.link.connector import ConnectError
from gateway.link.dialer import Identity, dialer_of
from gateway.link.exchange import Exchange
from gateway.link.hello import Hello, Lost
from gateway.link.idle import Idle, Stopped
from gateway.link.inbound import AckToken, Inbox, OnCommand
from gateway.link.login import Login
from gateway.link.pacing import Pace, shed
from gateway.link.sender import Sender
from gateway.link.supply import Outbox
from gateway.link.suspects import Suspects
from gateway.link.tally import Counts, DayBytes
from gateway.link.tls import TlsFiles, Trust
from gateway.link.waker import Waker
from gateway.link.wire import Wire

log = logging.getLogger(__name__)

FAREWELL = 2.0  # seconds that the goodbye may take


class Link:
    """Construct, `start`, `stop` once. Everything else may be called from any thread.

    ValueError from the constructor says what is wrong with a url. epoch: the outbox's. on_command,
    on_state and, every 5 s, heartbeat are called in the link's thread, on_alarm(name, raised, text)
    in that of anyone who records; all return at once. Times in seconds, budgets in bytes.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        dialect: Dialect,
        clock: Clock,
        urls: Sequence[str],
        client_id: str,
        epoch: int,
        on_command: OnCommand,
        on_state: Callable[[LinkState], None],
        on_alarm: Callable[[str, bool, str], None],
        heartbeat: Callable[[], None],
        protocol: str = "auto",
        login: Login | None = None,
        tls: TlsFiles | None = None,
        insecure: bool = False,
        proxy: str = "",
        proxy_login: Login | None = None,
        keepalive: int = 30,
        window: int = 100,
        clean_session: bool = False,
        session_expiry: float = 300.0,
        ack_timeout: float = 15.0,
        history_batch: int = 200,
        pace: Pace | None = None,
        linger: float = 0.0,
        daily_bytes: int = 0,
        day: DayBytes | None = None,
        health_every: float = 60.0,
        rng: random.Random | None = None,
    ) -> None:
        """history_batch: samples in a message, 0 for one message each."""
        self._outbox = outbox
        self._dialect, self._clock = dialect, clock
        self._epoch, self._health_every = epoch, health_every
        self._on_state = on_state
        self._heartbeat = heartbeat
        self._ack_timeout, self._daily_bytes = ack_timeout, daily_bytes
        self._trust = Trust(tls or TlsFiles())
        dialect_says = dialect.status(False, "lost"), dialect.filters()
        self._dialer = dialer_of(
            urls,
            Identity(
                client_id, login or Login(), keepalive, clean_session, session_expiry, *dialect_says
            ),
            trust=self._trust,
            clock=clock,
            protocol=protocol,
            insecure=insecure,
            proxy=proxy,
            proxy_login=proxy_login or Login(),
            daily_bytes=daily_bytes,
            rng=rng or random.Random(),
        )
        self._inbox = Inbox(dialect, clock, on_command)
        self._counts = Counts()
        self._complaints = Complaints(self._counts, self._trust, clock, on_alarm)
        self._sender = Sender(
            outbox,
            dialect,
            window=window,
            batch=history_batch,
            pace=pace or Pace(),
            on_shelved=self._complaints.shelved,
            on_barred=self._complaints.notice_refused,
        )
        self._bytes, self._waker = day or DayBytes(), Waker()
        self._exchange = partial(
            Exchange,
            sender=self._sender,
            inbox=self._inbox,
            suspects=Suspects(),
            waker=self._waker,
            clock=clock,
            tally=self._bytes,
            ack_timeout=ack_timeout,
            linger=linger,
            daily_bytes=daily_bytes,
        )
        self._stopping = threading.Event()
        self._idle = Idle(self._waker, self._stopping, clock, heartbeat)
        self._thread = threading.Thread(target=self._run, name="link")
        self._current: Exchange | None = None
        self._up = False
        self._since, self._reason = clock.stamp().wall, "not connected yet"
        self.nonce: str | None = None
        """Of this connection: what a fresh command quotes. None while there is none."""

    # For everyone.

    def start(self) -> None:
        self._outbox.subscribe(self._waker.wake, self._offered)
        self._thread.start()

    def _offered(self) -> None:
        """Somebody has recorded something, and sends it himself if he can."""
        exchange = self._current
        if exchange is None or not exchange.pass_on():
            self._waker.wake()

    def stop(self, timeout: float) -> bool:
        """Says goodbye and ends the thread. False if it still runs after so many seconds."""
        self._stopping.set()
        self._waker.wake()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def notice(self, publication: Publication) -> None:
        """Retained: published now and at each connect. Else: now if connected, or never."""
        self._sender.notices.put(publication, self._up)
        self._waker.wake()

    def acknowledge(self, token: AckToken) -> None:
        """The command is settled: the broker may forget it."""
        self._inbox.acknowledge(token)
        self._waker.wake()

    def status(self) -> LinkStatus:
        return LinkStatus(
            connected=self._up,
            since=self._since,
            url=self._dialer.endpoint.url,
            protocol=self._dialer.protocol,
            reason=self._reason,
            **asdict(self._counts),
            bytes_out=self._bytes.sent,
            bytes_in=self._bytes.received,
            budget=self._daily_bytes,
            shed=shed(self._bytes.total, self._daily_bytes),
            in_flight=len(self._sender.flights),
            window=self._sender.window,
            certificate_days=self._complaints.certificate_days,
            broker_certificate_days=self._complaints.broker_certificate_days,
            insecure=self._dialer.insecure,
        )

    # The thread.

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._cycle()
            except Stopped:
                break
            except BaseException as error:
                # Whatever it is, the readings have to get out: this thread does not die.
                log.exception("the link failed and starts over")
                self._failed(error)
        self._waker.close()

    def _failed(self, error: BaseException) -> None:
        try:
            self._went_down(f"internal error: {error!r}")
            self._complaints.bug(f"internal error: {error!r}")
            self._idle.pause(self._dialer.failed(error))
        except Stopped:
            pass  # the loop sees that as well
        except BaseException:
            log.exception("nor can the failure be told")
            self._stopping.wait(1.0)  # no hurry: it would fail at once again

    def _cycle(self) -> None:
        """One try at one broker, its session, and the wait after it."""
        self._complaints.look_after(None)
        try:
            lasted, lost = self._session(self._idle.dial(self._dialer))
        except ConnectError as error:
            delay = self._dialer.failed(error)
            self._went_down(str(error))
        else:
            delay = self._ended(lasted, lost)
        self._idle.pause(delay)

    def _ended(self, lasted: float | None, lost: Lost) -> float:
        """Seconds to wait. lasted: None when the broker never let us in."""
        self._went_down(lost.reason)
        self._complaints.ended(lost)
        if lasted is None:
            return self._dialer.failed(lost)
        self._counts.drops += 1
        delay, rival = self._dialer.dropped(self._clock.monotonic(), lasted, lost)
        self._complaints.rival(rival)
        return delay

    def _session(self, wire: Wire) -> tuple[float | None, Lost]:
        """Runs until it is lost: how long the broker had us (None: never), and why it ended."""
        try:
            hello = self._dialer.hello()
        except BaseException:
            wire.close()
            raise
        exchange = self._current = self._begin(wire, hello)
        lost = Lost("internal error")
        try:
            self._serve(exchange)
        except Lost as reason:
            lost = reason
        finally:
            self._current = None
            self._counts.returned += exchange.ended(lost)
        return exchange.lasted, lost

    def _begin(self, wire: Wire, hello: Hello) -> Exchange:
        self._inbox.connection += 1
        says = self._inbox.received, self._complaints.bug, self._inbox.reads
        now = self._clock.monotonic()
        return self._exchange(Connection(wire, hello, now, self._ack_timeout, *says))

    def _serve(self, exchange: Exchange) -> NoReturn:
        """Turn after turn. Lost, Stopped."""
        while not self._stopping.is_set():
            if exchange.turn():
                self._heartbeat()
                self._complaints.look_after(exchange.lasted, self._sender.refusals.standing)
                self._complaints.subscribed(exchange.connection.subscriptions.denied)
            if exchange.connection.open and exchange.lasted is None:
                self._went_up(exchange)
        self._leave(exchange)

    def _leave(self, exchange: Exchange) -> NoReturn:
        if self._up:
            over = Session(self._clock.stamp(), None, self._epoch, self._health_every, "stopped")
            exchange.leave([self._dialect.status(False, "stopped"), self._dialect.session(over)])
            exchange.say_goodbye(FAREWELL)
            self._went_down("stopped")
        raise Stopped

    def _went_up(self, exchange: Exchange) -> None:
        stamp = self._clock.stamp()
        self.nonce = secrets.token_hex(16)
        self._up, self._since, self._reason = True, stamp.wall, ""
        self._counts.connects += 1
        self._dialer.worked(exchange.connection.limits)
        self._complaints.connected(exchange.connection.subscriptions.denied)
        self._outbox.link_changed(True)
        session = Session(stamp, self.nonce, self._epoch, self._health_every)
        exchange.opened([self._dialect.status(True), self._dialect.session(session)])
        log.info("connected to %s, MQTT %s", self._dialer.endpoint.url, self._dialer.protocol)
        self._on_state(LinkState.CONNECTED)

    def _went_down(self, reason: str) -> None:
        self._complaints.offline(reason)
        self._reason = reason
        if not self._up:
            return
        self._up, self._since, self.nonce = False, self._clock.stamp().wall, None
        self._outbox.link_changed(False)
        self._on_state(LinkState.DISCONNECTED)
