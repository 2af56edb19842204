"""Wakes a thread out of select, from any other thread, however often for one system call."""

from __future__ import annotations

import os
import threading


class Waker:
    def __init__(self) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = threading.Lock()
        self._awake = False

    def wake(self) -> None:
        # Two threads may both find it False and write twice: harmless.
        if self._awake:
            return
        self._awake = True
        with self._closing:
            if self._event >= 0:
                os.eventfd_write(self._event, 1)

    def drain(self) -> None:
        """What was asked for before this call must be looked at after it.

        In this order: a wake-up between the two would be read away and leave `_awake` True, and
        nobody would ever be woken again.
        """
        try:
            os.eventfd_read(self._event)
        except BlockingIOError:
            pass
        self.heard()

    def heard(self) -> None:
        """As `drain`, for who waits for edges and need not read."""
        self._awake = False

    def fileno(self) -> int:
        return self._event

    def close(self) -> None:
        """Nobody waits any more; `wake` does nothing from here on."""
        # Under the lock: a number that is closed may be another file's by the time of a write.
        with self._closing:
            os.close(self._event)
            self._event = -1
