"""INA226 at register level (TI SBOS547B, 7.6)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.simulated.signals import Signal, present, wander
from drivers.simulated.words import Words

CONFIGURATION, SHUNT, BUS, MASK_ENABLE = 0, 1, 2, 6
MANUFACTURER_ID, DIE_ID = 0xFE, 0xFF
AVERAGES = (1, 4, 16, 64, 128, 256, 512, 1024)


class Ina226(Words):
    """Voltage (V) and current (A) through `ohm` may be set at any time."""

    def __init__(
        self,
        voltage: Signal | None = None,
        current: Signal | None = None,
        *,
        ohm: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__({CONFIGURATION: 0x4127, MANUFACTURER_ID: 0x5449, DIE_ID: 0x2260})
        self.voltage = wander(24.1, 0.5, 26, clock) if voltage is None else voltage
        self.current = wander(0.3, 0.4, 27, clock) if current is None else current
        self._ohm = ohm
        self._clock = clock
        self._ready: float | None = None

    def written(self, register: int, value: int) -> None:
        if register == CONFIGURATION and value & 0x8000:
            value = 0x4127
        super().written(register, value)
        if register == CONFIGURATION:
            self._ready = self._clock() + 2 * 1.1e-3 * AVERAGES[value >> 9 & 0b111]
            shunt = round(present(self.current) * self._ohm / 2.5e-6)
            self.registers[SHUNT] = max(-0x8000, min(0x7FFF, shunt))
            self.registers[BUS] = round(present(self.voltage) / 1.25e-3)

    def value(self, register: int) -> int:
        if register != MASK_ENABLE:
            return super().value(register)
        done = self._ready is not None and self._clock() >= self._ready
        if done:
            self._ready = None
        return 0x8 if done else 0


CHIP = Ina226
