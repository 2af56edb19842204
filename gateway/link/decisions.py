"""What the link decides: when to connect again, what a reason code means, what is at fault. Pure.

Time comes in as monotonic seconds. Reason codes are those of MQTT 5.0, section 2.4.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum

from gateway.model import Key, Klass

STABLE = 60.0
"""Seconds a connection has to last before the back-off forgets what was before it."""
FIRST_DELAY = 1.0
MAX_DELAY = 60.0
MAX_DELAY_LOCAL = 2.0
"""For a broker on this machine there is no crowd to spread, and somebody is watching."""
RIVAL_DELAY = 300.0
RIVAL_DROPS = 4
RIVAL_WINDOW = 60.0
RIVAL_AGE = 10.0
"""A connection that was taken over usually was young: the rival reconnects within seconds."""


class Backoff:
    """Full jitter: a random time up to a bound that doubles, so that a fleet does not march."""

    def __init__(self, rng: random.Random, maximum: float = MAX_DELAY) -> None:
        self._rng = rng
        self._maximum = maximum
        self._failures = 0

    def delay(self, maximum: float | None = None) -> float:
        """Seconds to wait after one more failure."""
        ceiling = self._maximum if maximum is None else maximum
        bound = min(ceiling, FIRST_DELAY * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return self._rng.uniform(0.0, bound)

    def ended(self, lasted: float) -> None:
        """A connection ended after so many seconds."""
        if lasted >= STABLE:
            self._failures = 0


class Verdict(Enum):
    """What becomes of a message that the broker answered."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    SHELVE = "shelve"


REASONS = {
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "this broker does not speak this version of MQTT",
    0x85: "client id not valid",
    0x86: "bad user name or password",
    0x87: "not authorised",
    0x88: "broker unavailable",
    0x89: "broker busy",
    0x8A: "banned",
    0x8B: "broker shutting down",
    0x8C: "bad authentication method",
    0x8D: "keep-alive time-out",
    0x8E: "another client connected with our client id",
    0x8F: "topic filter not valid",
    0x90: "topic name not valid",
    0x91: "packet identifier in use",
    0x92: "packet identifier not found",
    0x93: "receive maximum exceeded",
    0x94: "topic alias not valid",
    0x95: "packet too large",
    0x96: "message rate too high",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x99: "payload format not valid",
    0x9A: "retain not supported",
    0x9B: "QoS not supported",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9E: "shared subscriptions not supported",
    0x9F: "connection rate exceeded",
    0xA0: "maximum connect time",
    0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}
FOR_GOOD = frozenset({0x87, 0x90, 0x95, 0x99, 0x9A, 0x9B})
"""Answers to a PUBLISH that the same message will get again, whenever it is sent."""
TAKEN_OVER = 0x8E
BAD_VERSION = 0x84
CREDENTIALS = frozenset({0x85, 0x86, 0x87, 0x8A, 0x8C})
"""Refusals of a CONNECT that somebody has to put right; the others may pass by themselves."""


def reason_text(code: int) -> str:
    return REASONS.get(code, f"reason code 0x{code:02x}")


def verdict(code: int) -> Verdict:
    """What a PUBACK or PUBREC says. 0x00 success, 0x10 nobody subscribes; from 0x80 failures."""
    if code < 0x80:
        return Verdict.ACCEPTED
    return Verdict.SHELVE if code in FOR_GOOD else Verdict.RETRY


def window_of(configured: int, receive_maximum: int | None) -> int:
    """Messages in flight: our limit or the broker's Receive Maximum, whichever is smaller."""
    return configured if receive_maximum is None else max(1, min(configured, receive_maximum))


@dataclass(slots=True)
class Rivals:
    """Is a second client using our id? MQTT 5 brokers say so, the others just close."""

    drops: deque[float] = field(default_factory=deque)

    def dropped(self, now: float, lasted: float, code: int | None) -> str | None:
        """Words for the operator when it looks like it, else None."""
        if code == TAKEN_OVER:
            return "another client is connected with our client id"
        if lasted > RIVAL_AGE:
            return None
        self.drops.append(now)
        while self.drops and now - self.drops[0] > RIVAL_WINDOW:
            self.drops.popleft()
        if len(self.drops) >= RIVAL_DROPS:
            return "dropped again and again: is another client using our client id?"
        return None


STRIKES_TO_WATCH = 2
STRIKES_OUT = 3


