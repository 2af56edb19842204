"""The data records of an M-Bus telegram: data and value information, and the value. Pure.

EN 13757-3:2013, 6.3 (data information block), 6.4 (value information block), annex A (coding).

    DIF DIFE ... VIF VIFE ... data

The extension bit (80) of each says whether another follows.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from drivers.serial.mbus_vif import Meaning, meaning_of

EXTENSION = 0x80
MANUFACTURER_DATA, MORE_RECORDS, FILLER = 0x0F, 0x1F, 0x2F
SPECIAL = 0x0F
INSTANTANEOUS, MAXIMUM, MINIMUM, ERROR = range(4)
"""The function field of a DIF: what was done to the value."""

EXTENSIONS_MAX = 10
TEXT_VIF = 0x7C
VIF_FB, VIF_FD = 0xFB, 0xFD

LENGTHS = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 8, 8: 0, 9: 1, 10: 2, 11: 3, 12: 4, 14: 6}
"""Bytes of data by the data field, the lower 4 bits of the DIF. 13 has a length of its own."""

REAL, INTEGER_6, BCD_8, VARIABLE = 5, 6, 12, 13
NEGATIVE_BCD = 0xD0
INTEGERS = frozenset({1, 2, 3, 4, 6, 7})
BCD = frozenset({9, 10, 11, 12, 14})


class Malformed(ValueError):
    """The record does not fit: the message says where."""


class Record(NamedTuple):
    """One data record.

    code: its data and value information in hexadecimal, what it is known by.
    modifiers: the VIFEs behind the one that says what it is.
    """

    code: str
    field: int
    function: int
    storage: int
    tariff: int
    subunit: int
    meaning: Meaning
    modifiers: tuple[int, ...]
    data: bytes


def records(data: bytes) -> list[Record]:
    """All records. Malformed when one is cut off."""
    found = []
    at = 0
    while at < len(data):
        dif = data[at]
        if dif == FILLER:
            at += 1
        elif dif & 0x0F == SPECIAL:
            found.append(_special(dif, data[at + 1 :]))
            break  # what follows is the manufacturer's own
        else:
            try:
                one, at = _record(data, at)
            except IndexError:
                raise Malformed(f"the record at {at} is cut off") from None
            found.append(one)
    return found


def _special(dif: int, rest: bytes) -> Record:
    name = "more_records" if dif == MORE_RECORDS else "manufacturer_data"
    return Record(f"{dif:02X}", SPECIAL, 0, 0, 0, 0, Meaning(name, "text"), (), rest)


def _record(data: bytes, start: int) -> tuple[Record, int]:
    dif = data[start]
    storage, tariff, subunit, at = _extended_dif(data, start)
    vif = data[at]
    text, vife_at = _text_unit(data, at)
    vifes, value_at = _extensions(data, vife_at, vif)
    code = data[start:value_at].hex().upper()
    field, octets, end = _octets(data, value_at, dif & 0x0F)
    function = dif >> 4 & 3
    meaning, modifiers = _meaning(vif, vifes)
    if text:
        meaning = _meaning_of_text(text)
    one = Record(code, field, function, storage, tariff, subunit, meaning, modifiers, octets)
    return one, end


def _extended_dif(data: bytes, at: int) -> tuple[int, int, int, int]:
    """Storage number, tariff and subunit, put together from the DIF and its extensions."""
    storage = data[at] >> 6 & 1
    tariff = subunit = count = 0
    while data[at] & EXTENSION:
        at += 1
        if count == EXTENSIONS_MAX:
            raise Malformed(f"more than {EXTENSIONS_MAX} extensions of a DIF at {at}")
        storage |= (data[at] & 0x0F) << 4 * count + 1
        tariff |= (data[at] >> 4 & 3) << 2 * count
        subunit |= (data[at] >> 6 & 1) << count
        count += 1
    return storage, tariff, subunit, at + 1


def _text_unit(data: bytes, at: int) -> tuple[str, int]:
    """The unit in words of VIF 7C or FC, last letter first, and where the VIFEs begin."""
    if data[at] & 0x7F != TEXT_VIF:
        return "", at + 1
    length = data[at + 1]
    end = at + 2 + length
    if end > len(data):
        raise IndexError
    return data[at + 2 : end][::-1].decode("latin-1"), end


def _extensions(data: bytes, at: int, vif: int) -> tuple[tuple[int, ...], int]:
    found: list[int] = []
    more = vif & EXTENSION
    while more:
        if len(found) == EXTENSIONS_MAX:
            raise Malformed(f"more than {EXTENSIONS_MAX} extensions of a VIF at {at}")
        found.append(data[at])
        more = data[at] & EXTENSION
        at += 1
    return tuple(found), at


def _meaning(vif: int, vifes: tuple[int, ...]) -> tuple[Meaning, tuple[int, ...]]:
    if vif in (VIF_FB, VIF_FD) and vifes:
        return meaning_of(vif & 0x7F, vifes[0] & 0x7F), vifes[1:]
    return meaning_of(vif & 0x7F, None), vifes


def _octets(data: bytes, at: int, field: int) -> tuple[int, bytes, int]:
    """The data field, the data, and where the next record begins."""
    if field != VARIABLE:
        length = LENGTHS[field]
    else:
        field, length, at = _variable(data[at], at + 1)
    end = at + length
    if end > len(data):
        raise IndexError
    octets = data[at:end]
    return (BCD_8, octets + b"\xf0", end) if field == NEGATIVE_BCD else (field, octets, end)


def _variable(lvar: int, at: int) -> tuple[int, int, int]:
    """LVAR: text up to BF; then positive and negative BCD, binary, by the byte."""
    if lvar <= 0xBF:
        return VARIABLE, lvar, at
    kinds = {0xC: (BCD_8, 9), 0xD: (NEGATIVE_BCD, 9), 0xE: (INTEGER_6, 15)}
    field, most = kinds.get(lvar >> 4, (0, -1))
    if lvar & 0x0F > most:
        raise Malformed(f"variable length of kind {lvar:02x} at {at}")
    return field, lvar & 0x0F, at


def _meaning_of_text(text: str) -> Meaning:
    """A unit in words; relative humidity is the only one that is common."""
    if text == "%RH":
        return Meaning("humidity", "humidity")
    return Meaning(re.sub(r"\W+", "_", text.lower()).strip("_") or "value", "count")
