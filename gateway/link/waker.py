"""Wakes a thread out of select, from any other thread, however often for one byte."""

from __future__ import annotations

import contextlib
import socket


class Waker:
    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._awake = False

    def wake(self) -> None:
        # Two threads may both find it False and send two bytes: harmless.
        if not self._awake:
            self._awake = True
            # Full means that it will wake anyway; closed means that nobody waits any more.
            with contextlib.suppress(OSError):
                self._write.send(b"\0")

    def drain(self) -> None:
        """What was asked for before this call must be looked at after it."""
        self._awake = False
        with contextlib.suppress(BlockingIOError):
            self._read.recv(4096)

    def fileno(self) -> int:
        return self._read.fileno()

    def close(self) -> None:
        self._read.close()
        self._write.close()
