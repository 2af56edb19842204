"""Readings that wait for the next batch: what the link sees of the outbox on a metered link.

Between two batches the link gets what cannot wait: results, states, alarms and gaps. When a batch
is due, all readings that were recorded until then count as backlog, which goes out compressed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from gateway.link.supply import Outbox
from gateway.model import Entry, Klass, Lane

URGENT = Klass.RESULT
"""From here on nothing waits."""


class Source(Outbox, Protocol):
    def has_backlog(self) -> bool: ...


class Batches:
    """Looks like the outbox. `due` is for a timer, in any thread; the rest is the link's.

    A new connection begins with a batch too: what an outage left goes out at once.
    """

    def __init__(self, outbox: Source) -> None:
        self._outbox = outbox
        self._lock = threading.Lock()
        self._open = False
        self._up = False
        self._wake: Callable[[], None] = lambda: None
        self.accepted = outbox.accepted
        self.refused = outbox.refused
        self.returned = outbox.returned

    def due(self) -> None:
        """What waits by now goes out."""
        with self._lock:
            if not self._up:
                return  # the next connection brings it
            self._begin()
        self._wake()

    def _begin(self) -> None:
        self._outbox.link_changed(True)  # what is unsent belongs to the backlog from here on
        self._open = True

    def take(
        self, limit: int, history: int | None = None, least: Klass = Klass.TELEMETRY
    ) -> list[tuple[Entry, Lane]]:
        with self._lock:
            self._open = self._open and self._outbox.has_backlog()
            return self._outbox.take(limit, history, least if self._open else max(least, URGENT))

    def link_changed(self, up: bool) -> None:
        with self._lock:
            self._up = up
            if up:
                self._begin()
            else:
                self._outbox.link_changed(False)

    def subscribe(self, wake: Callable[[], None], offer: Callable[[], None]) -> None:
        self._wake = wake
        self._outbox.subscribe(wake, offer)
