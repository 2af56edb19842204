"""Live readings wait for company, so that several share their packets: when they go. Pure.

A reading alone costs three packets: itself, its answer, and TCP's answer to that. So those that may
wait do so on the connection, published and numbered, until the first of them has waited long
enough, until one more would not fit into two packets (which TCP answers with one: RFC 9293,
3.8.6.3), or until anything else leaves. Time comes in as monotonic seconds.
"""

from __future__ import annotations

FULL = 2 * 1350
"""Bytes of two packets anywhere: Ethernet's 1,500 less the headers of IP and TCP, with something to
spare for TLS and for tunnels, PPPoE and mobile networks."""


class Linger:
    """seconds: how long a reading waits at most; 0: not at all."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until: float | None = None
        """When what is held leaves; None while nothing is held."""
        self._held = 0
        self._hurry = False

    def before(self, unsent: int, other: bool) -> None:
        """Before messages are added. unsent: bytes on the connection. other: there is something
        among them that does not wait. What has begun to leave does not wait either."""
        self._hurry = other or unsent != self._held

    def holds(self, now: float, unsent: int, patient: bool) -> bool:
        """After messages were added: whether all of it waits on. patient: what was added may."""
        grown = unsent - self._held
        until = now + self.seconds if self.until is None else self.until
        fits = unsent + grown <= FULL
        if self._hurry or not patient or not unsent or not fits or now >= until:
            self.release()
            return False
        self._held, self.until = unsent, until
        return True

    def release(self) -> None:
        """What is held leaves with the next turn."""
        self._held, self.until = 0, None
