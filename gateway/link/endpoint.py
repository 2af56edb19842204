"""Where the broker is: `mqtts://broker.example:8883` as checked parts. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

Transport = Literal["tcp", "websockets", "unix"]

_SCHEMES: dict[str, tuple[Transport, bool, int]] = {
    "mqtt": ("tcp", False, 1883),
    "mqtts": ("tcp", True, 8883),
    "ws": ("websockets", False, 80),
    "wss": ("websockets", True, 443),
    "unix": ("unix", False, 1),
}
PROXY_SCHEMES = {"http": 3128, "socks5": 1080}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A broker's address. host is the socket's path for unix; path is the WebSocket's."""

    url: str
    transport: Transport
    tls: bool
    host: str
    port: int
    path: str = ""

    @property
    def local(self) -> bool:
        """On this machine: plain text does not leave it, and nobody is spared by waiting."""
        return self.transport == "unix" or is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Proxy:
    scheme: Literal["http", "socks5"]
    host: str
    port: int


def parse_endpoint(url: str, insecure: bool = False) -> Endpoint:
    """ValueError, with what to write instead, for anything that could not be connected to.

    insecure: allow plain text to another machine.
    """
    parts = _split(url)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"{url!r}: begin with one of {', '.join(s + '://' for s in _SCHEMES)}")
    transport, tls, default = _SCHEMES[parts.scheme]
    if parts.username or parts.password:
        raise ValueError(f"{parts.scheme}://: the login belongs in username and password_file")
    if transport == "unix":
        return _unix(url, parts)
    endpoint = Endpoint(
        url, transport, tls, _host(url, parts), _port(url, parts, default), parts.path or "/mqtt"
    )
    if not tls and not endpoint.local and not insecure:
        raise ValueError(
            f"{url!r} would send everything in plain text to another machine: use mqtts:// or "
            "wss://, or allow it (insecure = true; on the command line --insecure)"
        )
    return endpoint


def parse_proxy(url: str) -> Proxy:
    parts = _split(url)
    if parts.username or parts.password:
        raise ValueError("proxy: the login belongs in proxy_username and proxy_password_file")
    if parts.scheme not in PROXY_SCHEMES:
        raise ValueError(f"proxy {parts.scheme}://: begin with http:// or socks5://")
    return Proxy(
        "http" if parts.scheme == "http" else "socks5",
        _host(url, parts),
        _port(url, parts, PROXY_SCHEMES[parts.scheme]),
    )


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise ValueError(f"{url!r} is no URL: {error}") from None


def _unix(url: str, parts: SplitResult) -> Endpoint:
    if parts.netloc or not parts.path.startswith("/"):
        raise ValueError(f"{url!r}: a socket's path is absolute, with three slashes: unix:///run/x")
    return Endpoint(url, "unix", False, parts.path, 1)


def _host(url: str, parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host:
        raise ValueError(f"{url!r} names no host")
    if ":" not in host:  # an IPv6 address has no labels
        try:
            # As it goes to resolver, proxy and web server (RFC 3490). The resolver would raise
            # UnicodeError, which is no OSError, for an over-long label.
            return host.encode("idna").decode()
        except UnicodeError as error:
            raise ValueError(f"{url!r}: {host[:70]!r} is no host name ({error})") from None
    return host


def _port(url: str, parts: SplitResult, default: int) -> int:
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f"{url!r}: a port is a number from 1 to 65535") from None
    if port == 0:
        raise ValueError(f"{url!r}: a port is a number from 1 to 65535")
    return default if port is None else port
