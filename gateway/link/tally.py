"""The link's counters, and what a day has cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from gateway.clock import Clock

SEGMENT = 1448
HEADERS = 52
"""IPv4 and TCP with time stamps; a segment is answered by one that carries nothing else."""
DAY = 86400


@dataclass(slots=True)
class Counts:
    connects: int = 0
    drops: int = 0
    refused: int = 0
    returned: int = 0
    callback_errors: int = 0


class Day(NamedTuple):
    """day: days since 1970, UTC. assumed: bytes that earlier runs of the day may have cost besides
    those that they told of."""

    day: int = -1
    sent: int = 0
    received: int = 0
    assumed: int = 0


NO_DAY = Day()


class DayBytes:
    """Bytes of the UTC day on the network, with an estimate of the headers that TCP/IP adds.

    One thread adds, any may look: `now` is one moment's. certain: whether the clock can be believed
    when it says an earlier day; as long as it cannot, the count goes on.
    """

    def __init__(self, before: Day = NO_DAY, certain: bool = True) -> None:
        """before: where an earlier run left off."""
        self.now = before
        self.certain = certain

    def add(self, wall: float, sent: int, received: int, writes: int, reads: int) -> None:
        """Bytes, and in how many goes they were written and read."""
        day, now = int(wall // DAY), self.now
        if day > now.day or (day < now.day and self.certain):
            now = Day(day)
        there, back = segments(sent, writes), segments(received, reads)
        self.now = Day(
            now.day,
            now.sent + sent + HEADERS * (there + back),
            now.received + received + HEADERS * (back + there),
            now.assumed,
        )

    @property
    def sent(self) -> int:
        return self.now.sent

    @property
    def received(self) -> int:
        return self.now.received

    @property
    def total(self) -> int:
        """What counts against a budget."""
        return self.now.sent + self.now.received + self.now.assumed


class CoarseWall:
    """Wall seconds, up to a second ago: enough for expiry and for the day's budget."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall, self._until = 0.0, 0.0

    def at(self, now: float) -> float:
        """now: monotonic seconds."""
        if now >= self._until:
            self._wall, self._until = self._clock.stamp().wall, now + 1.0
        return self._wall


def segments(size: int, goes: int) -> int:
    """How many carry so much, if each go begins one; each is answered by one that is empty."""
    return max(goes, -(-size // SEGMENT))
