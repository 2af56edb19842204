"""Local time has a gap and a repetition each year, and cron lines have corners."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.timetable import DAYS, Daily, Site, Window, cron, moment, point

BERLIN = Site(ZoneInfo("Europe/Berlin"), 52.52, 13.405)
TROMSO = Site(ZoneInfo("Europe/Oslo"), 69.65, 18.96)
SPRING, AUTUMN = "2026-03-29", "2026-10-25"  # 02:00 -> 03:00, and 03:00 -> 02:00
walls = st.floats(1.7e9, 2.1e9)
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]


def wall(text: str, site: Site = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=site.zone).timestamp()


def local(seconds: float | None, site: Site = BERLIN) -> str:
    assert seconds is not None
    return datetime.fromtimestamp(seconds, site.zone).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("line", "after", "expected"),
    [
        ("30 7 * * *", "2026-11-26T07:30", "2026-11-27T07:30+01:00"),
        ("*/15 6-22 * * mon-fri", "2026-11-27T22:45", "2026-11-30T06:00+01:00"),
        ("0 0 1 jan *", "2026-11-26T00:00", "2027-01-01T00:00+01:00"),
        ("0 12 29 2 *", "2026-11-26T00:00", "2028-02-29T12:00+01:00"),
        ("0 12 13 * fri", "2026-11-10T00:00", "2026-11-13T12:00+01:00"),
        ("0 12 14 * sun", "2026-11-09T00:00", "2026-11-14T12:00+01:00"),  # either day will do
        ("0 12 * * 0", "2026-11-09T00:00", "2026-11-15T12:00+01:00"),
        ("0 12 * * 7", "2026-11-09T00:00", "2026-11-15T12:00+01:00"),
        ("5/20 3 * * *", "2026-11-09T03:25", "2026-11-09T03:45+01:00"),
        # In the gap: at its end, and only once.
        ("30 2 * * *", f"{SPRING}T00:00", f"{SPRING}T03:00+02:00"),
        ("*/30 * * * *", f"{SPRING}T01:30", f"{SPRING}T03:00+02:00"),
        ("*/30 * * * *", f"{SPRING}T03:00", f"{SPRING}T03:30+02:00"),
        # Twice: the first time; but a line for every hour means every hour.
        ("30 2 * * *", f"{AUTUMN}T00:00", f"{AUTUMN}T02:30+02:00"),
        ("30 * * * *", f"{AUTUMN}T02:30", f"{AUTUMN}T02:30+01:00"),
    ],
)
def test_the_next_time_of_a_cron_line(line: str, after: str, expected: str) -> None:
    assert local(cron(line, BERLIN).following(wall(after))) == expected


def test_a_time_that_comes_twice_is_taken_once() -> None:
    first = cron("30 2 * * *", BERLIN).following(wall(f"{AUTUMN}T00:00"))
    assert first is not None
    assert local(cron("30 2 * * *", BERLIN).following(first)) == "2026-10-26T02:30+01:00"


def test_a_day_that_does_not_exist_never_comes() -> None:
    assert cron("0 0 30 2 *", BERLIN).following(wall("2026-01-01T00:00")) is None


@pytest.mark.parametrize(
    "line",
    [
        *("", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8"),
        *("*/0 * * * *", "9-5 * * * *", "a * * * *", "* * * * mond", "1,,2 * * * *", "-1 * * * *"),
    ],
)
def test_what_is_no_cron_line(line: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        cron(line, BERLIN)


@given(walls, st.sampled_from(ZONES), st.integers(0, 59), st.sampled_from(["*", "2", "1-3", "*/5"]))
def test_the_next_time_is_later_and_the_first(
    after: float, zone: str, minute: int, hour: str
) -> None:
    """Compared with a look at each minute of two days."""
    site = Site(ZoneInfo(zone))
    line = cron(f"{minute} {hour} * * *", site)
    found = line.following(after)
    assert found is not None and found > after
    start = (after // 60 + 1) * 60
    for number in range(2 * 24 * 60):
        at = datetime.fromtimestamp(start + number * 60, site.zone)
        if at.minute == minute and at.hour in line.hours and (at.fold == 0 or line.every_hour):
            assert found <= at.timestamp()
            break


@given(walls, st.sampled_from(ZONES), st.integers(0, 24 * 60 - 1))
def test_a_local_time_is_found_again_unless_it_does_not_exist(
    after: float, zone: str, minutes: int
) -> None:
    tz = ZoneInfo(zone)
    day = datetime.fromtimestamp(after, tz).date()
    found = datetime.fromtimestamp(moment(day, minutes, tz), tz)
    if (found.date(), found.hour * 60 + found.minute) != (day, minutes):
        before = datetime.fromtimestamp(found.timestamp() - 1, tz)
        assert before.utcoffset() != found.utcoffset(), "only the end of a gap is another time"


@pytest.mark.parametrize(
    ("window", "days", "at", "is_open", "until"),
    [
        (("22:00", "06:00"), (), "2026-11-26T23:00", True, "2026-11-27T06:00+01:00"),
        (("22:00", "06:00"), (), "2026-11-26T05:59", True, "2026-11-26T06:00+01:00"),
        (("22:00", "06:00"), (), "2026-11-26T06:00", False, "2026-11-26T22:00+01:00"),
        (("22:00", "06:00"), ("fri",), "2026-11-26T23:00", False, "2026-11-27T22:00+01:00"),
        (("22:00", "06:00"), ("fri",), "2026-11-28T05:00", True, "2026-11-28T06:00+01:00"),
        (("00:00", "12:00"), (), "2026-11-26T00:00", True, "2026-11-26T12:00+01:00"),
        (("02:15", "02:45"), (), f"{SPRING}T01:59", False, "2026-03-30T02:15+02:00"),
        (("02:15", "04:00"), (), f"{SPRING}T03:00", True, f"{SPRING}T04:00+02:00"),
        (("sunset", "sunrise"), (), "2026-11-26T20:00", True, "2026-11-27T07:48+01:00"),
        (("sunset-1h", "23:00"), (), "2026-06-21T20:40", True, "2026-06-21T23:00+02:00"),
    ],
)
def test_windows(
    window: tuple[str, str], days: tuple[str, ...], at: str, is_open: bool, until: str
) -> None:
    numbers = frozenset(map(DAYS.index, days or DAYS))
    found = Window(point(window[0]), point(window[1]), BERLIN, numbers).at(wall(at))
    assert (found[0], local(found[1])) == (is_open, until)


@given(walls, st.sampled_from(["00:00", "02:30", "23:59", "sunrise", "sunset+2h"]))
def test_what_a_window_says_holds_until_it_says(at: float, start: str) -> None:
    window = Window(point(start), point("05:00"), BERLIN)
    is_open, until = window.at(at)
    assert until > at
    for part in (0.25, 0.5, 0.99):
        assert window.at(at + part * (until - at)) == (is_open, until)
    assert window.at(until)[0] is not is_open or window.at(until)[1] > until


def test_without_sunset_a_window_does_not_open_and_a_moment_waits_for_it() -> None:
    summer = wall("2026-06-21T12:00", TROMSO)
    is_open, until = Window(point("sunset"), point("sunrise"), TROMSO).at(summer)
    assert not is_open and until > summer
    sunset = Daily(point("sunset"), TROMSO).following(summer)
    assert local(sunset, TROMSO)[:7] == "2026-07"


@pytest.mark.parametrize("text", ["", "7", "24:00", "07:60", "noon", "sunset+", "sunset+1d", "1:2"])
def test_what_is_no_time_of_day(text: str) -> None:
    with pytest.raises(ValueError, match="07:30"):
        point(text)


def test_the_sun_needs_a_place() -> None:
    nowhere = Site(UTC)
    with pytest.raises(ValueError, match="latitude"):
        point("sunset").on(datetime(2026, 1, 1).date() + timedelta(days=1), nowhere)
