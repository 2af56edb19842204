"""What systemd is told and gives: readiness, watchdog, log priorities, credentials.

Everything is silent when there is no systemd. Debian's python3-systemd is used where it can be
imported, for structured journal fields; the notify protocol is a few lines of our own, because
systemd-python raises when the socket is gone and knows no watchdog.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Mapping

log = logging.getLogger(__name__)

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


class JournalFormatter(logging.Formatter):
    """One line with the <N> prefix that the journal takes as priority; it has the time itself."""

    def format(self, record: logging.LogRecord) -> str:
        level = LEVELS.get(record.levelno, 6)
        text = super().format(record)
        return "\n".join(f"<{level}>{line}" for line in text.splitlines())


def set_up_logging(level: str, environment: Mapping[str, str] = os.environ) -> None:
    """To the journal under systemd, else to stderr with the time."""
    journal = _journal_handler() if environment.get("JOURNAL_STREAM") else None
    handler: logging.Handler = journal or logging.StreamHandler(sys.stderr)
    if journal is not None:
        # It hands level, thread and place over as fields of their own.
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    elif environment.get("JOURNAL_STREAM"):
        handler.setFormatter(JournalFormatter("%(name)s: %(message)s"))
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _journal_handler() -> logging.Handler | None:
    try:
        from systemd import journal
    except ImportError:
        return None
    if not hasattr(journal, "JournalHandler"):
        # The package `systemd` on PyPI is another project with the same import name.
        return None
    handler: logging.Handler = journal.JournalHandler(SYSLOG_IDENTIFIER="tidegate")
    return handler
