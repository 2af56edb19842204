"""Pages for those who are on this machine: over a Unix socket, and one of them on a port by choice.

HTTP/1.0 and nothing but GET, so that curl and Prometheus can ask: `curl --unix-socket PATH
http://localhost/status`. One caller at a time is served, in a thread of its own, which sleeps while
nobody asks. The standard library's http.server would cost the daemon 3 MB for these lines.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds that a caller may take to ask and to listen."""
RETRY = 10.0
"""Seconds between two tries to listen where it did not work."""
LONGEST_REQUEST = 4096
BACKLOG = 4
SOCKET_MODE = 0o660
RUNTIME_DIRECTORY = Path("/run/tidegate")
"""systemd.exec(5): where RuntimeDirectory=tidegate in the unit is."""
SOCKET_NAME = "status.sock"


class LocalError(Exception):
    """The socket or port cannot be had; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Page:
    content_type: str
    body: bytes


Pages = Mapping[str, Callable[[], Page]]
"""By the path of the request."""


def socket_path(chosen: str, state: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Where a daemon listens: as configured, else in systemd's runtime directory, else in state."""
    if chosen:
        return Path(chosen)
    runtime = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return (Path(runtime) if runtime else state) / SOCKET_NAME


def listen_unix(path: Path) -> socket.socket:
    """LocalError. A socket that a dead daemon left is replaced; anything else is not touched."""
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.bind(str(path))
        path.chmod(SOCKET_MODE)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise LocalError(f"gateway.socket {path}: {error.strerror or error}") from error
    return sock


def _remove_stale(path: Path) -> None:
    try:
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise LocalError(f"gateway.socket {path}: {error.strerror or error}") from error


def listen_tcp(host: str, port: int) -> socket.socket:
    """LocalError."""
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise LocalError(f"gateway.metrics {host}:{port}: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class Door:
    """Where to listen, and which pages are shown there. listen: LocalError."""

    listen: Callable[[], socket.socket]
    pages: Pages


class Local:
    """Those that cannot be had are told once and tried again; `run`'s end closes all."""

    def __init__(self, doors: Sequence[Door]) -> None:
        self._open: dict[int, tuple[socket.socket, Pages]] = {}
        self._waiting: list[Door] = []
        self.missing = ""
        """Why nobody can ask at one of them; empty if all are open."""
        self._bell = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        self._try(doors)
        if self.missing:
            log.error("%s; tried again every %.0f s", self.missing, RETRY)

    def _try(self, doors: Sequence[Door]) -> None:
        troubles, self._waiting = [], []
        for door in doors:
            try:
                listening = door.listen()
            except LocalError as error:
                self._waiting.append(door)
                troubles.append(str(error))
            else:
                self._open[listening.fileno()] = listening, door.pages
                self._poll.register(listening.fileno(), select.POLLIN)
        self.missing = "; ".join(troubles)
        self._retry_at = time.monotonic() + RETRY

    def run(self) -> None:
        while True:
            ready = [number for number, _ in self._poll.poll(self._patience())]
            if self._bell in ready:
                break
            for number in ready:
                self._serve(*self._open[number])
            if self._waiting and time.monotonic() >= self._retry_at:
                self._try_again()
        for listening, _ in self._open.values():
            listening.close()

    def _patience(self) -> float | None:
        """Milliseconds; None for ever."""
        return 1000 * max(0.0, self._retry_at - time.monotonic()) if self._waiting else None

    def _try_again(self) -> None:
        before = self.missing
        self._try(self._waiting)
        if not self.missing:
            log.warning("can be asked again; it was: %s", before)

    def stop(self) -> None:
        os.eventfd_write(self._bell, 1)

    def _serve(self, listening: socket.socket, pages: Pages) -> None:
        try:
            caller, _ = listening.accept()
        except OSError as error:
            log.debug("a caller was gone before it was heard: %s", error)
            return
        with caller:
            try:
                caller.sendall(answer(_request(caller), pages))
            except OSError as error:
                # The caller's own business: it went away, or took too long.
                log.debug("a caller was not answered: %s", error)


def _request(caller: socket.socket) -> bytes:
    """The request's head, or as much of it as came in time. OSError."""
    end = time.monotonic() + PATIENCE
    data = b""
    while b"\r\n\r\n" not in data and b"\n\n" not in data and len(data) < LONGEST_REQUEST:
        caller.settimeout(max(0.01, end - time.monotonic()))
        more = caller.recv(LONGEST_REQUEST)
        if not more:
            break
        data += more
    caller.settimeout(PATIENCE)
    return data


def answer(request: bytes, pages: Pages) -> bytes:
    """The whole answer to a request. Pure, but for what the page's own function does."""
    words = request.split(b"\n", 1)[0].split()
    if len(words) < 2:
        return _response("400 Bad Request", Page("text/plain", b"GET and a path\n"))
    if words[0] != b"GET":
        return _response("405 Method Not Allowed", Page("text/plain", b"only GET\n"))
    page = pages.get(words[1].split(b"?")[0].decode("ascii", "replace"))
    if page is None:
        known = " ".join(sorted(pages)) + "\n"
        return _response("404 Not Found", Page("text/plain", known.encode()))
    return _response("200 OK", page())


def _response(status: str, page: Page) -> bytes:
    head = (
        f"HTTP/1.0 {status}\r\nContent-Type: {page.content_type}\r\n"
        f"Content-Length: {len(page.body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + page.body
