"""The outbox's books: what came, what became of it, and how fast. Pure; time is an argument."""

from __future__ import annotations

from collections import Counter, deque

BUCKET = 5.0
BUCKETS = 12
MINUTE = BUCKET * BUCKETS
DAY = 86400.0


class Meter:
    """Events a second over the last minute."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._full: deque[tuple[float, int]] = deque(maxlen=BUCKETS - 1)
        self._start = now
        self._count = 0

    def add(self, now: float, count: int = 1) -> None:
        if now >= self._start + BUCKET:
            self._full.append((self._start, self._count))
            self._start, self._count = now - now % BUCKET, 0
        self._count += count

    def rate(self, now: float) -> float | None:
        """None in the first minute: what a start brings says nothing about the hours to come."""
        if now - self._began < MINUTE:
            return None
        buckets = [*self._full, (self._start, self._count)]
        return sum(count for start, count in buckets if start > now - MINUTE) / MINUTE


class Books:
    """recorded + inherited = accepted + dropped + kept + shelved, after every entry made here."""

    def __init__(self, now: float) -> None:
        self.recorded = 0
        self.inherited = 0
        self.accepted = 0
        self.dropped: Counter[str] = Counter()
        self.kept = 0
        self.shelved = 0
        self.torn = 0
        self._into = Meter(now)
        self._out = Meter(now)
        self._day = 0
        self._day_began = 0

    def inherit(self, kept: int, shelved: int) -> None:
        """What an earlier run left."""
        self.inherited += kept + shelved
        self.kept += kept
        self.shelved += shelved

    def record(self, now: float) -> None:
        self.recorded += 1
        self.kept += 1
        self._into.add(now)

    def accept(self, now: float, count: int, shelved: int = 0) -> None:
        """count were acknowledged, of which some had been on the shelf."""
        self.accepted += count
        self.kept -= count - shelved
        self.shelved -= shelved
        self._out.add(now, count)

    def drop(self, reason: str, count: int) -> None:
        self.dropped[reason] += count
        self.kept -= count

    def lose(self, reason: str, count: int, inherited: bool) -> None:
        """Damaged: at opening it was not counted as kept, later it was."""
        if inherited:
            self.inherited += count
            self.kept += count
        self.drop(reason, count)

    def shelve(self) -> None:
        self.kept -= 1
        self.shelved += 1

    def unshelve(self, reason: str) -> None:
        self.shelved -= 1
        self.dropped[reason] += 1

    def rates(self, now: float) -> tuple[float | None, float | None]:
        return self._into.rate(now), self._out.rate(now)

    def today(self, wall: float, written: int) -> int:
        """Bytes of `written` that fall on this UTC day; what ran before midnight is yesterday's."""
        day = int(wall // DAY)
        if day != self._day:
            self._day, self._day_began = day, written if self._day else 0
        return written - self._day_began
