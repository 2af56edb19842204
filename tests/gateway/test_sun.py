"""Sunrise and sunset against PyEphem 4.2 (no pressure, horizon -0:34, the sun's upper edge)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from gateway.sun import sun

ALMANAC = [
    ("Berlin", 52.52, 13.405, date(2026, 6, 21), "2026-06-21 02:43:08", "2026-06-21 19:33:14"),
    ("Berlin", 52.52, 13.405, date(2026, 12, 21), "2026-12-21 07:14:52", "2026-12-21 14:53:58"),
    ("Berlin", 52.52, 13.405, date(2028, 2, 29), "2028-02-29 05:54:08", "2028-02-29 16:44:21"),
    ("Quito", -0.18, -78.47, date(2026, 6, 21), "2026-06-21 11:12:23", "2026-06-21 23:19:05"),
    ("Quito", -0.18, -78.47, date(2026, 12, 21), "2026-12-21 11:07:58", "2026-12-21 23:16:07"),
    ("Quito", -0.18, -78.47, date(2028, 2, 29), "2028-02-29 11:22:49", "2028-02-29 23:29:38"),
    ("Sydney", -33.87, 151.21, date(2026, 6, 21), "2026-06-20 20:59:58", "2026-06-21 06:53:47"),
    ("Sydney", -33.87, 151.21, date(2026, 12, 21), "2026-12-20 18:40:37", "2026-12-21 09:05:25"),
    ("Sydney", -33.87, 151.21, date(2028, 2, 29), "2028-02-28 19:42:11", "2028-02-29 08:32:30"),
    ("Honolulu", 21.31, -157.86, date(2026, 6, 21), "2026-06-21 15:50:25", "2026-06-22 05:16:17"),
    ("Honolulu", 21.31, -157.86, date(2026, 12, 21), "2026-12-21 17:04:35", "2026-12-22 03:54:51"),
    ("Honolulu", 21.31, -157.86, date(2028, 2, 29), "2028-02-29 16:52:05", "2028-03-01 04:35:42"),
    ("Reykjavik", 64.15, -21.94, date(2026, 6, 21), "2026-06-21 02:55:13", "2026-06-22 00:03:55"),
    ("Reykjavik", 64.15, -21.94, date(2026, 12, 21), "2026-12-21 11:22:19", "2026-12-21 15:29:22"),
    ("Reykjavik", 64.15, -21.94, date(2028, 2, 29), "2028-02-29 08:37:05", "2028-02-29 18:44:34"),
    ("Suva", -18.14, 178.44, date(2026, 6, 21), "2026-06-20 18:36:43", "2026-06-21 05:39:09"),
    ("Suva", -18.14, 178.44, date(2026, 12, 21), "2026-12-20 17:27:23", "2026-12-21 06:40:43"),
    ("Suva", -18.14, 178.44, date(2028, 2, 29), "2028-02-28 18:04:45", "2028-02-29 06:32:26"),
]


@pytest.mark.parametrize(("place", "latitude", "longitude", "day", "rise", "set_"), ALMANAC)
def test_the_almanac(
    place: str, latitude: float, longitude: float, day: date, rise: str, set_: str
) -> None:
    for text, rises in ((rise, True), (set_, False)):
        expected = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
        found = sun(day, latitude, longitude, rises=rises)
        assert found == pytest.approx(expected, abs=20), f"{place} {day}"


@pytest.mark.parametrize("latitude", [69.65, -75.0, 90.0, -90.0])
def test_where_the_sun_does_not_set_or_rise(latitude: float) -> None:
    for day in (date(2026, 6, 21), date(2026, 12, 21)):
        assert sun(day, latitude, 18.96, rises=True) is None
        assert sun(day, latitude, 18.96, rises=False) is None
