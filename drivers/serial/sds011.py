"""SDS011, SDS018, SDS021: particulate matter, by laser, which speak by themselves.

Nova Fitness, Laser Dust Sensor Control Protocol V1.3: AA C0, PM2.5, PM10, id, sum of the six bytes
of data, AB; values in tenths, the low byte first. 9600 8N1, once a second in active mode.
"""

from __future__ import annotations

from typing import Annotated

from drivers.base import Channel, Option, Reading, SerialPort
from drivers.serial.framing import Found, FrameDecoder, Skip, noise
from drivers.serial.stream import StreamMeter, line_settings

START, END = b"\xaa\xc0", 0xAB
LENGTH = 10
CAP = 64

CHANNELS: tuple[Channel, ...] = (
    Channel("pm2_5", "particulate_matter", digits=1),
    Channel("pm10", "particulate_matter", digits=1),
    Channel("device_id", "identity"),
)


class SdsDecoder(FrameDecoder):
    """Bytes of the sensor in, telegrams out: a `Decoder`."""

    def __init__(self) -> None:
        super().__init__(CAP)

    def scan(self, data: bytearray, final: bool) -> Found | Skip | None:
        start = data.find(START)
        if start:
            return noise(data, start, START, final)
        if len(data) < LENGTH:
            return None
        if data[9] != END or sum(data[2:8]) & 0xFF != data[8]:
            return Skip(1, "wrong checksum or end")
        return Found(LENGTH, _readings(bytes(data[:LENGTH])))


def _readings(frame: bytes) -> tuple[Reading, ...]:
    fine, coarse = (int.from_bytes(frame[at : at + 2], "little") for at in (2, 4))
    return (
        Reading("pm2_5", fine / 10),
        Reading("pm10", coarse / 10),
        Reading("device_id", frame[6:8].hex()),
    )


DECODER = SdsDecoder


class Sds011(StreamMeter):
    """One sensor on a port of its own.

    silence: longer than the sensor's working period, where it is set to sleep in between.
    """

    def __init__(
        self,
        port: SerialPort,
        *,
        silence: Annotated[
            float, Option("offline without a telegram for so long", "s", low=1)
        ] = 15.0,
    ) -> None:
        super().__init__(port, line_settings("9600 8N1"), SdsDecoder, CHANNELS, silence)


DRIVER = Sds011
