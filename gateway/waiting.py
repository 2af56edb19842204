"""The one place where a worker waits: for a wake-up from another thread, or bytes on a port."""

from __future__ import annotations

import os
import select

from drivers.base import Stream
from gateway.attached import Attached

POLL_STREAM = 0.2
"""Seconds between two looks at a port that has no descriptor to wait on."""


class Waiting:
    def __init__(self) -> None:
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._wake, select.POLLIN)
        self._ports: dict[int, Attached] = {}
        self._polled: list[Attached] = []

    def wake(self) -> None:
        """Ends a wait, this one or the next. From any thread."""
        os.eventfd_write(self._wake, 1)

    def wait(self, patience: float) -> list[Attached]:
        """Up to patience seconds. Gives the streams that have, or may have, something to say."""
        if self._polled:
            patience = min(patience, POLL_STREAM)
        ready = [fd for fd, _ in self._poll.poll(patience * 1000)]
        if self._wake in ready:
            os.eventfd_read(self._wake)
            ready.remove(self._wake)
        return [self._ports[fd] for fd in ready] + list(self._polled)

    def attend(self, attached: Attached, stream: Stream) -> None:
        """From a stream's start on, its port is one of the things waited for."""
        descriptor = stream.fileno()
        if descriptor is None:
            if attached not in self._polled:
                self._polled.append(attached)
        elif descriptor not in self._ports:
            self._ports[descriptor] = attached
            self._poll.register(descriptor, select.POLLIN)

    def neglect(self, attached: Attached) -> None:
        """Its port is closed, or about to be."""
        self._polled = [other for other in self._polled if other is not attached]
        for descriptor in [fd for fd, other in self._ports.items() if other is attached]:
            del self._ports[descriptor]
            self._poll.unregister(descriptor)
