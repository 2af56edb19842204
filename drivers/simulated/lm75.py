"""LM75 and TMP102 at register level: a temperature, and a configuration that is kept (SNOS808P)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.simulated.signals import Signal, present, wander

TEMPERATURE, CONFIGURATION = 0, 1


class Lm75:
    """Temperature (°C) may be set at any time; bits of it that mean something: 9 to 12."""

    def __init__(
        self,
        temperature: Signal | None = None,
        *,
        bits: int = 11,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.temperature = wander(40.0, 12.0, 74, clock) if temperature is None else temperature
        self.configuration = b"\x00"
        self._step = 1 << 16 - bits
        self._pointer = TEMPERATURE

    def write(self, data: bytes) -> None:
        if data:
            self._pointer = data[0]
            if self._pointer == CONFIGURATION and data[1:]:
                self.configuration = data[1:]

    def read(self, count: int) -> bytes:
        if self._pointer == CONFIGURATION:
            return self.configuration[:count].ljust(count, b"\0")
        raw = round(present(self.temperature) * 256 / self._step) * self._step & 0xFFFF
        return (raw.to_bytes(2, "big") * count)[:count]


CHIP = Lm75
