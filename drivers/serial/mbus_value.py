"""The value of an M-Bus record: numbers, dates and texts. Pure.

EN 13757-3:2013, annex A: types A (BCD), B (signed), F, G, I, J (time), H (real); table 15 for the
VIFEs that change what a value is.
"""

from __future__ import annotations

import calendar
import math
import struct
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from drivers.base import Quality, Value
from drivers.serial.mbus_record import BCD, ERROR, INTEGERS, REAL, SPECIAL, VARIABLE, Record
from drivers.serial.mbus_vif import MANUFACTURER_VALUE, SECOND_TO_DAY
from drivers.serial.units import scaled

MULTIPLIED = range(0x70, 0x78)
ADDED = range(0x78, 0x7C)
MULTIPLIED_BY_1000 = 0x7D
MANUFACTURER_FOLLOWS = 0x7F

TIMES_EXCEEDED = frozenset({0x41, 0x49})
DATES = frozenset({0x39, 0x42, 0x43, 0x46, 0x47, 0x4A, 0x4B, 0x4E, 0x4F, 0x6A, 0x6B, 0x6E, 0x6F})
DURATIONS = range(0x50, 0x68)

YEAR_NONE = 100
"""Years from here on are none; 127 means every year."""

ABOUT_ERRORS = frozenset({"duration", "timestamp", "state", "text"})
"""A value of these during an error state tells about the error. Any other is not valid then."""


class Answer(NamedTuple):
    """A value in the unit of its quantity, and how far it can be believed."""

    value: Value | None
    quantity: str
    quality: Quality = Quality.GOOD


def value_of(record: Record) -> Answer:
    if record.field == SPECIAL:
        return Answer(record.data.hex(" ").upper(), "text")
    if record.field == VARIABLE:
        return Answer(record.data[::-1].decode("latin-1"), _quantity_of_text(record))
    quantity, factor = _quantity(record)
    if quantity == "timestamp" and len(record.data) in _TIME_FORMS:
        answer = _TIME_FORMS[len(record.data)](record.data)
    else:
        answer = _number(record, quantity, factor)
    if record.function == ERROR and quantity not in ABOUT_ERRORS:
        return answer._replace(quality=Quality.BAD)
    return answer


def modifiers(record: Record) -> Iterator[int]:
    """The VIFEs that the standard defines, without the extension bit."""
    if record.meaning is MANUFACTURER_VALUE:
        return
    for vife in record.modifiers:
        if vife & 0x7F == MANUFACTURER_FOLLOWS:
            return
        yield vife & 0x7F


def _quantity_of_text(record: Record) -> str:
    return "identity" if record.meaning.quantity == "identity" else "text"


def _quantity(record: Record) -> tuple[str, Fraction]:
    """Quantity and factor, as VIFEs change them: a power's VIFE may ask for its date instead."""
    meaning = record.meaning
    quantity, factor = meaning.quantity, meaning.factor
    for code in modifiers(record):
        if code in DATES:
            return "timestamp", Fraction(1)
        if code in TIMES_EXCEEDED:
            return "count", Fraction(1)
        if code in DURATIONS:
            return "duration", Fraction(SECOND_TO_DAY[code & 3])
        if code in MULTIPLIED:
            factor *= Fraction(10) ** (code - MULTIPLIED.start - 6)
        elif code == MULTIPLIED_BY_1000:
            factor *= 1000
    return quantity, factor


def _number(record: Record, quantity: str, factor: Fraction) -> Answer:
    raw = _raw(record.field, record.data)
    if raw is None:
        return Answer(None, quantity, Quality.BAD)
    offset = record.meaning.offset if quantity == record.meaning.quantity else Fraction(0)
    for code in modifiers(record):
        if code in ADDED:
            offset += Fraction(10) ** (code - ADDED.start - 3) * factor
    if offset:
        return Answer(float(Fraction(raw) * factor + offset), quantity)
    return Answer(multiplied(raw, factor), quantity)


def multiplied(raw: int | float, factor: Fraction) -> int | float:
    """raw times factor with one rounding at most."""
    exponent = _exponent(factor)
    if exponent is None:
        return float(Fraction(raw) * factor)
    if isinstance(raw, int):
        return scaled(raw, exponent)
    return raw * 10.0**exponent if exponent >= 0 else raw / 10.0**-exponent


@lru_cache(maxsize=512)
def _exponent(factor: Fraction) -> int | None:
    """n where factor is 10^n, else None."""
    return next((n for n in range(-18, 19) if Fraction(10) ** n == factor), None)


def _raw(field: int, octets: bytes) -> int | float | None:
    """The number as coded. None: the meter says that it has none."""
    if field in INTEGERS:
        return int.from_bytes(octets, "little", signed=True)
    if field in BCD:
        return bcd(octets)
    if field == REAL:
        real: float = struct.unpack("<f", octets)[0]
        return real if math.isfinite(real) else None
    return None


def bcd(octets: bytes) -> int | None:
    """Decimal digits, the lowest first. F in front is a minus, another letter an error code."""
    digits = octets[::-1].hex()
    sign, digits = ("-", digits[1:]) if digits.startswith("f") else ("", digits)
    return int(sign + digits) if digits.isdecimal() else None


def _date(octets: bytes) -> Answer:
    """Type G."""
    text, right = _day(octets[0], octets[1])
    return _time_answer(text, right)


def _minute(octets: bytes) -> Answer:
    """Type F. Meters keep standard time of the place; the Z is custom, and no claim."""
    minute, hour = octets[0] & 0x3F, octets[1] & 0x1F
    if octets[0] & 0x80:
        return Answer(None, "timestamp", Quality.BAD)
    text, right = _day(octets[2], octets[3], octets[1] >> 5 & 3)
    return _time_answer(f"{text}T{hour:02}:{minute:02}:00Z", right and hour < 24 and minute < 60)


def _second(octets: bytes) -> Answer:
    """Type I."""
    second, minute, hour = octets[0] & 0x3F, octets[1] & 0x3F, octets[2] & 0x1F
    if octets[1] & 0x80:
        return Answer(None, "timestamp", Quality.BAD)
    text, right = _day(octets[3], octets[4])
    right = right and hour < 24 and minute < 60 and second < 60
    return _time_answer(f"{text}T{hour:02}:{minute:02}:{second:02}Z", right)


def _time_of_day(octets: bytes) -> Answer:
    """Type J."""
    second, minute, hour = octets[0] & 0x3F, octets[1] & 0x3F, octets[2] & 0x1F
    right = hour < 24 and minute < 60 and second < 60
    return _time_answer(f"{hour:02}:{minute:02}:{second:02}", right)


_TIME_FORMS = {2: _date, 3: _time_of_day, 4: _minute, 6: _second}
"""By the length of the data."""


def _day(low: int, high: int, hundreds: int = 0) -> tuple[str, bool]:
    """Year, month and day, and whether there is such a day. Years to 80 are after 2000."""
    day, month, year = low & 0x1F, high & 0x0F, low >> 5 | (high & 0xF0) >> 1
    century = 1900 + 100 * hundreds if hundreds or not year <= 80 else 2000
    real = year < YEAR_NONE and 1 <= month <= 12
    right = real and 1 <= day <= calendar.monthrange(century + year, month)[1]
    return f"{century + year:04}-{month:02}-{day:02}", right


def _time_answer(text: str, right: bool) -> Answer:
    return Answer(text, "timestamp", Quality.GOOD if right else Quality.BAD)
