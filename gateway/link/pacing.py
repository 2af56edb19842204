"""How fast the backlog may go: what a link bears, and what its owner allows. Pure.

Time comes in as monotonic seconds.
"""

from __future__ import annotations

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