class Suspects:
    """Finds the message that a broker hangs up on, without blaming a bad network.

    Some brokers close the connection instead of refusing a message, and would for ever. A drop by
    the broker while messages are in flight is a strike against the oldest. After two, messages go
    one at a time; three drops in a row, each by the broker, each while this one message was alone
    in flight on a connection that had carried others, and it is the message.
    """

    def __init__(self) -> None:
        self._suspect: Key | None = None
        self._strikes = 0
        self._alone = 0

    @property
    def watching(self) -> bool:
        return self._suspect is not None

    @property
    def one_at_a_time(self) -> bool:
        return self._strikes >= STRIKES_TO_WATCH

    def acknowledged(self, keys: Collection[Key]) -> None:
        if self._suspect in keys:
            self._clear()

    def dropped(self, in_flight: list[Key], by_broker: bool, proven: bool) -> Key | None:
        """The connection ended. The key to shelve, if one is found out.

        by_broker: the broker closed; proven: it had acknowledged something on this connection.
        """
        if not in_flight or not by_broker or not proven:
            return None
        if in_flight[0] != self._suspect:
            self._clear()
            self._suspect = in_flight[0]
        self._strikes += 1
        if len(in_flight) == 1:
            self._alone += 1
        if self._alone < STRIKES_OUT:
            return None
        guilty = self._suspect
        self._clear()
        return guilty

    def _clear(self) -> None:
        self._suspect, self._strikes, self._alone = None, 0, 0


HISTORY_SLOW = 1.0
HISTORY_FAST = 0.5
"""Seconds from sending a history message to its acknowledgement."""


class HistoryWindow:
    """How many messages of the backlog may be in flight, so that live values are not late.

    Everything shares one stream of bytes. While answers come at once the backlog may have more of
    it; when they take a second, it is halved, at most once for each message's way.
    """

    def __init__(self) -> None:
        self.size = 4
        self._shrunk = float("-inf")

    def acknowledged(self, now: float, took: float) -> None:
        if took > HISTORY_SLOW:
            if now - took > self._shrunk:
                self.size = max(1, self.size // 2)
                self._shrunk = now
        elif took < HISTORY_FAST:
            self.size += 1


class TokenBucket:
    """So many a second, saved up to `burst`. rate 0: no bound."""

    UNBOUNDED = 1 << 30

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._tokens = self._burst
        self._at: float | None = None

    def available(self, now: float) -> int:
        if self._rate <= 0:
            return self.UNBOUNDED
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return int(self._tokens)

    def spend(self, count: int) -> None:
        if self._rate > 0:
            self._tokens -= count

    def wait(self) -> float | None:
        """Seconds until there is one; None if there always is."""
        if self._rate <= 0 or self._tokens >= 1:
            return None
        return (1 - self._tokens) / self._rate


class Versions:
    """Which MQTT version to speak to which broker. With "auto", 5 first.

    A broker that refuses 5 gets 3.1.1 from then on. One that does not answer a CONNECT of version 5
    at all (RabbitMQ 3.10) gets 3.1.1 in turn with 5, until one of them works.
    """

    def __init__(self, configured: str) -> None:
        self._configured = configured
        self._settled: dict[str, str] = {}
        self._trial: dict[str, str] = {}

    def of(self, url: str) -> str:
        if self._configured != "auto":
            return self._configured
        return self._settled.get(url) or self._trial.get(url) or "5"

    def refused(self, url: str, code: int | None) -> bool:
        """No session came about. True when this settles that the broker gets 3.1.1."""
        if self._configured != "auto" or url in self._settled:
            return False
        if self.of(url) == "5" and code == BAD_VERSION:
            self._settled[url] = "3.1.1"
            return True
        if code is None:
            self._trial[url] = "3.1.1" if self.of(url) == "5" else "5"
        return False

    def worked(self, url: str) -> bool:
        """A session came about. True when it is the first with 3.1.1 by trial."""
        if self._configured != "auto" or url in self._settled or self.of(url) == "5":
            return False
        self._settled[url] = self.of(url)
        return True


def least_class(used: int, budget: int) -> Klass:
    """The lowest class that a metered link still sends today: alarms always.

    What is held back stays in the outbox, and goes out when a new day has a new budget.
    """
    if budget <= 0 or used < 0.8 * budget:
        return Klass.TELEMETRY
    if used < 0.9 * budget:
        return Klass.COUNTER
    return Klass.RESULT if used < budget else Klass.ALARM


QUOTA_PAUSE = 5.0
"""Seconds without sending after the broker refused a message for the moment."""
PATIENCE_ONE = 4
"""One message may stay unanswered so many times longer, as long as others are answered."""


def overdue(now: float, silent_since: float | None, oldest: float | None, timeout: float) -> bool:
    """The broker takes bytes and does not answer, or has forgotten one message."""
    if silent_since is None or oldest is None:
        return False
    return now - silent_since > timeout or now - oldest > PATIENCE_ONE * timeout


CERTIFICATE_DAYS = (21, 7)


def certificate_warning(days: float | None) -> str:
    """What to say about our certificate; changes when another bound is passed. Empty: nothing."""
    if days is None or days > CERTIFICATE_DAYS[0]:
        return ""
    if days <= 0:
        return "the client certificate has expired"
    bound = next(bound for bound in reversed(CERTIFICATE_DAYS) if days <= bound)
    return f"the client certificate ends in less than {bound} days"
