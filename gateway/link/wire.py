"""A connected socket with buffers on both sides, as paho expects one.

paho reads a packet's head byte by byte and writes each packet by itself. Behind these buffers that
is one system call (and one TLS record) a burst.
"""

from __future__ import annotations

import logging
import socket
import ssl
from contextlib import suppress
from typing import Protocol

log = logging.getLogger(__name__)

READ_SIZE = 65536
WRITE_SIZE = 65536
PROBE_AGAIN = 3
"""Seconds between two unanswered questions of the kernel."""


class Stream(Protocol):
    """What a TCP, TLS or Unix socket and paho's WebSocket wrapper have in common."""

    def recv(self, size: int, /) -> bytes: ...

    def send(self, data: bytes, /) -> int: ...

    def fileno(self) -> int: ...

    def setblocking(self, flag: bool, /) -> None: ...

    def close(self) -> None: ...


class Wire:
    """Not blocking. sent, received: bytes of the transport's payload; writes, reads: how often."""

    def __init__(self, stream: Stream) -> None:
        stream.setblocking(False)
        self._stream = stream
        self._in = b""
        self._at = 0
        self._out = bytearray()
        self.unsent = 0
        """Bytes that the socket has not taken yet."""
        self.received = self.reads = 0
        self.sent = self.writes = 0
        self.trouble: OSError | None = None
        """What went wrong in reading."""

    def recv(self, size: int) -> bytes:
        """BlockingIOError when nothing has come; b"" at the end."""
        if not self.fill():
            raise BlockingIOError
        if self.trouble is not None:
            raise self.trouble
        chunk = self._in[self._at : self._at + size]
        self._at += len(chunk)
        return chunk

    def fill(self) -> bool:
        """Whether `recv` has something to give now: bytes, the end, or an error."""
        if self._at < len(self._in) or self.trouble is not None:
            return True
        try:
            self._in, self._at = self._stream.recv(READ_SIZE), 0
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError as error:
            self.trouble = error  # paho tells nobody
            return True
        self.received += len(self._in)
        self.reads += 1
        return True

    @property
    def ahead(self) -> bytes:
        """What has come and is not read yet, as far as it is here."""
        return self._in[self._at :]

    def skip(self, count: int) -> None:
        """So many of the bytes ahead are read."""
        self._at += count

    def send(self, data: bytes | bytearray) -> int:
        """Into the buffer, whole; `flush` sends it."""
        self._out += data
        self.unsent += len(data)
        return len(data)

    def flush(self) -> int:
        """Sends what the socket takes now; how much that was. OSError when it is gone."""
        before = self.sent
        while self._out:
            try:
                part = self._out if len(self._out) <= WRITE_SIZE else self._out[:WRITE_SIZE]
                count = self._stream.send(bytes(part))
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            if count == 0:
                break
            del self._out[:count]
            self.unsent -= count
            self.sent += count
            self.writes += 1
        return self.sent - before

    def hush(self) -> None:
        """For the answers to what is sent next, the kernel acknowledges late, so that one packet
        does for all of them. After a silence it would acknowledge each at once. TCP_QUICKACK of
        tcp(7), which lasts until the next one that is late."""
        option = getattr(self._stream, "setsockopt", None)
        if option is not None:
            with suppress(OSError):  # a Unix socket has no TCP
                option(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)

    @property
    def unread(self) -> bool:
        """Bytes are here that select cannot see."""
        if self._at < len(self._in):
            return True
        pending = getattr(self._stream, "pending", None)
        return pending is not None and pending() > 0

    def fileno(self) -> int:
        return self._stream.fileno()

    def setblocking(self, flag: bool) -> None:
        """It never blocks, whatever paho says."""

    def close(self) -> None:
        """What waits is still given to the socket: paho closes right behind its DISCONNECT."""
        try:
            self.flush()
        except OSError as error:
            log.debug("closed by the other side first: %s", error)
        self._stream.close()


def tune(sock: socket.socket, user_timeout: float, probe_after: int) -> None:
    """Send at once, and give up on a peer that does not acknowledge bytes for so many seconds.

    probe_after: seconds of silence after which the kernel asks whether the peer is there, without
    waking anybody here; 0 for never. With TCP_USER_TIMEOUT that, and not TCP_KEEPCNT, says when
    nobody has answered (tcp(7)).
    """
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(user_timeout * 1000))
    if probe_after:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, probe_after)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_AGAIN)
