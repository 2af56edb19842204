"""What systemd is told and gives: readiness, watchdog, log priorities, credentials.

Everything is silent when there is no systemd. Both protocols are a few lines of our own: for the
same, systemd-python costs the daemon 1.1 MB, raises when the notify socket is gone, knows no
watchdog, and says nothing when journald is not there.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
from collections.abc import Mapping

log = logging.getLogger(__name__)

JOURNAL_SOCKET = "/run/systemd/journal/socket"
LONGEST_FIELD = 32768
"""Bytes. A datagram of a few fields stays below the socket's limit with it."""
PLAIN = "%(name)s: %(message)s"
LEVELS = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}
"""Python's levels to syslog's, as sd-daemon(3) prefixes them."""


def notify(message: str, environment: Mapping[str, str] = os.environ) -> bool:
    """One datagram to $NOTIFY_SOCKET, as sd_notify(3). True if systemd was told."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(address)
            sock.sendall(message.encode())
    except OSError as error:
        log.warning("systemd was not told %r: %s", message, error)
        return False
    return True


def watchdog_interval(environment: Mapping[str, str] = os.environ) -> float | None:
    """Seconds within which systemd wants to hear WATCHDOG=1; None if it does not watch us."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdigit() and int(text) > 0 else None


class PrefixFormatter(logging.Formatter):
    """Lines with the <N> prefix that the journal takes as priority; it has the time itself."""

    def format(self, record: logging.LogRecord) -> str:
        level = LEVELS.get(record.levelno, 6)
        text = super().format(record)
        return "\n".join(f"<{level}>{line}" for line in text.splitlines())


class JournalHandler(logging.Handler):
    """Messages to journald with their fields (systemd.journal-fields(7)), one datagram each.

    What journald does not take goes to stderr, which systemd hands to it as plain lines.
    """

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        super().__init__()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._plain = logging.StreamHandler(sys.stderr)
        self._plain.setFormatter(PrefixFormatter(PLAIN))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._socket.sendto(self._datagram(record), self._path)
        except OSError:
            self._plain.handle(record)

    def _datagram(self, record: logging.LogRecord) -> bytes:
        fields = {
            "MESSAGE": self.format(record),
            "PRIORITY": str(LEVELS.get(record.levelno, 6)),
            "SYSLOG_IDENTIFIER": "tidegate",
            "LOGGER": record.name,
            "THREAD_NAME": record.threadName or "",
            "CODE_FILE": record.pathname,
            "CODE_LINE": str(record.lineno),
            "CODE_FUNC": record.funcName or "",
        }
        return b"".join(journal_field(name, text) for name, text in fields.items())

    def close(self) -> None:
        self._socket.close()
        super().close()


def journal_field(name: str, text: str) -> bytes:
    """A field as journald's native protocol has it (systemd.io/JOURNAL_NATIVE_PROTOCOL).

    A text of several lines is written with its length, so that nobody can forge a field.
    """
    value = text.encode("utf-8", "replace")[:LONGEST_FIELD]
    if b"\n" not in value:
        return name.encode() + b"=" + value + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"


def set_up_logging(level: str, environment: Mapping[str, str] = os.environ) -> None:
    """To the journal under systemd, else to stderr with the time."""
    handler: logging.Handler
    if environment.get("JOURNAL_STREAM"):
        handler = JournalHandler()
        handler.setFormatter(logging.Formatter(PLAIN))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
