"""Getting connected: DNS, TCP, proxy, TLS, WebSocket; in a short-lived thread of its own.

A resolver has no time-out, and a handshake may hang: the link must still stop when it is told to,
and beat its heart meanwhile. An attempt that takes too long is abandoned; its thread ends with it.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable

from paho.mqtt.client import WebsocketConnectionError, _WebsocketWrapper

from gateway.link.endpoint import Endpoint, Proxy
from gateway.link.login import Login
from gateway.link.proxy import through
from gateway.link.reach import STEP_TIMEOUT, Progress, Unreachable, reach
from gateway.link.tls import Trust, TrustError, explain
from gateway.link.wire import Stream, Wire, tune

log = logging.getLogger(__name__)

USER_TIMEOUT = 10.0
PROBE_AFTER = 5
"""Seconds of silence, then the kernel asks for the other end: 104 bytes there and back. A peer that
is gone is noticed some 11 s after its last packet."""


class ConnectError(Exception):
    """No connection; the message says why, in words for people."""


class Connector:
    """clock: this machine's time as text, for messages about certificates. probing: whether bytes
    may be spent on asking a silent line if it is still there."""

    def __init__(
        self,
        trust: Trust,
        proxy: Proxy | None,
        proxy_login: Login,
        clock: Callable[[], str],
        probing: bool,
    ) -> None:
        self._trust = trust
        self._proxy = proxy
        self._proxy_login = proxy_login
        self._clock = clock
        self._probe_after = PROBE_AFTER if probing else 0

    def connect(self, endpoint: Endpoint, progress: Progress) -> Wire:
        """A wire to the broker. ConnectError."""
        try:
            return self._connect(endpoint, progress)
        except ssl.SSLError as error:
            raise ConnectError(explain(error, endpoint.host, self._clock)) from error
        except TrustError as error:
            raise ConnectError(str(error)) from error
        except Unreachable as error:
            through_proxy = " (the proxy)" if self._proxy else ""
            raise ConnectError(f"{endpoint.url}: {error}{through_proxy}") from error
        except TimeoutError as error:
            raise ConnectError(f"{endpoint.url} does not answer while {progress.doing}") from error
        except (OSError, ValueError, WebsocketConnectionError) as error:
            said = getattr(error, "strerror", None) or error
            raise ConnectError(f"{endpoint.url}: {said}, while {progress.doing}") from error

    def _connect(self, endpoint: Endpoint, progress: Progress) -> Wire:
        context = self._trust.context() if endpoint.tls else None
        sock = self._socket(endpoint, progress)
        try:
            return Wire(self._dress(sock, endpoint, context, progress))
        except BaseException:
            sock.close()
            raise

    def _socket(self, endpoint: Endpoint, progress: Progress) -> socket.socket:
        if endpoint.transport == "unix":
            return _unix(endpoint.host)
        if self._proxy is None:
            sock = reach(endpoint.host, endpoint.port, progress)
            tune(sock, USER_TIMEOUT, self._probe_after)
            return sock
        sock = reach(self._proxy.host, self._proxy.port, progress)
        try:
            tune(sock, USER_TIMEOUT, self._probe_after)
            progress.doing = f"asking the proxy {self._proxy.host}"
            through(self._proxy, self._proxy_login, sock, endpoint.host, endpoint.port)
        except BaseException:
            sock.close()
            raise
        return sock

    def _dress(
        self,
        sock: socket.socket,
        endpoint: Endpoint,
        context: ssl.SSLContext | None,
        progress: Progress,
    ) -> Stream:
        stream = sock
        if context is not None:
            progress.doing = "shaking hands (TLS)"
            stream = context.wrap_socket(sock, server_hostname=endpoint.host)
            self._trust.met(stream)
        if endpoint.transport != "websockets":
            return stream
        progress.doing = "asking for a WebSocket"
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        return _WebsocketWrapper(stream, host, endpoint.port, endpoint.tls, endpoint.path, None)


def _unix(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(STEP_TIMEOUT)
    with contextlib.ExitStack() as stack:
        stack.callback(sock.close)
        try:
            sock.connect(path)
        except FileNotFoundError:
            raise Unreachable(f"there is no socket {path}") from None
        except ConnectionRefusedError:
            raise Unreachable(f"nothing listens at {path}") from None
        except PermissionError:
            raise Unreachable(f"we may not use {path}: no permission") from None
        stack.pop_all()
    return sock


class Attempt:
    """One connect in a thread. done is called in that thread when there is a result."""

    def __init__(self, connect: Callable[[Progress], Wire], done: Callable[[], None]) -> None:
        self._connect = connect
        self._done = done
        self._progress = Progress()
        self._lock = threading.Lock()
        self._abandoned = False
        self._wire: Wire | None = None
        self._error: ConnectError | None = None
        # A daemon: a resolver that hangs must not keep the process.
        self._thread = threading.Thread(target=self._run, name="link connect", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        wire, error = None, None
        try:
            wire = self._connect(self._progress)
        except ConnectError as failure:
            error = failure
        except Exception as failure:
            # The link waits for a result: this thread must not end without one.
            log.exception("connecting failed in an unforeseen way")
            error = ConnectError(f"internal error while {self.doing}: {failure!r}")
        with self._lock:
            if self._abandoned:
                if wire is not None:
                    wire.close()
                return
            self._wire, self._error = wire, error
        self._done()

    @property
    def doing(self) -> str:
        return self._progress.doing

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def result(self) -> Wire | None:
        """The wire, None while it is not decided. ConnectError."""
        with self._lock:
            if self._error is not None:
                raise self._error
            return self._wire

    def abandon(self) -> None:
        """Whatever still comes of it is thrown away."""
        with self._lock:
            self._abandoned = True
            if self._wire is not None:
                self._wire.close()
                self._wire = None
