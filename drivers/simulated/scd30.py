"""SCD30: commands, settings that last, floats in words (Sensirion interface description 1.0)."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from drivers.base import NoAnswer
from drivers.simulated.sht3x import word
from drivers.simulated.signals import Signal, present, wander

CONTINUOUS, INTERVAL, DATA_READY, READ = 0x0010, 0x4600, 0x0202, 0x0300
FIRMWARE, SETTINGS = 0xD100, (0x4600, 0x5306, 0x5403, 0x5102)


class Scd30:
    """CO2 (ppm), temperature (°C) and humidity (%) may be set at any time."""

    def __init__(
        self,
        co2: Signal | None = None,
        temperature: Signal | None = None,
        humidity: Signal | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.co2 = wander(750.0, 300.0, 53, clock) if co2 is None else co2
        self.temperature = wander(22.0, 2.0, 54, clock) if temperature is None else temperature
        self.humidity = wander(50.0, 8.0, 55, clock) if humidity is None else humidity
        self.settings = dict.fromkeys(SETTINGS, 0) | {INTERVAL: 2, CONTINUOUS: 0}
        self.writes = 0
        self._clock = clock
        self._next: float | None = None
        self._answer: bytes | None = None

    def write(self, data: bytes) -> None:
        code = int.from_bytes(data[:2], "big")
        self._answer = b""
        if len(data) == 5:
            if data[2:] != word(int.from_bytes(data[2:4], "big")):
                raise NoAnswer("wrong checksum")
            self._set(code, int.from_bytes(data[2:4], "big"))
        elif code == FIRMWARE:
            self._answer = word(0x0342)
        elif code in self.settings:
            self._answer = word(self.settings[code])
        elif code == DATA_READY:
            self._answer = word(1 if self._ready() else 0)
        elif code == READ:
            self._answer = self._measured()
        else:
            raise NoAnswer(f"unknown command {code:04x}")

    def read(self, count: int) -> bytes:
        if not self._answer:
            raise NoAnswer("nothing to read")
        answer, self._answer = self._answer, None
        return answer[:count]

    def _set(self, code: int, value: int) -> None:
        self.settings[code] = value
        if code == CONTINUOUS:
            self._next = self._clock() + self.settings[INTERVAL]
        else:
            self.writes += 1

    def _ready(self) -> bool:
        return self._next is not None and self._clock() >= self._next

    def _measured(self) -> bytes:
        if self._next is not None:
            self._next += self.settings[INTERVAL]
        values = (present(self.co2), present(self.temperature), present(self.humidity))
        words = struct.unpack(">6H", struct.pack(">fff", *values))
        return b"".join(word(value) for value in words)


CHIP = Scd30
