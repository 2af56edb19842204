"""BH1750: one-time measurements, 1.2 counts a lux (ROHM 11046EDT01)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.base import NoAnswer
from drivers.simulated.signals import Signal, present, wander

POWER_DOWN, POWER_ON, ONE_TIME = 0x00, 0x01, 0x20


class Bh1750:
    """Illuminance (lx) may be set at any time."""

    def __init__(
        self, illuminance: Signal | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.illuminance = wander(500.0, 400.0, 75, clock) if illuminance is None else illuminance
        self._clock = clock
        self._ready: float | None = None
        self._counts = 0

    def write(self, data: bytes) -> None:
        if data[0] not in (POWER_DOWN, POWER_ON, ONE_TIME):
            raise NoAnswer(f"unknown command {data.hex()}")
        self._ready = self._clock() + 0.12 if data[0] == ONE_TIME else None

    def read(self, count: int) -> bytes:
        """Before the end of a measurement the register still has the last one."""
        if self._ready is not None and self._clock() >= self._ready:
            self._ready = None
            self._counts = min(0xFFFF, round(present(self.illuminance) * 1.2))
        return self._counts.to_bytes(2, "big")[:count]


CHIP = Bh1750
