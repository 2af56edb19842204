"""What somebody should look into: the link's alarms, raised once and cleared when it is over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from gateway.clock import Clock
from gateway.link.decisions import STABLE, certificate_warning
from gateway.link.hello import Lost
from gateway.link.reasons import CREDENTIALS, reason_text
from gateway.link.tally import Counts
from gateway.link.tls import Trust
from gateway.model import Key

log = logging.getLogger(__name__)

LOGIN_HINT = "username, password_file and client_id of [upstream]; `tidegate doctor` tries them"
MOST_REASONS = 20
"""Of one outage that are logged: several brokers, each with its own, and then it is enough."""
CERTIFICATE_EVERY = 3600.0
"""Seconds between two looks at the certificates."""


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
        self._standing: dict[str, str] = {}
        self._reasons: set[str] = set()
        self._due = 0.0
        self.certificate_days: float | None = None
        self.broker_certificate_days: float | None = None

    def _tell(self, name: str, text: str, over: str) -> None:
        """text: what is wrong, empty if nothing; over: what to say when that is new."""
        if text == self._standing.get(name, ""):
            return
        if text:
            self._standing[name] = text
            log.warning("%s", text)
        else:
            del self._standing[name]
        self._on_alarm(name, bool(text), text or over)

    # What happened.

    def offline(self, reason: str) -> None:
        """Logged once a reason and outage, not once a try: offline is a normal state."""
        if not reason or reason in self._reasons or len(self._reasons) >= MOST_REASONS:
            return
        self._reasons.add(reason)
        log.log(logging.INFO if reason == "stopped" else logging.WARNING, "offline: %s", reason)

    def rival(self, text: str) -> None:
        """text: why it looks as if another client had our id; empty if it does not."""
        if text and "duplicate_client" not in self._standing:
            self._tell("duplicate_client", text, "")

    def ended(self, lost: Lost) -> None:
        """A broker refused us, or sent us away."""
        if lost.code in CREDENTIALS:
            self._tell("login", f"{lost.reason}; {LOGIN_HINT}", "")

    def connected(self, denied: Mapping[str, int]) -> None:
        """The broker let us in. denied: as in `subscribed`."""
        self._reasons.clear()
        self._due = 0.0  # a new certificate may be in use
        self._tell("login", "", "the broker lets us in")
        self.subscribed(denied)

    def subscribed(self, denied: Mapping[str, int]) -> None:
        """denied: subscriptions that the broker refuses, and why."""
        topics = ", ".join(f"{topic} ({reason_text(code)})" for topic, code in denied.items())
        text = f"no commands: the broker refuses the subscription to {topics}" if topics else ""
        self._tell("subscription", text, "the broker grants our subscriptions")

    def shelved(self, key: Key, reason: str) -> None:
        self._counts.refused += 1
        log.warning("entry %d-%d goes to the shelf: %s", key.epoch, key.seq, reason)
        self._on_alarm("refused", True, f"the broker refuses an entry: {reason}")

    def notice_refused(self, topic: str, reason: str) -> None:
        """Something that is told again at each connection does not get through; "": it does now."""
        text = f"{topic}: {reason}" if reason else ""
        self._tell(f"refused_{topic.rsplit('/', 1)[-1]}", text, f"{topic}: the broker takes it")

    def bug(self, what: str) -> None:
        self._counts.callback_errors += 1
        self._tell("link", what, "")

    # What has passed.

    def look_after(self, lasted: float | None, refusing: str = "") -> None:
        """At each turn. lasted: seconds of this session, None while there is none. refusing: why
        the broker takes nothing for the moment."""
        if lasted is not None:
            text = f"the broker takes nothing for now: {refusing}" if refusing else ""
            self._tell("broker_refuses", text, "the broker takes our messages again")
        if lasted is not None and lasted >= STABLE and self._standing:
            self._tell("duplicate_client", "", "alone with our client id again")
            self._tell("link", "", "the link has worked for a minute without errors")
        now = self._clock.monotonic()
        if now >= self._due:
            self._due = now + CERTIFICATE_EVERY
            self._check_certificates(self._clock.stamp().wall)

    def _check_certificates(self, wall: float) -> None:
        try:
            self.certificate_days = self._trust.days_left(wall)
        except (OSError, ValueError) as error:
            self._tell("certificate", f"cert_file: {error}", "")
            return
        self.broker_certificate_days = self._trust.peer_days_left(wall)
        ours = certificate_warning(self.certificate_days, "the client certificate")
        self._tell("certificate", ours, "the client certificate was renewed")
        theirs = certificate_warning(self.broker_certificate_days, "the broker's certificate")
        self._tell("broker_certificate", theirs, "the broker's certificate was renewed")
