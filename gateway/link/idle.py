"""The link's time without a connection: waiting for one, and waiting between two."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable

from gateway.clock import Clock
from gateway.link.connector import ConnectError
from gateway.link.dialer import ATTEMPT_TIMEOUT, Dialer
from gateway.link.exchange import TURN
from gateway.link.waker import Waker
from gateway.link.wire import Wire


class Stopped(Exception):
    """The link was told to stop. Never leaves the link."""


class Idle:
    """Every wait ends at once, with Stopped, when the link is told to stop."""

    def __init__(
        self,
        waker: Waker,
        stopping: threading.Event,
        clock: Clock,
        heartbeat: Callable[[], None],
    ) -> None:
        self._waker = waker
        self._stopping = stopping
        self._clock = clock
        self._heartbeat = heartbeat

    def dial(self, dialer: Dialer) -> Wire:
        attempt = dialer.begin(self._waker.wake)
        deadline = self._clock.monotonic() + ATTEMPT_TIMEOUT
        try:
            while (wire := attempt.result()) is None:
                if self._clock.monotonic() > deadline:
                    url, doing = dialer.endpoint.url, attempt.doing
                    raise ConnectError(f"{url} does not answer while {doing}")
                self._wait(deadline)
        except (ConnectError, Stopped):
            dialer.give_up(attempt)
            raise
        return wire

    def pause(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while self._clock.monotonic() < until:
            self._wait(until)

    def _wait(self, until: float) -> None:
        """One turn without a connection. Stopped."""
        self._heartbeat()
        left = max(0.0, until - self._clock.monotonic())
        select.select([self._waker], [], [], min(TURN, left))
        self._waker.drain()
        if self._stopping.is_set():
            raise Stopped
