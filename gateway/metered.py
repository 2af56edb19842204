"""What the UTC day has cost on a metered link, over restarts: else each of them had a new budget.

What is noted in the state is more than was used, by a share of the budget. Only what goes beyond it
is noted anew. So a day has as many writes as its budget has shares, whatever comes and goes, and
a run that ends without a word has used no more than the next one counts, but for its last seconds.
"""

from __future__ import annotations

import logging

from gateway.clock import Clock
from gateway.link.tally import DAY, NO_DAY, Day, DayBytes
from gateway.state import StateFault, Store

log = logging.getLogger(__name__)

NOTE = ("link", "day")
EVERY = 10.0
"""Seconds between two looks."""
SHARE = 0.05
RETRY = 300.0
"""Seconds before a state that failed is written again."""


def resumed(note: Day, wall: float, certain: bool) -> Day:
    """Where the count begins. certain: whether the clock is set. Pure.

    A Pi without a battery clock starts in the past: then the day of the note is the better guess.
    """
    today = int(wall // DAY)
    goes_on = note.day == today or (note.day > today and not certain)
    return note if goes_on else Day(today)


class DayKeeper:
    """look is a chore of main's, end comes when the link has stopped. budget: bytes a day."""

    def __init__(self, store: Store, clock: Clock, budget: int) -> None:
        self._store = store
        self._clock = clock
        self._ahead = int(SHARE * budget)
        stamp = clock.stamp()
        before = resumed(self._recalled(), stamp.wall, stamp.synchronised)
        self.bytes = DayBytes(before, stamp.synchronised)
        self._began = clock.monotonic()
        self._noted: Day | None = None
        self._retry_at = 0.0

    def _recalled(self) -> Day:
        kind, name = NOTE
        try:
            return Day(*self._store.recall(kind).get(name, ()))
        except StateFault as fault:
            log.error("what this day has cost so far is not known: %s", fault)
            return NO_DAY

    def look(self) -> None:
        """Notes the count if it has gone beyond what is noted."""
        now = self._clock.monotonic()
        # A clock that nobody sets does not hold the link back for more than a day.
        if self._clock.stamp().synchronised or now - self._began >= DAY:
            self.bytes.certain = True
        day, noted = self.bytes.now, self._noted
        beyond = noted is None or day.day != noted.day or sum(day[1:]) > sum(noted[1:])
        if beyond and now >= self._retry_at:
            self._note(day._replace(assumed=day.assumed + self._ahead))

    def end(self) -> None:
        """Notes it as it is: this run ends in order."""
        self._note(self.bytes.now)

    def _note(self, day: Day) -> None:
        try:
            self._store.remember(*NOTE, list(day))
        except StateFault as fault:
            self._retry_at = self._clock.monotonic() + RETRY
            log.error("what this day has cost is not remembered: %s", fault)
        else:
            self._noted = day
