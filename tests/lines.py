"""What lies between a client and a broker: a line that cuts, stalls and swallows, and proxies."""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

HOST = "127.0.0.1"


def end(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


class Line:
    """A TCP port that leads to another one. A context manager.

    flowing: cleared, nothing is read any more, and both sides see a full pipe. swallowing: what
    comes is read and thrown away, in both directions: a half-open connection. down: new connections
    end at once.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.flowing = threading.Event()
        self.flowing.set()
        self.swallowing = False
        self.down = False
        self.taken = 0
        """Connections so far."""
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.socket()
        self._listener.bind((HOST, 0))
        self.port = int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"mqtt://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        end(self._listener)
        self.flowing.set()
        self.cut()

    def cut(self) -> None:
        with self._lock:
            for sock in self._sockets:
                end(sock)
            self._sockets.clear()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.taken += 1
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        far = None
        with contextlib.suppress(OSError, ValueError):
            if not self.down:
                far = self._lead(near)
        if far is None:
            end(near)
            return
        near.settimeout(None)
        far.settimeout(None)  # here: in one pump it would pull the rug from under the other
        with self._lock:
            self._sockets |= {near, far}
        for pair in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _lead(self, near: socket.socket) -> socket.socket | None:
        """The other end; None: refused."""
        return socket.create_connection((HOST, self.target), 10)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.flowing.wait()
                if not self.swallowing:
                    sink.sendall(data)
        end(source)
        end(sink)


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = sock.recv(count - len(data))
        if not chunk:
            raise OSError("closed")
        data += chunk
    return data


class Proxy(Line):
    """A proxy: asked for a host, it leads there if `resolve` knows its port.

    login: name and password that it wants. asked: the hosts and ports that clients named.
    """

    def __init__(self, resolve: Callable[[str, int], int | None], login: str = "") -> None:
        super().__init__(0)
        self.resolve = resolve
        self.login = login
        self.asked: list[tuple[str, int]] = []

    def _to(self, host: str, port: int) -> socket.socket | None:
        self.asked.append((host, port))
        target = self.resolve(host, port)
        return None if target is None else socket.create_connection((HOST, target), 10)


class HttpProxy(Proxy):
    """RFC 9110, 9.3.6."""

    def _lead(self, near: socket.socket) -> socket.socket | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += _exactly(near, 1)
        lines = head.decode("latin-1").split("\r\n")
        wanted = f"Proxy-Authorization: Basic {base64.b64encode(self.login.encode()).decode()}"
        if self.login and wanted not in lines:
            near.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return None
        method, target, _ = lines[0].split(" ")
        host, port = target.rsplit(":", 1)
        far = self._to(host.strip("[]"), int(port)) if method == "CONNECT" else None
        if far is None:
            near.sendall(b"HTTP/1.1 502 Bad Gateway\r\nServer: test\r\n\r\n")
            return None
        near.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        return far


class SocksProxy(Proxy):
    """RFC 1928, RFC 1929."""

    def _lead(self, near: socket.socket) -> socket.socket | None:
        _, count = _exactly(near, 2)
        methods = _exactly(near, count)
        method = 2 if self.login else 0
        if method not in methods:
            near.sendall(b"\x05\xff")
            return None
        near.sendall(bytes([5, method]))
        if self.login and not self._let_in(near):
            return None
        _, command, _, kind = _exactly(near, 4)
        assert (command, kind) == (1, 3), "CONNECT with a name"
        host = _exactly(near, _exactly(near, 1)[0]).decode()
        (port,) = struct.unpack("!H", _exactly(near, 2))
        far = self._to(host, port)
        near.sendall(bytes([5, 0 if far else 4, 0, 1]) + bytes(6))
        return far

    def _let_in(self, near: socket.socket) -> bool:
        assert _exactly(near, 1) == b"\x01"
        name = _exactly(near, _exactly(near, 1)[0]).decode()
        password = _exactly(near, _exactly(near, 1)[0]).decode()
        good = f"{name}:{password}" == self.login
        near.sendall(b"\x01\x00" if good else b"\x01\x01")
        return good
