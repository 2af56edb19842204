"""Getting connected: DNS, TCP, proxy, TLS, WebSocket; in a short-lived thread of its own.

A resolver has no time-out, and a handshake may hang: the link must still stop when it is told to,
and beat its heart meanwhile. An attempt that takes too long is abandoned; its thread ends with it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

from paho.mqtt.client import _WebsocketWrapper

from gateway.link.endpoint import Endpoint, Proxy
from gateway.link.proxy import through
from gateway.link.tls import Trust, explain
from gateway.link.wire import Stream, Wire, tune

STEP_TIMEOUT = 10.0
"""Seconds for one address, one handshake."""
USER_TIMEOUT = 10.0


class ConnectError(Exception):
    """No connection; the message says why, in words for people."""


class Connector:
    """clock: this machine's time as text, for messages about certificates."""

    def __init__(self, trust: Trust, proxy: Proxy | None, clock: Callable[[], str]) -> None:
        self._trust = trust
        self._proxy = proxy
        self._clock = clock

    def connect(self, endpoint: Endpoint) -> Wire:
        """A wire to the broker. ConnectError."""
        try:
            return self._connect(endpoint)
        except ssl.SSLError as error:
            raise ConnectError(explain(error, endpoint.host, self._clock)) from error
        except socket.gaierror as error:
            raise ConnectError(
                f"the name {self._first_host(endpoint)} cannot be resolved: {error.strerror}"
            ) from error
        except TimeoutError as error:
            raise ConnectError(f"{endpoint.url} does not answer") from error
        except ConnectionRefusedError as error:
            raise ConnectError(f"nothing listens at {endpoint.url}") from error
        except (OSError, ValueError) as error:
            # UnicodeError, from a name that the resolver cannot write, is a ValueError.
            raise ConnectError(f"{endpoint.url}: {error}") from error

    def _first_host(self, endpoint: Endpoint) -> str:
        return self._proxy.host if self._proxy else endpoint.host

    def _connect(self, endpoint: Endpoint) -> Wire:
        context = self._trust.context() if endpoint.tls else None
        sock = self._socket(endpoint)
        try:
            return Wire(_dress(sock, endpoint, context))
        except BaseException:
            sock.close()
            raise

    def _socket(self, endpoint: Endpoint) -> socket.socket:
        if endpoint.transport == "unix":
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(STEP_TIMEOUT)
            with contextlib.ExitStack() as stack:
                stack.callback(sock.close)
                sock.connect(endpoint.host)
                stack.pop_all()
            return sock
        first = (endpoint.host, endpoint.port)
        if self._proxy:
            first = (self._proxy.host, self._proxy.port)
        # Every address that the name has, of either family, in the resolver's order.
        sock = socket.create_connection(first, timeout=STEP_TIMEOUT)
        tune(sock, USER_TIMEOUT)
        if self._proxy:
            through(self._proxy, sock, endpoint.host, endpoint.port)
        return sock


def _dress(sock: socket.socket, endpoint: Endpoint, context: ssl.SSLContext | None) -> Stream:
    stream = sock
    if context is not None:
        stream = context.wrap_socket(sock, server_hostname=endpoint.host)
    if endpoint.transport != "websockets":
        return stream
    return _WebsocketWrapper(
        stream, endpoint.host, endpoint.port, endpoint.tls, endpoint.path, None
    )


class Attempt:
    """One connect in a thread. done is called in that thread when there is a result."""

    def __init__(self, connect: Callable[[], Wire], done: Callable[[], None]) -> None:
        self._connect = connect
        self._done = done
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
            wire = self._connect()
        except ConnectError as failure:
            error = failure
        with self._lock:
            if self._abandoned:
                if wire is not None:
                    wire.close()
                return
            self._wire, self._error = wire, error
        self._done()

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
