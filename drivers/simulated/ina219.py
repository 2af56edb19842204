"""INA219 at register level (TI SBOS448G, 8.6): a bus voltage, and the voltage across a shunt."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.simulated.signals import Signal, present, wander
from drivers.simulated.words import Words

CONFIGURATION, SHUNT, BUS, POWER, CURRENT, CALIBRATION = range(6)
AFTER_RESET = 0x399F
LIMITS = (0.04, 0.08, 0.16, 0.32)


class Ina219(Words):
    """Voltage (V) and current (A) through `ohm` may be set at any time."""

    def __init__(
        self,
        voltage: Signal | None = None,
        current: Signal | None = None,
        *,
        ohm: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__({CONFIGURATION: AFTER_RESET})
        self.voltage = wander(12.4, 0.5, 24, clock) if voltage is None else voltage
        self.current = wander(0.4, 0.9, 25, clock) if current is None else current
        self._ohm = ohm
        self._clock = clock
        self._ready: float | None = None

    def written(self, register: int, value: int) -> None:
        if register == CONFIGURATION and value & 0x8000:
            self.registers = {CONFIGURATION: AFTER_RESET}
            return
        super().written(register, value)
        if register == CONFIGURATION:
            self._ready = self._clock() + 0.1362
            self._measure(LIMITS[value >> 11 & 0b11])

    def value(self, register: int) -> int:
        done = self._ready is not None and self._clock() >= self._ready
        return super().value(register) | (0x2 if register == BUS and done else 0)

    def _measure(self, limit: float) -> None:
        volts = max(-limit, min(limit, present(self.current) * self._ohm))
        shunt = round(volts / 10e-6)
        self.registers[SHUNT] = shunt
        self.registers[BUS] = round(present(self.voltage) / 4e-3) << 3
        self.registers[CURRENT] = shunt * self.registers.get(CALIBRATION, 0) // 4096


CHIP = Ina219
