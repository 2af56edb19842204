"""The queue runs full: told once, long before anything has to go, and once when it is over.

It counts from what readings may have of the journal, not from its size: a part of it is the reserve
of results, alarms and counters, of a small ring a third. A journal that evicts stays above `CLEAR`,
so that an outage of months is one warning.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from gateway.codecs.values import fill, growth_of, time_to_full
from gateway.model import OutboxStats

log = logging.getLogger(__name__)

ALARM = "outbox_full"
RAISE = 0.8
CLEAR = 0.7
EVERY = 10.0
"""Seconds between two looks."""
OVER = f"less than {CLEAR:.0%} of the queue is used again"


def stands(before: bool | None, used: float) -> bool | None:
    """Whether the alarm is to stand. before: what this run has told, None while it has told
    nothing: then an alarm of the run before may stand. used: share of the journal."""
    if used >= RAISE:
        return True
    return False if used < CLEAR else before


def consequence(expire: float) -> str:
    """The alarm's text: it stays the same, so that an acknowledged alarm is not raised again by a
    restart. expire: seconds after which readings may go, 0 for never."""
    expired = f"readings older than {_span(expire)} go first, then " if expire else ""
    return (
        f"{RAISE:.0%} of the queue is used: when it is full, {expired}old readings are thinned "
        "out and at last the oldest go; results, alarms and counter totals stay longest"
    )


def extent(stats: OutboxStats) -> str:
    """How far it has come, for the log."""
    whole = stats.bytes_used + stats.room
    far = f"now {_mebi(stats.bytes_used)} of {_mebi(whole)} MiB ({fill(stats):.0%})"
    if growth_of(stats) is None:
        return far
    left = time_to_full(stats)
    if left is None:
        return f"{far}, not growing in the last minute"
    return f"{far}, full in {_span(left)} at the last minute's rate"


def _mebi(count: int) -> str:
    return f"{count / (1 << 20):.1f}"


def _span(seconds: float) -> str:
    hours = seconds / 3600
    if hours < 2:
        return f"{seconds / 60:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"


class Books(Protocol):
    def stats(self) -> OutboxStats: ...


class Lookout:
    """Looks when it is told to. expire: as the outbox has it. on_alarm takes name, raised or
    cleared, text."""

    def __init__(
        self, books: Books, expire: float, on_alarm: Callable[[str, bool, str], None]
    ) -> None:
        self._books = books
        self._text = consequence(expire)
        self._on_alarm = on_alarm
        self._stands: bool | None = None

    def look(self) -> None:
        stats = self._books.stats()
        now = stands(self._stands, fill(stats))
        if now == self._stands or now is None:
            return
        if now:
            log.warning("%s; %s", self._text, extent(stats))
        elif self._stands:
            log.info("%s", OVER)
        self._stands = now
        self._on_alarm(ALARM, now, self._text if now else OVER)
