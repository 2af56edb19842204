"""TFmini, TFmini Plus, TFmini-S, TF-Luna: distance by light, for levels and doors.

Benewake TFmini-S manual A05, 4.1: 59 59, distance (cm), strength, temperature, the low byte first,
and the sum of the eight bytes before it. 115200 8N1, 100 frames a second as delivered.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from drivers.base import Channel, Option, Quality, Reading, SerialPort
from drivers.serial.framing import Found, FrameDecoder, Skip, noise
from drivers.serial.stream import StreamMeter, line_settings

START = b"\x59\x59"
LENGTH = 9
CAP = 256
WEAKEST = 100
SATURATED = 0xFFFF

DISTANCE = Channel("distance", "distance", digits=2)
STRENGTH = Channel("strength", "count", digits=0)
TEMPERATURE = Channel("temperature", "temperature", digits=1)
CHANNELS: tuple[Channel, ...] = (DISTANCE, STRENGTH, TEMPERATURE)


class TfminiDecoder(FrameDecoder):
    """temperature: the sensor sends one; the first TFmini has other things in its place."""

    def __init__(self, *, temperature: bool = True) -> None:
        super().__init__(CAP)
        self._temperature = temperature

    def scan(self, data: bytearray, final: bool) -> Found | Skip | None:
        start = data.find(START)
        if start:
            return noise(data, start, START, final)
        if len(data) < LENGTH:
            return None
        if sum(data[:8]) & 0xFF != data[8]:
            return Skip(1, "wrong checksum")
        return Found(LENGTH, self._readings(bytes(data[:LENGTH])))

    def _readings(self, frame: bytes) -> tuple[Reading, ...]:
        distance, strength, heat = (
            int.from_bytes(frame[at : at + 2], "little") for at in (2, 4, 6)
        )
        if strength < WEAKEST or strength == SATURATED:
            first = Reading(DISTANCE.name, None, Quality.BAD)
        else:
            first = Reading(DISTANCE.name, distance / 100)
        found = (first, Reading(STRENGTH.name, strength))
        return (*found, Reading(TEMPERATURE.name, heat / 8 - 256)) if self._temperature else found


DECODER = TfminiDecoder


class Tfmini(StreamMeter):
    """One sensor on a port of its own. It is looked at five times a second, not at each frame."""

    def __init__(
        self,
        port: SerialPort,
        *,
        temperature: Annotated[bool, Option("false for the first TFmini, which has none")] = True,
        silence: Annotated[
            float, Option("offline without a telegram for so long", "s", low=1)
        ] = 5.0,
    ) -> None:
        channels = CHANNELS if temperature else CHANNELS[:2]
        decoder = partial(TfminiDecoder, temperature=temperature)
        super().__init__(port, line_settings("115200 8N1"), decoder, channels, silence)

    def fileno(self) -> None:
        """None: the worker polls, instead of waking for each of 100 frames a second."""


DRIVER = Tfmini
