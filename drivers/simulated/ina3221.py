"""INA3221 at register level (TI SBOS576B, 8.6): three bus voltages and three shunts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from drivers.simulated.signals import Signal, present, wander
from drivers.simulated.words import Words

CONFIGURATION, SHUNT_1, MASK_ENABLE = 0, 1, 0x0F
MANUFACTURER_ID, DIE_ID = 0xFE, 0xFF
AVERAGES = (1, 4, 16, 64, 128, 256, 512, 1024)


class Ina3221(Words):
    """`lines`: voltage (V) and current (A) of each channel; may be changed at any time."""

    def __init__(
        self,
        lines: Sequence[tuple[Signal, Signal]] = (),
        *,
        ohm: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__({CONFIGURATION: 0x7127, MANUFACTURER_ID: 0x5449, DIE_ID: 0x3220})
        self.lines = list(lines) or [
            (wander(5.0 * n, 0.2, 30 + n, clock), wander(0.2 * n, 0.2, 40 + n, clock))
            for n in (1, 2, 3)
        ]
        self._ohm = ohm
        self._clock = clock
        self._ready: float | None = None

    def written(self, register: int, value: int) -> None:
        if register == CONFIGURATION and value & 0x8000:
            value = 0x7127
        super().written(register, value)
        if register == CONFIGURATION:
            self._ready = (
                self._clock()
                + 2.2e-3 * (value >> 12 & 0b111).bit_count() * AVERAGES[value >> 9 & 0b111]
            )
            for number, (voltage, current) in enumerate(self.lines):
                shunt = round(present(current) * self._ohm / 40e-6)
                first = SHUNT_1 + 2 * number
                self.registers[first] = max(-4096, min(4095, shunt)) << 3
                self.registers[first + 1] = round(present(voltage) / 8e-3) << 3

    def value(self, register: int) -> int:
        if register != MASK_ENABLE:
            return super().value(register)
        done = self._ready is not None and self._clock() >= self._ready
        if done:
            self._ready = None
        return 0x1 if done else 0


CHIP = Ina3221
