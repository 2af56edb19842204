"""The frames that carry DLMS from a meter to its customer: HDLC, or wired M-Bus. No I/O.

DLMS UA 1000-2 (Green Book), 8.4 (HDLC, frame format type 3); EN 13757-3:2018, 10 (transport layer
of DLMS over M-Bus: segments in the CI field). Both cut long messages into segments.

    7E  AL LL  dest src control  HCS  information  FCS  7E
    68 L L 68  53 FF  CI STSAP DTSAP  data  sum  16
"""

from __future__ import annotations

from typing import NamedTuple

from drivers.serial.crc import x25

FLAG = 0x7E
FORMAT_3, SEGMENTED = 0xA0, 0x08
LLC = b"\xe6\xe7\x00"
ADDRESS_MAX = 4

MBUS_START, MBUS_STOP = 0x68, 0x16
MBUS_HEAD = 4
MBUS_CI_AT, MBUS_DATA_AT = 6, 9
MBUS_CI_LAST, MBUS_CI_NUMBER = 0x10, 0x0F
MBUS_CI_KINDS = 0xE0


class Bad(ValueError):
    """Not a frame, or a damaged one; the message says why."""


class Frame(NamedTuple):
    """length: bytes of it; number: of the segment, from 0; last: no further segment follows."""

    length: int
    data: bytes
    number: int
    last: bool


def hdlc_frame(data: bytes | bytearray, at: int, number: int) -> Frame | None:
    """The frame whose format field is at `at`, behind the flag; up to before its closing flag.

    None: it takes more bytes to say. number: of the segment that is expected. Bad.
    """
    if at + 2 > len(data):
        return None
    if data[at] & 0xF0 != FORMAT_3:
        raise Bad("no HDLC frame")
    length = int.from_bytes(data[at : at + 2], "big") & 0x07FF
    control = _control(data, at + 2)
    if control is None:
        return None
    head = control + 1
    if length < head - at + 2:
        raise Bad(f"an HDLC frame of {length} bytes")
    has_content = length > head - at + 2
    if has_content and len(data) >= head + 2 and not _agrees(data, at, head):
        raise Bad("wrong checksum of an HDLC header")
    end = at + length
    if len(data) <= end:
        return None
    if data[end] != FLAG:
        raise Bad("an HDLC frame without a closing flag")
    if not _agrees(data, at, end - 2):
        raise Bad("wrong checksum of an HDLC frame")
    content = bytes(data[head + 2 : end - 2]) if has_content else b""
    return Frame(length, content, number, not data[at] & SEGMENTED)


def _control(data: bytes | bytearray, at: int) -> int | None:
    """Where the control field is, behind two addresses whose last byte is odd."""
    for _ in range(2):
        for end in range(at, at + ADDRESS_MAX):
            if end >= len(data):
                return None
            if data[end] & 1:
                at = end + 1
                break
        else:
            raise Bad("an HDLC address without an end")
    return at if at < len(data) else None


def _agrees(data: bytes | bytearray, start: int, end: int) -> bool:
    return x25(data[start:end]) == int.from_bytes(data[end : end + 2], "little")


def mbus_frame(data: bytes | bytearray, at: int) -> Frame | None:
    """The M-Bus frame at `at`; None: it takes more bytes to say. Bad."""
    head = data[at : at + MBUS_HEAD]
    if head[0] != MBUS_START or (len(head) == MBUS_HEAD and head[3] != MBUS_START):
        raise Bad("no M-Bus frame")
    if len(head) < MBUS_HEAD:
        return None
    if head[1] != head[2] or head[1] < MBUS_DATA_AT - MBUS_HEAD:
        raise Bad("an M-Bus frame whose lengths differ")
    end = at + MBUS_HEAD + head[1]
    if len(data) < end + 2:
        return None
    if data[end + 1] != MBUS_STOP or sum(data[at + MBUS_HEAD : end]) & 0xFF != data[end]:
        raise Bad("wrong checksum of an M-Bus frame")
    kind = data[at + MBUS_CI_AT]
    if kind & MBUS_CI_KINDS:
        raise Bad(f"an M-Bus frame of another kind, CI {kind:02X}")
    content = bytes(data[at + MBUS_DATA_AT : end])
    return Frame(end + 2 - at, content, kind & MBUS_CI_NUMBER, bool(kind & MBUS_CI_LAST))
