"""SCD4x: 16-bit commands, idle and periodic measurement (Sensirion SCD4x, version 1.7, 3.4)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.base import NoAnswer
from drivers.simulated.sht3x import word
from drivers.simulated.signals import Signal, present, wander

START, START_LOW_POWER, STOP = 0x21B1, 0x21AC, 0x3F86
DATA_READY, READ, SERIAL = 0xE4B8, 0xEC05, 0x3682
SETTINGS = (0x241D, 0x2427, 0xE000, 0x2416)


class Scd4x:
    """CO2 (ppm), temperature (°C) and humidity (%) may be set at any time."""

    def __init__(
        self,
        co2: Signal | None = None,
        temperature: Signal | None = None,
        humidity: Signal | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.co2 = wander(800.0, 300.0, 50, clock) if co2 is None else co2
        self.temperature = wander(21.0, 2.0, 51, clock) if temperature is None else temperature
        self.humidity = wander(45.0, 8.0, 52, clock) if humidity is None else humidity
        self.settings: dict[int, int] = {}
        self._clock = clock
        self._period = 0.0
        self._next = 0.0
        self._deaf = 0.0
        self._answer: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._clock() < self._deaf:
            raise NoAnswer("busy with the command before")
        code = int.from_bytes(data[:2], "big")
        self._answer = b""
        if code == STOP:
            self._period = 0.0
            self._deaf = self._clock() + 0.5
        elif code == DATA_READY:
            self._answer = word(0x8006 if self._ready() else 0x8000)
        elif code == READ and self._ready():
            self._next += self._period
            t = (present(self.temperature) + 45) / 175 * 65535
            rh = present(self.humidity) / 100 * 65535
            self._answer = word(present(self.co2)) + word(t) + word(rh)
        elif self._period and code != SETTINGS[2]:
            raise NoAnswer("this command is for the idle mode")
        else:
            self._idle(code, data[2:])

    def read(self, count: int) -> bytes:
        if not self._answer:
            raise NoAnswer("nothing to read")
        answer, self._answer = self._answer, None
        return answer[:count]

    def _idle(self, code: int, rest: bytes) -> None:
        if code in (START, START_LOW_POWER):
            self._period = 5.0 if code == START else 30.0
            self._next = self._clock() + self._period
        elif code == SERIAL:
            self._answer = word(0xF896) + word(0x9F07) + word(0x3BBE)
        elif code in SETTINGS and rest == word(int.from_bytes(rest[:2], "big")):
            self.settings[code] = int.from_bytes(rest[:2], "big")
        else:
            raise NoAnswer(f"unknown command {code:04x} {rest.hex()}")

    def _ready(self) -> bool:
        return self._period > 0 and self._clock() >= self._next


CHIP = Scd4x
