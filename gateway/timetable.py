"""Times of day, windows and cron lines in a place's own time. Pure.

Local time has a gap and a repetition each year. A time that the gap swallows counts as the first
moment after it; one that comes twice counts the first time it comes (a cron line for every hour
counts both). Moments are wall seconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from gateway.sun import sun

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
EVERY_DAY = frozenset(range(7))
HORIZON = 366 * 8 + 3
"""Days in which a cron line has to find its next time: 29 February may be 8 years away."""
WITHOUT_SUN = 6 * 3600.0  # seconds until a day without sunrise is looked at again

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_SUN = re.compile(r"(sunrise|sunset)(?: ?([+-]) ?(\d+) ?(s|min|h))?")
_SCALE = {"s": 1.0, "min": 60.0, "h": 3600.0}


class Site(NamedTuple):
    """Where the clocks are read. Degrees, north and east positive; only the sun needs them."""

    zone: tzinfo = UTC
    latitude: float | None = None
    longitude: float | None = None


class Point(NamedTuple):
    """A time of day: minutes after midnight, or the sun's, with seconds added."""

    minutes: int = 0
    sun: str = ""
    offset: float = 0.0

    def on(self, day: date, site: Site) -> float | None:
        """That moment of a local day; None on a day on which the sun does not rise or set."""
        if not self.sun:
            return moment(day, self.minutes, site.zone)
        if site.latitude is None or site.longitude is None:
            raise ValueError("the sun needs a latitude and a longitude")
        found = sun(day, site.latitude, site.longitude, rises=self.sun == "sunrise")
        return None if found is None else found + self.offset


def point(text: str) -> Point:
    """`07:30`, `sunset`, `sunrise+30min`. ValueError."""
    if match := _TIME.fullmatch(text):
        return Point(int(match.group(1)) * 60 + int(match.group(2)))
    if match := _SUN.fullmatch(text):
        name, sign, number, unit = match.groups()
        offset = float(number) * _SCALE[unit] if number else 0.0
        return Point(sun=name, offset=-offset if sign == "-" else offset)
    raise ValueError('a time is written "07:30", "sunset" or "sunrise+30min"')


def moment(day: date, minutes: int, zone: tzinfo, *, second: bool = False) -> float:
    """Wall seconds of a local time. second: the later one, where the time comes twice."""
    naive = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    aware = naive.replace(tzinfo=zone, fold=int(second))
    wall = aware.timestamp()
    if datetime.fromtimestamp(wall, zone).replace(tzinfo=None) == naive:
        return wall
    return _after_gap(
        naive.replace(tzinfo=zone, fold=1).timestamp(),
        naive.replace(tzinfo=zone, fold=0).timestamp(),
        zone,
    )


def _after_gap(low: float, high: float, zone: tzinfo) -> float:
    """The second in between at which the offset from UTC changes."""
    before = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1.0:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def _local_day(wall: float, zone: tzinfo) -> date:
    return datetime.fromtimestamp(wall, zone).date()


def _days_from(day: date, count: int) -> Iterator[date]:
    return (day + timedelta(days=number) for number in range(count))


class Daily(NamedTuple):
    """A moment of each of these days (Monday is 0)."""

    point: Point
    site: Site
    days: frozenset[int] = EVERY_DAY

    def following(self, after: float) -> float | None:
        """The first one later than `after`; None where there is none within a year."""
        # Two days back: an offset may carry a moment into the next day.
        for day in _days_from(_local_day(after, self.site.zone) - timedelta(days=2), 369):
            found = self.point.on(day, self.site) if day.weekday() in self.days else None
            if found is not None and found > after:
                return found
        return None


class Window(NamedTuple):
    """From start to end, beginning on these days; an end before the start is on the next day."""

    start: Point
    end: Point
    site: Site
    days: frozenset[int] = EVERY_DAY

    def at(self, wall: float) -> tuple[bool, float]:
        """Whether it is open, and the moment up to which that holds."""
        today = _local_day(wall, self.site.zone)
        edges = []
        for day in _days_from(today - timedelta(days=3), 12):
            span = self._span(day) if day.weekday() in self.days else None
            if span is None:
                continue
            if span[0] <= wall < span[1]:
                return True, span[1]
            edges += [edge for edge in span if edge > wall]
        return False, min(edges, default=wall + WITHOUT_SUN)

    def _span(self, day: date) -> tuple[float, float] | None:
        site = self.site
        start, end = self.start.on(day, site), self.end.on(day, site)
        if start is not None and end is not None and self._overnight(start, end):
            end = self.end.on(day + timedelta(days=1), site)
        # Where the gap swallows all of it, it does not open.
        return None if start is None or end is None or end <= start else (start, end)

    def _overnight(self, start: float, end: float) -> bool:
        if self.start.sun or self.end.sun:
            return end <= start
        return self.end.minutes <= self.start.minutes


class Cron(NamedTuple):
    """minute hour day-of-month month day-of-week, as crontab(5) has them.

    Where both days are restricted, either will do. every_hour: the hour was `*`.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    dates: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    every_hour: bool
    site: Site

    def following(self, after: float) -> float | None:
        """The first moment later than `after`; None: there is no such day, as 30 February."""
        for day in _days_from(_local_day(after, self.site.zone), HORIZON):
            if self._is_day(day):
                later = [m for m in self._of(day, self.site.zone) if m > after]
                if later:
                    return min(later)
        return None

    def _is_day(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.dates, day.weekday() in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday

    def _of(self, day: date, zone: tzinfo) -> Iterator[float]:
        for hour in self.hours:
            for minute in self.minutes:
                yield moment(day, hour * 60 + minute, zone)
                if self.every_hour:
                    yield moment(day, hour * 60 + minute, zone, second=True)


def cron(text: str, site: Site) -> Cron:
    """`*/15 6-22 * * mon-fri`. ValueError says which field is wrong."""
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(
            f"a cron line has 5 fields (minute hour day month weekday), not {len(fields)}"
        )
    minute, hour, day, month, weekday = fields
    weekdays = _field(weekday, "weekday", 0, 7, ("sun", *DAYS))
    return Cron(
        minutes=tuple(sorted(_field(minute, "minute", 0, 59))),
        hours=tuple(sorted(_field(hour, "hour", 0, 23))),
        dates=_field(day, "day", 1, 31),
        months=_field(month, "month", 1, 12, MONTHS),
        weekdays=frozenset((number - 1) % 7 for number in weekdays),
        either_day=not day.startswith("*") and not weekday.startswith("*"),
        every_hour=hour == "*",
        site=site,
    )


def _field(
    text: str, what: str, low: int, high: int, names: tuple[str, ...] = ()
) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        body, _, step = part.partition("/")
        first, dash, last = body.partition("-")
        if body == "*":
            start, end = low, high
        else:
            start = _number(first, what, low, high, names)
            # cron's 3/5 is from 3 on
            end = _number(last, what, low, high, names) if dash else high if step else start
        if (step and (not step.isdecimal() or int(step) == 0)) or start > end:
            raise ValueError(f"{what} {part!r} is no range with a step, as {low}-{high}/5")
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, what: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + low
    if not text.isdecimal() or not low <= int(text) <= high:
        also = f", or {names[0]} to {names[-1]}" if names else ""
        raise ValueError(f"{what} {text!r} is not from {low} to {high}{also}")
    return int(text)
