"""Which broker is tried next, how, and when: everything between two connections.

Waiting is done by the link, turn by turn; here are the state and the decisions' order.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.codecs.base import Publication
from gateway.codecs.values import utc
from gateway.link.client import MQTT_5, MQTT_311
from gateway.link.connector import Attempt, ConnectError, Connector
from gateway.link.decisions import (
    MAX_DELAY,
    MAX_DELAY_LOCAL,
    RIVAL_DELAY,
    STABLE,
    Backoff,
    Rivals,
)
from gateway.link.endpoint import Endpoint, parse_endpoint, parse_proxy
from gateway.link.hello import Hello, Limits, Lost
from gateway.link.login import Login
from gateway.link.reasons import ELSEWHERE, TAKEN_OVER, least_wait
from gateway.link.terms import Concessions, Sessions, Versions
from gateway.link.tls import Trust

log = logging.getLogger(__name__)

ATTEMPT_TIMEOUT = 30.0
"""Resolver, TCP, proxy and TLS together; then the attempt is abandoned."""
SHORT_LIVES = 3
"""Sessions in a row that did not last: another url may do better."""
MAX_ABANDONED = 3
"""Attempts that hang in the resolver, before no more are begun."""


DEAR = 30
"""Seconds; who sets a longer keep-alive, or a budget, pays by the byte: no probes of the kernel."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are to every broker. Times in seconds."""

    client_id: str
    login: Login
    keepalive: int
    clean_session: bool
    session_expiry: float
    will: Publication
    filters: Sequence[tuple[str, int]]


class Dialer:
    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        identity: Identity,
        connector: Connector,
        protocol: str,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._endpoints = endpoints
        self._identity = identity
        self._connector = connector
        self._clock = clock
        self._versions = Versions(protocol)
        self._concessions = Concessions()
        self._sessions = Sessions(identity.session_expiry)
        self.protocol = self._versions.of(endpoints[0].url)
        """MQTT's version in the last CONNECT."""
        self._backoff = Backoff(rng)
        self._rivals = Rivals()
        self._at = self._short = 0
        self._abandoned: list[Attempt] = []

    @property
    def endpoint(self) -> Endpoint:
        """The broker that is tried or connected."""
        return self._endpoints[self._at]

    def begin(self, done: Callable[[], None]) -> Attempt:
        """Starts connecting. ConnectError when too many attempts before it still hang."""
        self._abandoned = [attempt for attempt in self._abandoned if attempt.running]
        if len(self._abandoned) >= MAX_ABANDONED:
            raise ConnectError("the resolver hangs: name look-ups begun before do not end")
        endpoint = self.endpoint
        return Attempt(lambda progress: self._connector.connect(endpoint, progress), done)

    def give_up(self, attempt: Attempt) -> None:
        attempt.abandon()
        self._abandoned.append(attempt)

    def hello(self) -> Hello:
        """ConnectError when the password file cannot be read.

        MQTT 3.1.1 has no session expiry: what was published while we were away, yesterday perhaps,
        would be carried out now. So a session that is too old is ended first, by a connection with
        a clean one that does nothing else.
        """
        who = self._identity
        try:
            password = who.login.secret()
        except (OSError, UnicodeError) as error:
            raise ConnectError(f"password_file: {error}") from error
        url = self.endpoint.url
        self.protocol = self._versions.of(url)
        forget = self.protocol != "5" and not who.clean_session
        forget = forget and self._sessions.too_old(url, self._clock.monotonic())
        hello = Hello(
            client_id=who.client_id,
            protocol=MQTT_5 if self.protocol == "5" else MQTT_311,
            keepalive=who.keepalive,
            clean_session=who.clean_session or forget,
            session_expiry=who.session_expiry,
            will=who.will,
            filters=who.filters,
            username=who.login.username,
            password=password,
            url=url,
            only_to_forget=forget,
        )
        return self._concessions.applied(url, hello)

    def worked(self, limits: Limits) -> None:
        """The broker let us in."""
        url = self.endpoint.url
        self._concessions.assigned(url, limits.client_id)
        if self._versions.worked(url):
            log.warning("%s answers only MQTT 3.1.1", url)

    def failed(self, error: BaseException) -> float:
        """No session came about; the next url is due. Seconds to wait before it."""
        code = error.code if isinstance(error, Lost) else None
        if isinstance(error, Lost) and (self._forgotten(error) or self._adapted(code)):
            return 0.0
        self._next()
        return self._wait(self._ceiling(), code)

    def _forgotten(self, lost: Lost) -> bool:
        if not lost.forgotten:
            return False
        self._sessions.forgotten(self.endpoint.url)
        return True

    def _adapted(self, code: int | None) -> bool:
        """The broker wants another CONNECT, and the next one is."""
        url = self.endpoint.url
        if self._versions.refused(url, code):
            log.warning("%s refuses MQTT 5: going on with 3.1.1", url)
            return True
        without = self._concessions.refused(url, code)
        if without:
            log.warning("%s does not take %s", url, without)
        return bool(without)

    def dropped(self, now: float, lasted: float, error: Exception) -> tuple[float, str]:
        """A session ended after so many seconds. How long to wait; who may be our rival."""
        code = error.code if isinstance(error, Lost) else None
        self._sessions.ended(self.endpoint.url, now)
        rival = self._rivals.dropped(now, lasted, code) or ""
        self._backoff.ended(lasted)
        delay = self._wait(self._rival_ceiling(code) if rival else self._ceiling(), code)
        self._short = self._short + 1 if lasted < STABLE else 0
        if code in ELSEWHERE or self._short >= SHORT_LIVES:
            self._next()
        return delay, rival

    def _rival_ceiling(self, code: int | None) -> float:
        """Minutes to let the other one be. On this machine it has to be certain that there is one:
        a broker that was started four times in a minute looks the same."""
        return RIVAL_DELAY if code == TAKEN_OVER or not self.endpoint.local else MAX_DELAY

    def _wait(self, ceiling: float, code: int | None) -> float:
        delay = self._backoff.delay(ceiling)
        # With full jitter above it, so that a fleet does not come back all at once.
        return delay if self.endpoint.local else delay + least_wait(code)

    def _next(self) -> None:
        self._short = 0
        self._at = (self._at + 1) % len(self._endpoints)

    def _ceiling(self) -> float:
        """Several brokers share one wait: the second is tried as soon as the first."""
        ceiling = MAX_DELAY_LOCAL if self.endpoint.local else MAX_DELAY
        return ceiling / len(self._endpoints)

    @property
    def insecure(self) -> bool:
        """Whether one of the brokers is another machine that is spoken to without TLS."""
        return any(not e.tls and not e.local for e in self._endpoints)


def _hour(wall: float) -> str:
    """Exact enough for a certificate, and the same at many tries: a reason is logged once."""
    day, time = utc(wall).split("T")
    return f"{day}, {time[:2]} h UTC"


def dialer_of(
    urls: Sequence[str],
    identity: Identity,
    *,
    trust: Trust,
    clock: Clock,
    protocol: str,
    insecure: bool,
    proxy: str,
    proxy_login: Login,
    daily_bytes: int,
    rng: random.Random,
) -> Dialer:
    """ValueError says what is wrong with a url. daily_bytes: a budget, 0 for none. rng: jitter,
    which needs no secret."""
    endpoints = [parse_endpoint(url, insecure) for url in urls]
    way = parse_proxy(proxy) if proxy else None
    probing = identity.keepalive <= DEAR and not daily_bytes
    connector = Connector(trust, way, proxy_login, lambda: _hour(clock.stamp().wall), probing)
    return Dialer(endpoints, identity, connector, protocol, clock, rng)
