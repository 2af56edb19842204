"""What the link decides: when to connect again, in which version, what is at fault. Pure.

Time comes in as monotonic seconds.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from gateway.link.reasons import BAD_VERSION, TAKEN_OVER
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
