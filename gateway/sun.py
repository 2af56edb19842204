"""When the sun rises and sets: NOAA's solar calculator. Pure.

After J. Meeus, Astronomical Algorithms, as NOAA's Global Monitoring Laboratory publishes it ("Solar
Calculation Details"). Between 65 degrees north and south it is within a minute of the almanac,
better than any horizon with trees. The terms below carry the names of NOAA's sheet.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

ZENITH = 90.833
"""Degrees: the sun's upper edge at the horizon, with the refraction of the air."""
JULIAN_1970 = 2440587.5
DAY = 86400.0


def sun(day: date, latitude: float, longitude: float, *, rises: bool) -> float | None:
    """Wall seconds of the sunrise (else sunset) of a local day; None: it does neither that day.

    Degrees, north and east positive. The day is that of the place, whatever UTC says.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    moment = midnight + DAY / 2 - longitude * 240.0
    for _ in range(3):  # the sun's place at the event, not at noon
        equation_of_time, declination = _place(moment)
        angle = _hour_angle(latitude, declination)
        if angle is None:
            return None
        minutes = 720.0 - 4.0 * (longitude + (angle if rises else -angle)) - equation_of_time
        moment = midnight + minutes * 60.0
    return moment


def _hour_angle(latitude: float, declination: float) -> float | None:
    """Degrees between noon and sunrise; None: the sun stays above or below the horizon."""
    phi = math.radians(latitude)
    horizon = math.cos(phi) * math.cos(declination)
    if horizon <= 0.0:  # at a pole
        return None
    cosine = math.cos(math.radians(ZENITH)) / horizon - math.tan(phi) * math.tan(declination)
    return math.degrees(math.acos(cosine)) if -1.0 <= cosine <= 1.0 else None


def _place(wall: float) -> tuple[float, float]:
    """The equation of time in minutes, and the sun's declination in radians."""
    t = (wall / DAY + JULIAN_1970 - 2451545.0) / 36525.0  # Julian centuries since J2000.0
    mean_longitude = math.radians((280.46646 + t * (36000.76983 + t * 0.0003032)) % 360.0)
    mean_anomaly = math.radians(357.52911 + t * (35999.05029 - 0.0001537 * t))
    eccentricity = 0.016708634 - t * (0.000042037 + 0.0000001267 * t)
    centre = (
        math.sin(mean_anomaly) * (1.914602 - t * (0.004817 + 0.000014 * t))
        + math.sin(2 * mean_anomaly) * (0.019993 - 0.000101 * t)
        + math.sin(3 * mean_anomaly) * 0.000289
    )
    node = math.radians(125.04 - 1934.136 * t)
    longitude = mean_longitude + math.radians(centre - 0.00569 - 0.00478 * math.sin(node))
    seconds = 21.448 - t * (46.815 + t * (0.00059 - t * 0.001813))
    obliquity = math.radians(23.0 + (26.0 + seconds / 60.0) / 60.0 + 0.00256 * math.cos(node))
    declination = math.asin(math.sin(obliquity) * math.sin(longitude))
    y = math.tan(obliquity / 2) ** 2
    equation = (
        y * math.sin(2 * mean_longitude)
        - 2 * eccentricity * math.sin(mean_anomaly)
        + 4 * eccentricity * y * math.sin(mean_anomaly) * math.cos(2 * mean_longitude)
        - 0.5 * y * y * math.sin(4 * mean_longitude)
        - 1.25 * eccentricity * eccentricity * math.sin(2 * mean_anomaly)
    )
    return 4.0 * math.degrees(equation), declination
