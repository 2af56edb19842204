"""M-Bus telegrams of wired meters to readings. No I/O.

EN 13757-2 (FT 1.2 frames), EN 13757-3:2013; M-Bus documentation 4.8, section 6 for the fixed
structure. A long frame on the wire:

    68 LL LL 68     start, length twice
    C A CI          control, address, what follows
    ...
    CS 16           sum of C to the last byte before, stop
"""

from __future__ import annotations

from typing import NamedTuple

from drivers.base import Quality, Reading
from drivers.serial.framing import Found, FrameDecoder, Skip
from drivers.serial.mbus_header import LONG_HEADER, SHORT_HEADER, fixed_readings, header_readings
from drivers.serial.mbus_name import named
from drivers.serial.mbus_record import Malformed, records
from drivers.serial.mbus_value import value_of

START_LONG, STOP = 0x68, 0x16
MASTER = 0x40
"""Of the control field: the frame goes from the master to the meter."""

CI_ERROR, CI_ALARM = 0x70, 0x71
CI_VARIABLE, CI_FIXED, CI_SHORT_HEADER, CI_NO_HEADER = 0x72, 0x73, 0x7A, 0x78
CI_FIXED_MSB = 0x77
HEADER_LENGTHS = {CI_VARIABLE: LONG_HEADER, CI_SHORT_HEADER: SHORT_HEADER, CI_NO_HEADER: 0}

STREAM_MAX = 2048

APPLICATION_ERRORS = (
    "unspecified", "CI not implemented", "buffer too long", "too many records",
    "premature end of record", "more than 10 DIFE", "more than 10 VIFE", "reserved",
    "application too busy", "too many readouts",
)  # fmt: skip
"""EN 13757-3, 8: what a meter answers when it cannot do what was asked."""


class Frame(NamedTuple):
    """A long frame whose checks passed."""

    control: int
    address: int
    ci: int
    data: bytes


def long_frame(data: bytes | bytearray) -> tuple[Frame | None, int]:
    """The frame that data begins with, and its length. Malformed if it is none.

    None, and how many bytes it needs, where more must come.
    """
    if len(data) < 4:
        return None, 4
    length = data[1]
    if data[3] != START_LONG or length != data[2] or length < 3:
        raise Malformed("no frame: the start is not 68 LL LL 68")
    total = length + 6
    if len(data) < total:
        return None, total
    content = bytes(data[4 : total - 2])
    if data[total - 1] != STOP:
        raise Malformed(f"no stop byte: {data[total - 1]:02x}, not 16")
    if sum(content) & 0xFF != data[total - 2]:
        raise Malformed(f"wrong checksum: {data[total - 2]:02x}, not {sum(content) & 0xFF:02x}")
    return Frame(content[0], content[1], content[2], content[3:]), total


class MbusDecoder(FrameDecoder):
    """What meters answer on an M-Bus in, readings out: a `Decoder`."""

    def __init__(self) -> None:
        super().__init__(STREAM_MAX)

    def scan(self, data: bytearray, final: bool) -> Found | Skip | None:
        start = data.find(START_LONG)
        if start != 0:
            return Skip(start if start > 0 else len(data))
        try:
            frame, length = long_frame(data)
        except Malformed as error:
            return Skip(1, str(error))
        if frame is None:
            return None
        try:
            return Found(length, readings_of(frame))
        except Malformed as error:
            return Skip(length, str(error), complete=True)


def readings_of(frame: Frame) -> tuple[Reading, ...]:
    """Every record of a meter's answer in its order; then who the meter is, and its status."""
    if frame.control & MASTER:
        raise Malformed("a frame of the master")
    if frame.ci in (CI_FIXED, CI_FIXED_MSB):
        return fixed_readings(frame.data, msb_first=frame.ci == CI_FIXED_MSB)
    if frame.ci in HEADER_LENGTHS:
        return _variable(frame.data, HEADER_LENGTHS[frame.ci])
    if frame.ci == CI_ERROR:
        code = frame.data[0] if frame.data else 0
        text = APPLICATION_ERRORS[code] if code < len(APPLICATION_ERRORS) else f"{code:02x}"
        return (Reading("application_error", text, Quality.BAD, "application_error"),)
    if frame.ci == CI_ALARM:
        return (Reading("alarm", frame.data[0] if frame.data else 0, code="alarm"),)
    raise Malformed(f"data of kind {frame.ci:02x}, which is not known")


def _variable(data: bytes, header_length: int) -> tuple[Reading, ...]:
    header = data[:header_length]
    if len(header) < header_length:
        raise Malformed("the header is cut off")
    found = [(one, value_of(one)) for one in records(data[header_length:])]
    return (*named(found), *header_readings(header))
