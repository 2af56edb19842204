"""AHT20: a status with a busy bit in front of 20-bit values (Aosong AHT20, version 1.1)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.base import NoAnswer
from drivers.i2c.crc8 import crc8
from drivers.simulated.signals import Signal, present, wander

RESET, INITIALIZE, TRIGGER = 0xBA, 0xBE, 0xAC
BUSY, CALIBRATED = 0x80, 0x08


class Aht20:
    """Temperature (°C) and humidity (%) may be set at any time."""

    def __init__(
        self,
        temperature: Signal | None = None,
        humidity: Signal | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.temperature = wander(19.0, 3.0, 8, clock) if temperature is None else temperature
        self.humidity = wander(60.0, 10.0, 9, clock) if humidity is None else humidity
        self._clock = clock
        self._calibrated = False
        self._ready = 0.0
        self._values = bytes(5)

    def write(self, data: bytes) -> None:
        if data[0] == RESET:
            self._calibrated = False
        elif data[0] == INITIALIZE:
            self._calibrated = True
        elif data[0] == TRIGGER:
            self._ready = self._clock() + 0.075
            rh = min(2**20 - 1, round(present(self.humidity) / 100 * 2**20))
            t = round((present(self.temperature) + 50) / 200 * 2**20)
            self._values = (rh << 20 | t).to_bytes(5, "big")
        else:
            raise NoAnswer(f"unknown command {data.hex()}")

    def read(self, count: int) -> bytes:
        status = CALIBRATED if self._calibrated else 0
        status |= BUSY if self._clock() < self._ready else 0
        data = bytes([status]) + self._values
        return (data + bytes([crc8(data)]))[:count]


CHIP = Aht20
