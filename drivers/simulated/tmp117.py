"""TMP117 at register level: one-shot conversions (TI SNOSD82D, 7.6)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.simulated.signals import Signal, present, wander
from drivers.simulated.words import Words

TEMP_RESULT, CONFIGURATION, DEVICE_ID = 0x00, 0x01, 0x0F
ONE_SHOT, DATA_READY = 0x0C00, 0x2000
NOT_MEASURED = 0x8000


class Tmp117(Words):
    """Temperature (°C) may be set at any time."""

    def __init__(
        self, temperature: Signal | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__({TEMP_RESULT: NOT_MEASURED, CONFIGURATION: 0x0220, DEVICE_ID: 0x0117})
        self.temperature = wander(21.0, 2.0, 73, clock) if temperature is None else temperature
        self._clock = clock
        self._ready: float | None = None

    def written(self, register: int, value: int) -> None:
        super().written(register, value & ~DATA_READY if register == CONFIGURATION else value)
        if register == CONFIGURATION and value & ONE_SHOT == ONE_SHOT:
            self._ready = self._clock() + 0.1245

    def value(self, register: int) -> int:
        if self._ready is not None and self._clock() >= self._ready:
            self._ready = None
            self.registers[TEMP_RESULT] = round(present(self.temperature) * 128) & 0xFFFF
            self.registers[CONFIGURATION] |= DATA_READY
        found = super().value(register)
        if register == TEMP_RESULT:
            self.registers[CONFIGURATION] &= ~DATA_READY
        return found


CHIP = Tmp117
