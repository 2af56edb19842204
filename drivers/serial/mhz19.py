"""MH-Z19, MH-Z19B, MH-Z19C and MH-Z16: carbon dioxide, by infrared.

Winsen MH-Z19B user's manual V1.5, table 6: command 0x86; checksum as in its "checksum calculation
method": the negated sum of the seven bytes behind the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from drivers.base import (
    Channel,
    Corrupt,
    CorruptData,
    NoAnswer,
    Option,
    Reading,
    SerialPort,
    Telegram,
)
from drivers.serial.framing import Found, FrameDecoder, Skip
from drivers.serial.stream import line_settings

START, READ_CO2, SENSOR = 0xFF, 0x86, 0x01
AUTOMATIC_CALIBRATION, ON, OFF = 0x79, 0xA0, 0x00
LENGTH = 9
CAP = 64
ANSWER_S = 1.0
TEMPERATURE_OFFSET = 40
"""Of the fifth byte, which the manual calls reserved: the sensor's own temperature, °C."""

LINE = line_settings("9600 8N1")

CO2 = Channel("co2", "co2", digits=0)
TEMPERATURE = Channel("temperature", "temperature", digits=0)
CHANNELS: tuple[Channel, ...] = (CO2, TEMPERATURE)


def checksum(frame: bytes | bytearray) -> int:
    return -sum(frame[1:8]) & 0xFF


def command(code: int, value: int = 0) -> bytes:
    frame = bytes([START, SENSOR, code, value, 0, 0, 0, 0])
    return frame + bytes([checksum(frame)])


class MhzDecoder(FrameDecoder):
    """Answers to the command that reads; others, and the command itself, are passed over."""

    def __init__(self) -> None:
        super().__init__(CAP)

    def scan(self, data: bytearray, final: bool) -> Found | Skip | None:
        start = data.find(START)
        if start:
            return Skip(start if start > 0 else len(data))
        if len(data) < LENGTH:
            return None if len(data) < 2 or data[1] == READ_CO2 else Skip(1)
        if data[1] != READ_CO2:
            return Skip(1)
        if checksum(data) != data[8]:
            return Skip(1, "wrong checksum")
        return Found(LENGTH, decode(bytes(data[:LENGTH])))


def decode(frame: bytes) -> tuple[Reading, ...]:
    return (
        Reading(CO2.name, int.from_bytes(frame[2:4], "big")),
        Reading(TEMPERATURE.name, frame[4] - TEMPERATURE_OFFSET),
    )


DECODER = MhzDecoder


class Mhz19:
    """One sensor on a port of its own.

    It warms up for one to three minutes, and says 400 or 410 ppm meanwhile.
    """

    def __init__(
        self,
        port: SerialPort,
        *,
        calibrate: Annotated[
            bool,
            Option(
                "takes the lowest value of a day for 400 ppm: not where somebody always breathes"
            ),
        ] = True,
        temperature: Annotated[bool, Option("also the sensor's own temperature")] = False,
    ) -> None:
        self._port = port
        self._calibrate = calibrate
        self.channels: Sequence[Channel] = CHANNELS if temperature else (CO2,)

    def start(self) -> None:
        self._port.open(LINE)
        self._port.write(command(AUTOMATIC_CALIBRATION, ON if self._calibrate else OFF))

    def read(self) -> Sequence[Reading]:
        self._port.discard()
        self._port.write(command(READ_CO2))
        heard = self._port.read(LENGTH, ANSWER_S)
        if not heard:
            raise NoAnswer("the sensor does not answer; are RX and TX crossed?")
        decoder = MhzDecoder()
        for one in [*decoder.feed(heard), *decoder.close()]:
            if isinstance(one, Telegram):
                return one.readings[: len(self.channels)]
            if isinstance(one, Corrupt) and one.length == len(heard):
                raise CorruptData(f"{one.reason}: {heard.hex(' ')}")
        raise CorruptData(f"no answer but {heard.hex(' ')}")

    def close(self) -> None:
        """Nothing to do: the port is the bus's."""


DRIVER = Mhz19
