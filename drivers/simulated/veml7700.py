"""VEML7700 at register level: gain, time, counts (Vishay 84286, revision 1.8)."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Literal

from drivers.simulated.signals import Signal, present, wander
from drivers.simulated.words import Words

CONF, ALS, DEVICE_ID = 0, 4, 7
GAINS = (1.0, 2.0, 0.125, 0.25)
TIMES = {0b1100: 0.025, 0b1000: 0.05, 0: 0.1, 1: 0.2, 2: 0.4, 3: 0.8}


class Veml7700(Words):
    """Illuminance (lx) may be set at any time."""

    BYTE_ORDER: Literal["big", "little"] = "little"

    def __init__(
        self, illuminance: Signal | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__({CONF: 0x0001, DEVICE_ID: 0xC481})
        self.illuminance = wander(400.0, 350.0, 61, clock) if illuminance is None else illuminance
        self._clock = clock
        self._ready: float | None = None

    def written(self, register: int, value: int) -> None:
        super().written(register, value)
        if register == CONF:
            self._ready = None if value & 1 else self._clock() + TIMES[value >> 6 & 0xF]

    def value(self, register: int) -> int:
        if register == ALS and self._ready is not None and self._clock() >= self._ready:
            self.registers[ALS] = self._count(self.registers[CONF])
        return super().value(register)

    def _count(self, conf: int) -> int:
        """At low gain the chip is not straight: the counts are those that the maker's polynomial
        turns into the illuminance."""
        gain, seconds = GAINS[conf >> 11 & 0b11], TIMES[conf >> 6 & 0xF]
        lux = present(self.illuminance)
        per_count = 0.0042 * 2 / gain * 0.8 / seconds
        if gain >= 1:
            return min(0xFFFF, round(lux / per_count))
        return bisect_left(range(0xFFFF), lux, key=lambda n: _straight(n * per_count))


def _straight(lux: float) -> float:
    return 6.0135e-13 * lux**4 - 9.3924e-9 * lux**3 + 8.1488e-5 * lux**2 + 1.0023 * lux


CHIP = Veml7700
