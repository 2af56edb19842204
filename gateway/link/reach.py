"""From a host's name to a connected socket, and what it means when there is none.

Every address that the name has is tried, of either family, in the resolver's order (RFC 6724).
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import Any

STEP_TIMEOUT = 10.0
"""Seconds for one address, one handshake."""
ALL_TIMEOUT = 20.0
"""Seconds for all addresses of a name."""

_FAMILIES = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}


class Unreachable(OSError):
    """No connection; the message says why, in words for people."""


@dataclass(slots=True)
class Progress:
    """What an attempt is at, for whoever loses patience with it."""

    doing: str = "connecting"


def reach(host: str, port: int, progress: Progress) -> socket.socket:
    """A connected socket with a time-out of STEP_TIMEOUT. Unreachable."""
    progress.doing = f"resolving the name {host}"
    addresses = _resolve(host, port)
    patience = min(STEP_TIMEOUT, ALL_TIMEOUT / len(addresses))
    failures: list[str] = []
    for family, kind, protocol, _, address in addresses:
        progress.doing = f"connecting to {address[0]} port {port}"
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            sock.settimeout(patience)
            sock.connect(address)
            sock.settimeout(STEP_TIMEOUT)
            return sock
        except OSError as error:
            if sock is not None:
                sock.close()
            failures.append(why(error, family, str(address[0]), port))
    raise Unreachable("; ".join(dict.fromkeys(failures)))


def _resolve(host: str, port: int) -> list[tuple[Any, ...]]:
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except socket.gaierror as error:
        raise Unreachable(_unresolved(error, host)) from error
    except UnicodeError as error:  # a name that the resolver cannot write; no OSError
        raise Unreachable(f"{host!r} is no host name: {error}") from error


def _unresolved(error: socket.gaierror, host: str) -> str:
    if error.errno == socket.EAI_AGAIN:
        return f"the name {host} cannot be resolved now: no name server answers"
    if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
        return f"the name {host} is not known (DNS)"
    return f"the name {host} cannot be resolved: {error.strerror}"


def why(error: OSError, family: int, address: str, port: int) -> str:
    """What a failed connect means."""
    if isinstance(error, TimeoutError):
        return f"{address} port {port} does not answer"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens at {address} port {port}"
    if error.errno in (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        kind = _FAMILIES.get(socket.AddressFamily(family), "such")
        return f"no way to {address}: this machine has no {kind} network now"
    if error.errno == errno.EHOSTUNREACH:
        return f"no way to {address}: no route, or nobody there"
    return f"{address} port {port}: {error.strerror or error}"
