"""How fast the backlog may go: what a link bears, and what its owner allows. Pure.

Time comes in as monotonic seconds.
"""

from __future__ import annotations

from gateway.model import Klass

HISTORY_SLOW = 1.0
HISTORY_FAST = 0.5
"""Seconds from sending a history message to its acknowledgement."""


class HistoryWindow:
    """How many messages of the backlog may be in flight, so that live values are not late.

    Everything shares one stream of bytes. While answers come at once the backlog may have more of
    it, as long as it uses up what it has: where the disk is the slower one, more in flight is only
    more in memory. When answers take a second, it is halved, at most once for each message's way.
    """

    def __init__(self) -> None:
        self.size = 4
        self._shrunk = float("-inf")

    def acknowledged(self, now: float, took: float, full: bool) -> None:
        """took: seconds until the answer. full: as many were in flight as may be."""
        if took > HISTORY_SLOW:
            if now - took > self._shrunk:
                self.size = max(1, self.size // 2)
                self._shrunk = now
        elif took < HISTORY_FAST and full:
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


class Pace:
    """What the owner of the link allows for the backlog: entries and bytes a second, 0: no bound.

    A message of the backlog goes out whole; the next one waits until what it had too much is paid.
    """

    def __init__(self, entries: float = 0.0, size: float = 0.0, batch: int = 0) -> None:
        """batch: entries in one message."""
        self._entries = TokenBucket(entries, burst=max(batch, entries))
        self._bytes = TokenBucket(size, burst=size)
        self._free = entries <= 0 and size <= 0

    def available(self, now: float) -> int:
        """Entries that may go now. now: monotonic seconds."""
        if self._free:
            return TokenBucket.UNBOUNDED
        allowed = self._entries.available(now)
        return allowed if self._bytes.available(now) > 0 else 0

    def spend(self, entries: int) -> None:
        self._entries.spend(entries)

    def sent(self, size: int) -> None:
        """So many bytes of the backlog are on their way."""
        self._bytes.spend(size)

    def wait(self) -> float | None:
        """Seconds until some may go; None if some may always go."""
        waits = [wait for wait in (self._entries.wait(), self._bytes.wait()) if wait is not None]
        return max(waits, default=None)


def least_class(used: int, budget: int) -> Klass:
    """The lowest class that a metered link still sends today: alarms always.

    What is held back stays in the outbox, and goes out when a new day has a new budget.
    """
    if budget <= 0 or used < 0.8 * budget:
        return Klass.TELEMETRY
    if used < 0.9 * budget:
        return Klass.COUNTER
    return Klass.RESULT if used < budget else Klass.ALARM


def shed(used: int, budget: int) -> str:
    """What a metered link holds back today, in words; "" for nothing."""
    least = least_class(used, budget)
    return f"below {least.name.lower()}" if least else ""
