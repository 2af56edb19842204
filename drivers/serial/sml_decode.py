"""SML telegrams (Smart Message Language, push over an optical head) to readings. No I/O.

Sources: BSI TR-03109-1, annex IV part b, version 1.0 ("SML"), section 6 for the encoding and
section 8 for the transport; meters' deviations as the volkszaehler project found them (libsml
issues 59, 75, 105, 125, 136), each named where it is handled.

A telegram on the wire ("SML file", transport version 1):

    1b 1b 1b 1b  01 01 01 01   start
    76 ... 00  76 ... 00 ...   messages; 1b 1b 1b 1b within them is sent twice
    00 ...                     0 to 3 bytes to a multiple of 4
    1b 1b 1b 1b  1a NN CL CH   end: how many fill bytes, CRC of everything before CL
"""

from __future__ import annotations

from drivers.serial.crc import sml_kermit, sml_x25
from drivers.serial.framing import Found, FrameDecoder, Skip, noise
from drivers.serial.sml_message import Malformed, Message, messages
from drivers.serial.sml_values import readings

ESCAPE = b"\x1b\x1b\x1b\x1b"
VERSION_1 = b"\x01\x01\x01\x01"
START = ESCAPE + VERSION_1
END_MARK = 0x1A
FILL_MAX = 4
"""Three fill a word; DZG's DVS74 sends four where none would be needed."""

TELEGRAM_MAX = 16384
"""Ten times the longest telegram that a household meter pushes."""


class SmlDecoder(FrameDecoder):
    """Bytes of an optical head in, telegrams out: a `Decoder`.

    signed_power: give a channel `power` made of the unsigned 1-0:15.7.0 and the direction bit in
        the status word of an energy register, where the meter sends no 1-0:16.7.0.
    """

    def __init__(self, *, signed_power: bool = False) -> None:
        super().__init__(TELEGRAM_MAX)
        self._signed_power = signed_power

    def scan(self, data: bytearray, final: bool) -> Found | Skip | None:
        start = data.find(START)
        if start:
            return noise(data, start, START, final)
        end = _end_of(data)
        if end is None:
            return None
        if end < 0:
            return Skip(-end, "truncated: another telegram starts before the end", complete=True)
        try:
            return Found(end, readings(checked(bytes(data[:end])), self._signed_power))
        except Malformed as error:
            return Skip(_next_start(data, end), str(error), complete=True)


def _start_begun(data: bytes | bytearray) -> int:
    """How many of the last bytes may be the beginning of a start."""
    return next((n for n in range(len(START) - 1, 0, -1) if data.endswith(START[:n])), 0)


def _next_start(data: bytearray, end: int) -> int:
    """Where to look on after a bad telegram with that end.

    A telegram cut off within its end mark makes the next one's start look like its own bytes.
    """
    start = data.find(START, 1, end + len(START) - 1)
    return start if start > 0 else end - _start_begun(data[:end])


def _end_of(data: bytearray) -> int | None:
    """Where the telegram at 0 ends; minus the position of another start; None if neither is there.

    Escapes are looked for at every offset, not at multiples of four: a line that drops a byte
    shifts what follows. A run of more than four 1b is either a doubled escape or a data byte 1b
    before one, so after no match the search goes on one byte later.
    """
    at = data.find(ESCAPE, len(START))
    while at >= 0 and at + 8 <= len(data):
        after = data[at + 4 : at + 8]
        if after[0] == END_MARK:
            return at + 8
        if after == VERSION_1:
            return -at
        at = data.find(ESCAPE, at + (8 if after == ESCAPE else 1))
    return None


def checked(raw: bytes) -> list[Message]:
    """The messages of one whole telegram. Malformed when a check fails: the reason says which."""
    by_x25 = sml_x25(raw[:-2]) == raw[-2:]
    if not by_x25 and sml_kermit(raw[:-2]) != raw[-2:]:
        hint = "" if len(raw) % 4 == 0 else "; bytes are missing"
        raise Malformed(f"wrong checksum: {raw[-2:].hex()}, not {sml_x25(raw[:-2]).hex()}{hint}")
    fill = raw[-3]
    if fill > FILL_MAX:
        raise Malformed(f"{fill} fill bytes, more than {FILL_MAX}")
    body = raw[len(START) : -8 - fill].replace(ESCAPE + ESCAPE, ESCAPE)
    found = messages(body)
    _verify(found, by_x25)
    return found


def _verify(found: list[Message], by_x25: bool) -> None:
    """The checksums of the single messages. They keep the choice of two algorithms safe.

    For telegrams of one length the two differ by a constant, so that a single wrong bit can make
    the one of the other. Hence all messages must agree by the same algorithm, with one exception:
    where several agree by none, the outer X.25 stands alone. So it is with meters that compute them
    in a way of their own (eBZ DD3 2R06), and where an owner has masked the meter's number, which
    two messages carry. A single wrong bit spoils one message.
    """
    right = [_agreeing(one) for one in found]
    if set.intersection(*right):
        return
    others = [one for one in right if one]
    if by_x25 and len(right) - len(others) > 1 and all(sml_x25 in one for one in others):
        return
    raise Malformed(f"wrong checksum of message {right.index(min(right, key=len))}")


def _agreeing(one: Message) -> set[object]:
    sent = one.crc.to_bytes(2, "big")
    return {crc for crc in (sml_x25, sml_kermit) if crc(one.raw) == sent}
