"""What the link decides: when to connect again, in which version, what is at fault. Pure.

Time comes in as monotonic seconds.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from gateway.link.reasons import TAKEN_OVER

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
            return (
                "dropped again and again within seconds: a bad line, or another client with our id"
            )
        return None


PATIENCE_ONE = 4
"""One message may stay unanswered so many times longer, as long as others are answered."""


def overdue(now: float, silent_since: float | None, oldest: float | None, timeout: float) -> bool:
    """The broker takes bytes and does not answer, or has forgotten one message."""
    if silent_since is None or oldest is None:
        return False
    return now - silent_since > timeout or now - oldest > PATIENCE_ONE * timeout


CERTIFICATE_DAYS = (21, 7)


def certificate_warning(days: float | None, which: str) -> str:
    """What to say about a certificate; changes when another bound is passed. Empty: nothing."""
    if days is None or days > CERTIFICATE_DAYS[0]:
        return ""
    if days <= 0:
        return f"{which} has expired"
    bound = next(bound for bound in reversed(CERTIFICATE_DAYS) if days <= bound)
    return f"{which} ends in less than {bound} days"
