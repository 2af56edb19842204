"""The master's side of an M-Bus line: requests, and waiting for what comes back.

EN 13757-2, 5.7 (times: a meter answers within 330 bit times and 50 ms) and EN 60870-5-2 (frame
count bit); EN 13757-7, 6 (secondary addresses).
"""

from __future__ import annotations

from collections.abc import Generator

from drivers.base import CorruptData, LineSettings, NoAnswer, SerialPort
from drivers.serial.mbus_decode import Frame, long_frame
from drivers.serial.mbus_record import Malformed

ACKNOWLEDGE = b"\xe5"
SND_NKE, REQ_UD2, SND_UD = 0x40, 0x5B, 0x53
FCB = 0x20
CI_SELECT = 0x52
SELECTED = 0xFD
"""The network layer's address: whoever was selected by its secondary address."""

POLL_S = 0.02
ANSWER_BITS, ANSWER_S = 330, 0.05
GAP_S = 0.1
"""No byte for so long ends an answer: 22 bit times at 300 baud, and the poll."""
MARGIN_S = 0.15
"""For adapters, and for a worker that serves other devices meanwhile."""


def short_frame(control: int, address: int) -> bytes:
    return bytes([0x10, control, address, control + address & 0xFF, 0x16])


def select_frame(mask: str) -> bytes:
    """Selects by secondary address: 8 digits of identification, then manufacturer, version, medium.

    In hexadecimal as printed on the meter; F stands for any digit, FF for any byte. Just the 8
    digits will do.
    """
    octets = bytes.fromhex(mask.ljust(16, "F"))
    content = bytes([SND_UD, SELECTED, CI_SELECT]) + octets[3::-1] + octets[5:3:-1] + octets[6:]
    return bytes([0x68, 11, 11, 0x68]) + content + bytes([sum(content) & 0xFF, 0x16])


class Link:
    """Exchanges on an open port. Every method is a generator of waits."""

    def __init__(self, port: SerialPort, line: LineSettings) -> None:
        self._port = port
        self._line = line

    def reset(self, address: int) -> Generator[float, None, bool]:
        """Begin anew with the first telegram and the frame count bit. Was it acknowledged?"""
        return (yield from self._ask(short_frame(SND_NKE, address))) == ACKNOWLEDGE

    def select(self, mask: str) -> Generator[float, None, bytes]:
        """What came back: nothing, an acknowledgement, or several at once in a heap."""
        yield from self._ask(short_frame(SND_NKE, SELECTED))
        return (yield from self._ask(select_frame(mask)))

    def data(self, address: int, fcb: bool) -> Generator[float, None, Frame]:
        """One telegram. NoAnswer, CorruptData."""
        control = REQ_UD2 | (FCB if fcb else 0)
        heard = yield from self._ask(short_frame(control, address))
        if not heard:
            raise NoAnswer(f"M-Bus address {address} does not answer")
        try:
            frame, length = long_frame(heard)
        except Malformed as error:
            raise CorruptData(str(error)) from error
        if frame is None:
            raise CorruptData(f"the answer is cut off: {len(heard)} bytes of {length}")
        return frame

    def _ask(self, request: bytes) -> Generator[float, None, bytes]:
        self._port.discard()
        self._port.write(request)
        baud = self._line.baudrate
        patience = (len(request) * 11 + ANSWER_BITS) / baud + ANSWER_S + MARGIN_S
        heard, silent = b"", 0.0
        while silent < patience:
            yield POLL_S
            more = self._port.receive()
            heard, silent = heard + more, 0.0 if more else silent + POLL_S
            answer = heard.removeprefix(request)  # many level converters echo
            if answer:
                if _is_whole(answer):
                    break
                patience = GAP_S + 33 / baud
        return heard.removeprefix(request)


def _is_whole(answer: bytes) -> bool:
    try:
        return long_frame(answer)[0] is not None
    except Malformed:
        return False
