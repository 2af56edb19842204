"""Keep-alive: when to ping, and when a ping has gone unanswered (MQTT 5.0, 3.1.2.10). Pure.

paho has one of its own, which waits twice the keep-alive before it gives a broker up and cannot be
told the time. Times are monotonic seconds.
"""

from __future__ import annotations


def keepalive_of(ours: int, servers: int | None) -> int:
    """Seconds, 0 for none. A broker that allows more silence than we asked for forbids no ping
    (3.1.2.10), and without one its own silence would be noticed later than was asked for."""
    return min(filter(None, (ours, servers)), default=0)


class Pulse:
    """keepalive: 0 for none. patience: how long a ping may stay unanswered.

    Only a PINGRESP answers a ping: bytes may come for ever that are no packet.
    """

    def __init__(self, keepalive: float, patience: float, now: float) -> None:
        self._keepalive = keepalive
        self._patience = min(patience, keepalive) if keepalive else patience
        self._out = self._in = now
        self._pinged: float | None = None
        self._seen = (0, 0, 0)

    def observe(self, now: float, sent: int, received: int, pongs: int, unsent: int) -> None:
        """The connection so far: bytes out and in, PINGRESPs; and the bytes that wait to leave."""
        if sent != self._seen[0]:
            self._out = now
            if unsent and self._pinged is not None:
                self._pinged = now  # it may still be among those on a slow line
        if received != self._seen[1]:
            self._in = now
        if pongs != self._seen[2]:
            self._pinged = None
        self._seen = (sent, received, pongs)

    def wait(self, now: float) -> float:
        """Seconds until there is something to do; infinity for never."""
        if not self._keepalive:
            return float("inf")
        if self._pinged is not None:
            return max(0.0, self._pinged + self._patience - now)
        return max(0.0, min(self._out, self._in) + self._keepalive - now)

    def due(self, now: float) -> bool:
        """A ping is to be sent."""
        return self._pinged is None and self.wait(now) <= 0.0

    def pinged(self, now: float) -> None:
        self._pinged = self._out = now

    def stopped(self, now: float) -> bool:
        """The ping was not answered in time."""
        return self._pinged is not None and self.wait(now) <= 0.0
