"""What an M-Bus telegram says of the meter itself; and the old fixed data structure. Pure.

EN 13757-3:2013, 5.6 (header), table 6 (medium), 5.10 (status); M-Bus documentation 4.8, 6.2.
"""

from __future__ import annotations

from drivers.base import Quality, Reading
from drivers.serial.mbus_record import Malformed
from drivers.serial.mbus_value import bcd, multiplied
from drivers.serial.mbus_vif import FIXED, Meaning

MEDIA = {
    0x00: "other", 0x01: "oil", 0x02: "electricity", 0x03: "gas", 0x04: "heat (outlet)",
    0x05: "steam", 0x06: "warm water", 0x07: "water", 0x08: "heat cost allocator",
    0x09: "compressed air", 0x0A: "cooling (outlet)", 0x0B: "cooling (inlet)", 0x0C: "heat (inlet)",
    0x0D: "heat and cooling", 0x0E: "bus", 0x0F: "unknown", 0x14: "calorific value",
    0x15: "hot water", 0x16: "cold water", 0x17: "hot and cold water", 0x18: "pressure",
    0x19: "A/D converter", 0x1A: "smoke detector", 0x1B: "room sensor", 0x1C: "gas detector",
    0x20: "breaker (electricity)", 0x21: "valve", 0x28: "waste water", 0x29: "garbage",
}  # fmt: skip

FIXED_MEDIA = {
    0x0: "other", 0x1: "oil", 0x2: "electricity", 0x3: "gas", 0x4: "heat", 0x5: "steam",
    0x6: "hot water", 0x7: "water", 0x8: "heat cost allocator",
}  # fmt: skip

LONG_HEADER, SHORT_HEADER, FIXED_LENGTH = 12, 4, 16

FIXED_BINARY = 0x01
FIXED_STORED = 0x02
FIXED_HISTORIC = 0x3E
"""Unit of the second counter: that of the first, at a past date."""


def header_readings(header: bytes) -> tuple[Reading, ...]:
    """Identification, manufacturer, version, medium, access number, status, signature."""
    if len(header) == SHORT_HEADER:
        return (_status(header[1]),)
    if len(header) != LONG_HEADER:
        return ()
    return (
        _device_id(header[:4]),
        Reading("manufacturer", manufacturer(header[4:6]), code="manufacturer"),
        Reading("medium", MEDIA.get(header[7], f"{header[7]:02x}"), code="medium"),
        _status(header[9]),
    )


def manufacturer(octets: bytes) -> str:
    """The three letters of the FLAG association, five bits each."""
    packed = int.from_bytes(octets, "little")
    return "".join(chr(64 + (packed >> shift & 0x1F)) for shift in (10, 5, 0))


def _device_id(octets: bytes) -> Reading:
    return Reading("device_id", octets[::-1].hex().upper(), code="device_id")


def _status(status: int) -> Reading:
    """0: all well. Bits 0 and 1: busy, error, abnormal; 2: battery low; 3 and 4: a fault."""
    return Reading("status", status, code="status")


def fixed_readings(data: bytes, msb_first: bool) -> tuple[Reading, ...]:
    """Identification, access number, status, two bytes of medium and units, two counters."""
    if len(data) != FIXED_LENGTH:
        raise Malformed(f"a fixed structure of {len(data)} bytes, not {FIXED_LENGTH}")
    status, units = data[5], (data[6] & 0x3F, data[7] & 0x3F)
    medium = data[6] >> 6 | data[7] >> 6 << 2
    first, second = FIXED.get(units[0]), FIXED.get(units[1])
    counters = [data[8:12], data[12:16]]
    identity = data[:4]
    if msb_first:
        counters, identity = [one[::-1] for one in counters], identity[::-1]
    stored = "_s1" if status & FIXED_STORED else ""
    if units[1] == FIXED_HISTORIC:
        found = [(first, stored), (first, "_s2" if stored else "_s1")]
    else:
        found = [(first, stored), (second, stored + ("_2" if second is first else ""))]
    return (
        *(
            _counter(f"counter_{n}", octets, status & FIXED_BINARY, meaning, suffix)
            for n, octets, (meaning, suffix) in zip((1, 2), counters, found, strict=True)
        ),
        _device_id(identity),
        Reading("medium", FIXED_MEDIA.get(medium, f"{medium:x}"), code="medium"),
        _status(status),
    )


def _counter(
    code: str, octets: bytes, binary: int, meaning: Meaning | None, suffix: str
) -> Reading:
    raw = int.from_bytes(octets, "little") if binary else bcd(octets)
    quality = Quality.BAD if raw is None else Quality.GOOD
    if meaning is None:
        return Reading(code, raw, quality, code, "count")
    value = None if raw is None else multiplied(raw, meaning.factor)
    return Reading(meaning.name + suffix, value, quality, code, meaning.quantity)
