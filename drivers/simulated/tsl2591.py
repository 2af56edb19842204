"""TSL2591 at register level: enable, gain, two diodes (ams TSL2591, v1-00)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.simulated.signals import Signal, present, wander

ENABLE, CONTROL, ID, STATUS, DATA = 0x00, 0x01, 0x12, 0x13, 0x14
GAINS = (1.0, 25.0, 428.0, 9876.0)
FULL = 36863


class Tsl2591:
    """Illuminance (lx) may be set at any time; a third as much again is infrared."""

    def __init__(
        self, illuminance: Signal | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.illuminance = wander(300.0, 250.0, 60, clock) if illuminance is None else illuminance
        self.memory = bytearray(32)
        self.memory[ID] = 0x50
        self._clock = clock
        self._ready: float | None = None
        self._pointer = 0

    def write(self, data: bytes) -> None:
        self._pointer = data[0] & 0x1F
        for value in data[1:]:
            register, self._pointer = self._pointer, self._pointer + 1
            self.memory[register] = value
            if register == ENABLE:
                on = value & 0b11 == 0b11
                self._ready = self._clock() + self._seconds() if on else None
                self.memory[STATUS] = 0

    def read(self, count: int) -> bytes:
        if self._ready is not None and self._clock() >= self._ready:
            self.memory[STATUS] |= 1
            full, infrared = self._counts()
            self.memory[DATA : DATA + 4] = full.to_bytes(2, "little") + infrared.to_bytes(
                2, "little"
            )
        return bytes(self.memory[self._pointer : self._pointer + count])

    def _seconds(self) -> float:
        return 0.1 * (1 + (self.memory[CONTROL] & 0b111))

    def _counts(self) -> tuple[int, int]:
        """infrared = full / 4, for which the lux are (1 - 1.64 / 4) of the full counts."""
        per_lux = self._seconds() * 1000 * GAINS[self.memory[CONTROL] >> 4 & 0b11] / 408
        full = present(self.illuminance) * per_lux / (1 - 1.64 / 4)
        return min(FULL, round(full)), min(FULL, round(full / 4))


CHIP = Tsl2591
