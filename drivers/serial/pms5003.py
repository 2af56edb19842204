"""PMS5003, PMS7003, PMSA003, PMS3003: particulate matter, by laser, which speak by themselves.

Plantower PMS5003 data manual V2.3, appendix I: 42 4D, a length, words with the high byte first, and
the sum of all bytes before it. 9600 8N1; once a second in clean air, more often when it changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from drivers.base import Channel, Option, Reading, SerialPort
from drivers.serial.framing import Found, FrameDecoder, Skip, noise
from drivers.serial.stream import StreamMeter, line_settings

START = b"\x42\x4d"
LENGTHS = (28, 20)
"""Of what follows the length: PMS5003 and kin; PMS3003."""

CAP = 256

_MASSES = ("pm1", "pm2_5", "pm10")
_SIZES = ("0_3", "0_5", "1", "2_5", "5", "10")
CHANNELS: tuple[Channel, ...] = (
    *(Channel(name, "particulate_matter", digits=0) for name in _MASSES),
    *(Channel(f"particles_{size}um", "count", digits=0) for size in _SIZES),
)


class PmsDecoder(FrameDecoder):
    """Masses "under atmospheric environment"; particles are those above a size in 0.1 l of air."""

    def __init__(self) -> None:
        super().__init__(CAP)

    def scan(self, data: bytearray, final: bool) -> Found | Skip | None:
        start = data.find(START)
        if start:
            return noise(data, start, START, final)
        if len(data) < 4:
            return None
        length = int.from_bytes(data[2:4], "big")
        if length not in LENGTHS:
            return Skip(1, f"a length of {length}")
        if len(data) < 4 + length:
            return None
        frame = bytes(data[: 4 + length])
        if sum(frame[:-2]) != int.from_bytes(frame[-2:], "big"):
            return Skip(1, "wrong checksum")
        return Found(len(frame), tuple(_readings(frame)))


def _readings(frame: bytes) -> list[Reading]:
    words = [int.from_bytes(frame[at : at + 2], "big") for at in range(4, len(frame) - 2, 2)]
    values = words[3:6] + (words[6:12] if len(words) > 10 else [])
    return [Reading(one.name, value) for one, value in zip(CHANNELS, values, strict=False)]


DECODER = PmsDecoder


class Pms5003(StreamMeter):
    """One sensor on a port of its own."""

    def __init__(
        self,
        port: SerialPort,
        *,
        silence: Annotated[
            float, Option("offline without a telegram for so long", "s", low=1)
        ] = 15.0,
    ) -> None:
        channels: Sequence[Channel] = CHANNELS
        super().__init__(port, line_settings("9600 8N1"), PmsDecoder, channels, silence)


DRIVER = Pms5003
