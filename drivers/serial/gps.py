"""GPS and GNSS receivers that send NMEA 0183: where, how fast, and what time it is.

NMEA 0183 4.10, sentences RMC and GGA of any talker; the checksum is demanded. u-blox NEO-6M to M10,
Quectel L76, SIM868, Adafruit Ultimate GPS and nearly every other one. 9600 8N1 as delivered.
"""

from __future__ import annotations

import re
from typing import Annotated

from drivers.base import Channel, Option, Reading, SerialPort
from drivers.serial.framing import Found, FrameDecoder, Quiet, Skip, noise
from drivers.serial.stream import StreamMeter, checked_line

START = b"$"
SENTENCE_MAX = 256
"""82 by the standard; receivers go beyond it."""

KNOT = 1852 / 3600
"""Metres per second."""

SENTENCE = re.compile(r"\$([A-Z][A-Z0-9]{2,9}),([ -~]*)\*([0-9A-Fa-f]{2})\r?\n")
ANGLE = re.compile(r"(\d{2,3})(\d{2}(?:\.\d+)?)")
TIME = re.compile(r"(\d\d)(\d\d)(\d\d(?:\.\d+)?)")
DATE = re.compile(r"(\d\d)(\d\d)(\d\d)")

FIXES = {"0": "none", "1": "gps", "2": "dgps", "4": "rtk", "5": "rtk float", "6": "estimated"}

CHANNELS: tuple[Channel, ...] = (
    Channel("latitude", "latitude", digits=7),
    Channel("longitude", "longitude", digits=7),
    Channel("altitude", "altitude", digits=1),
    Channel("speed", "speed", digits=2),
    Channel("course", "angle", digits=1),
    Channel("satellites", "count", digits=0),
    Channel("dilution", "count", digits=2),
    Channel("fix", "text"),
    Channel("gps_time", "timestamp"),
)


class GpsDecoder(FrameDecoder):
    """RMC gives a telegram, with what the last GGA said of altitude and satellites."""

    def __init__(self) -> None:
        super().__init__(SENTENCE_MAX)
        self._more: tuple[Reading, ...] = ()

    def scan(self, data: bytearray, final: bool) -> Found | Skip | Quiet | None:
        start = data.find(START)
        if start:
            return noise(data, start, START, final)
        end = data.find(b"\n") + 1
        another = data.find(START, 1, end or None)
        if another > 0:
            return Skip(another, "truncated: another sentence begins before the end")
        if not end:
            return None
        match = SENTENCE.fullmatch(bytes(data[:end]).decode("latin-1"))
        if match is None:
            return Skip(end, "no sentence")
        if _checksum(data[1 : data.rfind(b"*", 0, end)]) != int(match[3], 16):
            return Skip(end, "wrong checksum", complete=True)
        kind, fields = match[1][2:], match[2].split(",")
        if kind == "GGA" and len(fields) >= 9:
            self._more = tuple(_of_gga(fields))
        if kind != "RMC" or len(fields) < 9:
            return Quiet(end)
        more, self._more = self._more, ()
        return Found(end, (*_of_rmc(fields), *more))


def _checksum(data: bytearray) -> int:
    found = 0
    for byte in data:
        found ^= byte
    return found


def _of_rmc(fields: list[str]) -> list[Reading]:
    """Without a fix a receiver may know the time; it then sends its last position, or none."""
    clock, status, lat, north, lon, east, knots, course, date = fields[:9]
    found = []
    time = _time(clock, date)
    if time:
        found.append(Reading("gps_time", time))
    if status != "A":
        return found
    latitude, longitude = _angle(lat, north == "S"), _angle(lon, east == "W")
    if latitude is not None and longitude is not None:
        found += [Reading("latitude", latitude), Reading("longitude", longitude)]
    speed, angle = _number(knots), _number(course)
    if speed is not None:
        found.append(Reading("speed", speed * KNOT))
    if angle is not None:
        found.append(Reading("course", angle))
    return found


def _of_gga(fields: list[str]) -> list[Reading]:
    quality, used, dilution, altitude = fields[5:9]
    found = [Reading("fix", FIXES.get(quality, quality))]
    if used.isdecimal():
        found.append(Reading("satellites", int(used)))
    for name, text in (("dilution", dilution), ("altitude", altitude)):
        value = _number(text)
        if value is not None and quality != "0":
            found.append(Reading(name, value))
    return found


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", text) else None


def _angle(text: str, negative: bool) -> float | None:
    """ddmm.mmmm as degrees."""
    match = ANGLE.fullmatch(text)
    if match is None:
        return None
    degrees = int(match[1]) + float(match[2]) / 60
    return -degrees if negative else degrees


def _time(clock: str, date: str) -> str:
    """ISO 8601, "" where one of the two is missing."""
    time, day = TIME.fullmatch(clock), DATE.fullmatch(date)
    if time is None or day is None:
        return ""
    return f"20{day[3]}-{day[2]}-{day[1]}T{time[1]}:{time[2]}:{time[3]}Z"


DECODER = GpsDecoder


class Gps(StreamMeter):
    """One receiver on a port of its own."""

    def __init__(
        self,
        port: SerialPort,
        *,
        line: Annotated[str, Option("speed and frame")] = "9600 8N1",
        silence: Annotated[
            float, Option("offline without a sentence RMC for so long", "s", low=1)
        ] = 10.0,
    ) -> None:
        super().__init__(port, checked_line(line), GpsDecoder, CHANNELS, silence)


DRIVER = Gps
