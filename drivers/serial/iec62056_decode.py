"""Telegrams in text form: IEC 62056-21 readouts (D0) and DSMR P1, which grew out of them. No I/O.

IEC 62056-21:2002, 6.3; DSMR P1 Companion Standard 5.0.2, 6.2.

    /FLU5\\253769484_A CR LF        identification: maker, speed, type
    CR LF                          P1 and mode D; mode A to C have STX here instead
    1-0:1.8.1(000000.034*kWh) CR LF
    ...
    !3AD7 CR LF                    P1 from 4.0 on has the CRC of all before it, from / to !
    ETX BCC                        if there was an STX: XOR of all bytes behind it, with ETX

A telegram with neither CRC nor BCC is as good as the line's parity. Where a line of 7E1 was read as
8N1 the parity is still in the bytes: it is checked and taken off here.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import xor

from drivers.serial.crc import arc, x25
from drivers.serial.framing import Found, FrameDecoder, Skip
from drivers.serial.iec62056_data import DataSet, Malformed, data_sets, readings

IDENTIFICATION = re.compile(rb"/([A-Za-z]{3})([^\r\n/!\x00\x7f-\xff]{1,24})\r?\n")
ACKNOWLEDGEMENT = re.compile(rb"\x06[^\r\n]{3}\r\n")
END = re.compile(rb"!([0-9A-Fa-f]{0,4})(\r?\n)?")
END_BCC = re.compile(rb"!\r?\n\x03([\x00-\x7f])")
ENDS_OF_TEXT = (b"!\r\n", b"!\n", b"!\r\n\x03")
"""What a file ends with that somebody kept as text: the whole readout, without its BCC."""

IDENTIFICATION_MAX = 32
TELEGRAM_MAX = 16384
"""A full readout of a commercial meter has some 8 kB."""

VERSION_WITH_CRC = 40
"""1-3:0.2.8: DSMR 4.0 and later end in a CRC. 0-0:96.1.4 is Fluvius's, which always do."""

X25_MAKERS = frozenset({b"HLY"})
"""Holley's DTSD545 takes the CRC of HDLC where P1 says ARC (dsmr_parser issue 91)."""

IDENTIFYING = bytes(set(range(1, 0x7F)) - set(b"\n/!"))
START = b"/"
START_WITH_PARITY = b"\xaf"
WITHOUT_PARITY = bytes(byte & 0x7F if byte.bit_count() % 2 == 0 else 0xFF for byte in range(256))
"""What a byte of 7E1 means that was read as 8N1; FF where its parity is wrong."""

PRINTABLE = bytes(range(0x20, 0x7F)) + b"\t\r\n"


class Iec62056Decoder(FrameDecoder):
    """Text telegrams in, readings out: a `Decoder`."""

    def __init__(self) -> None:
        super().__init__(TELEGRAM_MAX)

    def scan(self, data: bytearray, final: bool) -> Found | Skip | None:
        if data[0] == START_WITH_PARITY[0]:
            data = data.translate(WITHOUT_PARITY)
        elif data[0] != START[0]:
            starts = (data.find(START), data.find(START_WITH_PARITY))
            return Skip(min((at for at in starts if at > 0), default=len(data)))
        head = IDENTIFICATION.match(data)
        if head is None:
            begun = len(data) < IDENTIFICATION_MAX and not data[1:].strip(IDENTIFYING)
            return None if begun else Skip(1)
        try:
            return _telegram(data, head, final)
        except Malformed as error:
            # Another telegram may have begun inside this one, whose end was lost.
            return Skip(1, str(error))


def _telegram(data: bytearray, head: re.Match[bytes], final: bool) -> Found | None:
    at = head.end()
    if data[at : at + 1] == b"\x06":  # the echo of our acknowledgement, in mode C
        echo = ACKNOWLEDGEMENT.match(data, at)
        if echo is None and len(data) < at + 6:
            return None
        at = echo.end() if echo else at
    with_bcc = data[at : at + 1] == b"\x02"
    end = data.find(b"!", at)
    body = data[at + with_bcc : end if end >= 0 else len(data)]
    if body.translate(None, PRINTABLE) or b"\n/" in body:
        raise Malformed("bytes that are no text, or another telegram, before the end")
    if end < 0:
        return None
    if with_bcc:
        return _with_bcc(data, at + 1, end, body, final)
    return _with_crc(data, head[1], end, body, final)


def _with_bcc(data: bytearray, start: int, end: int, body: bytearray, final: bool) -> Found | None:
    match = END_BCC.match(data, end)
    if match is None:
        if final and data[end:] in ENDS_OF_TEXT:
            return Found(len(data), readings(_sets(body)))
        if b"!\r\n\x03".startswith(data[end:]) or data[end:] == b"!\n":
            return None
        raise Malformed("no ETX and BCC behind the end of data")
    bcc = reduce(xor, data[start : match.end() - 1], 0)
    if bcc != match[1][0]:
        raise Malformed(f"wrong BCC: {match[1][0]:02x}, not {bcc:02x}")
    return Found(match.end(), readings(_sets(body)))


def _with_crc(
    data: bytearray, maker: bytes, end: int, body: bytearray, final: bool
) -> Found | None:
    match = END.match(data, end)
    assert match is not None  # "!" is enough for it
    digits, line_end = match.groups()
    if line_end is None:
        if match.end() == len(data) or data[match.end() :] == b"\r":
            if not (final and digits):
                return None
        else:
            raise Malformed(f"no checksum behind the end: {bytes(data[end : end + 6])!r}")
    sets = _sets(body)
    if digits:
        right = (x25 if maker in X25_MAKERS else arc)(_as_sent(data[: end + 1]))
        if int(digits, 16) != right:
            raise Malformed(f"wrong checksum: {digits.decode()}, not {right:04X}")
    elif _has_crc(sets):
        raise Malformed("no checksum, where this version of P1 has one")
    return Found(match.end(), readings(sets))


def _as_sent(telegram: bytearray) -> bytearray:
    """With the meter's line ends, where a file or a serial server has made LF of all of them."""
    return telegram if b"\r" in telegram else telegram.replace(b"\n", b"\r\n")


def _sets(body: bytearray) -> list[DataSet]:
    sets = data_sets(body.decode("ascii"))
    if not sets:
        raise Malformed("a telegram without data")
    return sets


def _has_crc(sets: list[DataSet]) -> bool:
    for code, (first, *_) in sets:
        if code == "0-0:96.1.4":
            return True
        if code == "1-3:0.2.8" and first.isdecimal():
            return int(first) >= VERSION_WITH_CRC
    return False
