"""What somebody should look into: the link's alarms, raised once and cleared when it is over."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gateway.clock import Clock
from gateway.link.decisions import STABLE, certificate_warning
from gateway.link.tally import Counts
from gateway.link.tls import Trust
from gateway.model import Key

log = logging.getLogger(__name__)

CERTIFICATE_EVERY = 3600.0
"""Seconds between two looks at our certificate."""


class Complaints:
    """All of it runs in the link's thread. on_alarm takes name, raised or cleared, text."""

    def __init__(
        self,
        counts: Counts,
        trust: Trust,
        clock: Clock,
        on_alarm: Callable[[str, bool, str], None],
    ) -> None:
        self._counts = counts
        self._trust = trust
        self._clock = clock
        self._on_alarm = on_alarm
        self._rival = False
        self._due = 0.0
        self._text = ""
        self.certificate_days: float | None = None

    def rival(self, text: str) -> None:
        """text: why it looks as if another client had our id; empty if it does not."""
        if text and not self._rival:
            self._rival = True
            self._on_alarm("duplicate_client", True, text)

    def look_after(self, lasted: float | None) -> None:
        """At each turn. lasted: seconds of this session, None before it began."""
        if self._rival and lasted is not None and lasted >= STABLE:
            self._rival = False
            self._on_alarm("duplicate_client", False, "alone with our client id again")
        now = self._clock.monotonic()
        if now >= self._due:
            self._due = now + CERTIFICATE_EVERY
            self._check_certificate()

    def _check_certificate(self) -> None:
        try:
            self.certificate_days = self._trust.days_left(self._clock.stamp().wall)
        except (OSError, ValueError) as error:
            log.warning("cert_file: %s", error)
            return
        text = certificate_warning(self.certificate_days)
        if text != self._text:
            self._text = text
            self._on_alarm("certificate", bool(text), text or "the certificate was renewed")

    def shelved(self, key: Key, reason: str) -> None:
        self._counts.refused += 1
        log.warning("entry %d-%d goes to the shelf: %s", key.epoch, key.seq, reason)
        self._on_alarm("refused", True, f"the broker refuses an entry: {reason}")

    def bug(self, what: str) -> None:
        self._counts.callback_errors += 1
        self._on_alarm("link", True, what)
