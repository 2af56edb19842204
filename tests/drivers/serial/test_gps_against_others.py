"""NMEA sentences that pynmea2 writes, read by ours; and ours beside its reading of them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from drivers.base import Telegram
from drivers.serial.gps import KNOT, GpsDecoder

RANDOM = random.Random(20261126)


def angle(degrees: float, width: int) -> str:
    """ddmm.mmmmm, as NMEA 0183 has it."""
    whole = int(degrees)
    return f"{whole:0{width}d}{(degrees - whole) * 60:08.5f}"


def test_what_it_says_of_a_position() -> None:
    nmea = pytest.importorskip("pynmea2")
    for _ in range(200):
        latitude, longitude = RANDOM.uniform(0, 89.9), RANDOM.uniform(0, 179.9)
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=RANDOM.randrange(10**9))
        north, east = RANDOM.choice("NS"), RANDOM.choice("EW")
        place = (angle(latitude, 2), north, angle(longitude, 3), east)
        clock, knots = f"{now:%H%M%S}", f"{RANDOM.uniform(0, 60):.2f}"
        metres, used = f"{RANDOM.uniform(-50, 4000):.1f}", f"{RANDOM.randrange(4, 20):02d}"
        gga = nmea.GGA("GN", "GGA", (clock, *place, "1", used, "0.9", metres, "M", "", "M", "", ""))
        rmc = nmea.RMC("GP", "RMC", (clock, "A", *place, knots, "84.4", f"{now:%d%m%y}", "", ""))
        heard = GpsDecoder().feed(f"{gga}\r\n{rmc}\r\n".encode())
        (telegram,) = [one for one in heard if isinstance(one, Telegram)]
        mine = {reading.channel: reading.value for reading in telegram.readings}
        theirs, height = nmea.parse(str(rmc), check=True), nmea.parse(str(gga), check=True)
        assert mine["latitude"] == pytest.approx(theirs.latitude, abs=1e-9)
        assert mine["longitude"] == pytest.approx(theirs.longitude, abs=1e-9)
        assert mine["speed"] == pytest.approx(theirs.spd_over_grnd * KNOT)
        assert mine["gps_time"] == theirs.datetime.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert (mine["altitude"], mine["satellites"]) == (height.altitude, int(height.num_sats))
