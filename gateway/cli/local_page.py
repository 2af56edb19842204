"""Asks a gateway on this machine, over its status socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.local import RUNTIME_DIRECTORY, SOCKET_NAME

TIMEOUT = 3.0  # seconds


class NoAnswer(Exception):
    """No gateway answers there; the message says where, why, and what to do."""


def candidates(chosen: str, state: str) -> list[Path]:
    """Where a gateway of these settings may listen: as a service, or started by hand."""
    if chosen:
        return [Path(chosen)]
    return [Path(state) / SOCKET_NAME, RUNTIME_DIRECTORY / SOCKET_NAME]


def status(path: Path, timeout: float = TIMEOUT) -> Mapping[str, Any]:
    """The page /status. NoAnswer."""
    try:
        body = get(path, "/status", timeout)
        document = json.loads(body)
    except PermissionError:
        raise NoAnswer(f"{path}: permission denied: join the group that owns it, or sudo") from None
    except (OSError, ValueError) as error:
        raise NoAnswer(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(document, dict):
        raise NoAnswer(f"{path}: what listens there is no gateway")
    return document


def get(path: Path, page: str, timeout: float = TIMEOUT) -> bytes:
    """The body of a page. OSError; ValueError when the answer is none of ours."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect(str(path))
        sock.sendall(f"GET {page} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found or b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise ValueError(head.split(b"\r\n", 1)[0].decode("utf-8", "replace") or "no answer")
    return body
