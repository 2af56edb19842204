"""Through a proxy to the broker: HTTP CONNECT (RFC 9110, 9.3.6) and SOCKS5 (RFC 1928, RFC 1929).

The name of the broker is resolved by the proxy. Both are spoken on a blocking socket with a
time-out, before TLS.
"""

from __future__ import annotations

import base64
import socket
import struct

from gateway.link.endpoint import Proxy
from gateway.link.login import Login
from gateway.link.reasons import in_plain

MAX_HEAD = 8192

_SOCKS_VERSION = 5
_NO_LOGIN, _USERNAME, _NOTHING_ACCEPTABLE = 0x00, 0x02, 0xFF
_CONNECT = 1
_IPV4, _DOMAIN, _IPV6 = 1, 3, 4
_REPLIES = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "too many hops",
    7: "command not supported",
    8: "address type not supported",
}


def through(proxy: Proxy, login: Login, sock: socket.socket, host: str, port: int) -> None:
    """Asks the proxy behind the socket for the broker. OSError says what it answered."""
    if proxy.scheme == "http":
        _http(proxy, login, sock, host, port)
    else:
        _socks5(proxy, login, sock, host, port)


def _http(proxy: Proxy, login: Login, sock: socket.socket, host: str, port: int) -> None:
    name = f"[{host}]" if ":" in host else host
    lines = [f"CONNECT {name}:{port} HTTP/1.1", f"Host: {name}:{port}"]
    if login.username:
        pair = base64.b64encode(f"{login.username}:{login.secret() or ''}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {pair}")
    sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    head = bytearray()
    # Byte by byte, so that nothing of what the broker says is read away.
    while not head.endswith(b"\r\n\r\n"):
        head += _exactly(sock, 1)
        if len(head) > MAX_HEAD:
            raise OSError(f"proxy {proxy.host}: an answer without an end")
    status = head.split(b"\r\n", 1)[0].decode("latin-1")
    fields = status.split(" ", 2)
    if len(fields) < 2 or not fields[1].startswith("2"):
        raise OSError(f"proxy {proxy.host} refused: {in_plain(status)}")


def _socks5(proxy: Proxy, login: Login, sock: socket.socket, host: str, port: int) -> None:
    methods = bytes([_NO_LOGIN, _USERNAME] if login.username else [_NO_LOGIN])
    sock.sendall(bytes([_SOCKS_VERSION, len(methods)]) + methods)
    version, method = _exactly(sock, 2)
    if version != _SOCKS_VERSION:
        raise OSError(f"proxy {proxy.host} does not speak SOCKS5")
    if method == _USERNAME and login.username:
        _log_in(proxy, login, sock)
    elif method != _NO_LOGIN:
        raise OSError(f"proxy {proxy.host} wants another way to log in")
    name = host.encode("idna") if not host.isascii() else host.encode()
    # VER CMD RSV ATYP=domain LEN NAME PORT; an address as text is resolved to itself.
    request = bytes([_SOCKS_VERSION, _CONNECT, 0, _DOMAIN, len(name)]) + name
    sock.sendall(request + struct.pack("!H", port))
    _, reply, _, kind = _exactly(sock, 4)
    if reply:
        raise OSError(f"proxy {proxy.host} refused: {_REPLIES.get(reply, f'reply {reply}')}")
    length = {_IPV4: 4, _IPV6: 16}.get(kind) or _exactly(sock, 1)[0]
    _exactly(sock, length + 2)


def _log_in(proxy: Proxy, login: Login, sock: socket.socket) -> None:
    user, password = login.username.encode(), (login.secret() or "").encode()
    sock.sendall(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
    if _exactly(sock, 2)[1] != 0:
        raise OSError(f"proxy {proxy.host} refused the login")


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = sock.recv(count - len(data))
        if not chunk:
            raise OSError("the proxy closed the connection")
        data += chunk
    return data
