"""BH1750: one-time measurements, 1.2 counts a lux (ROHM 11046EDT01)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.base import NoAnswer
from drivers.simulated.signals import Signal, present, wander

POWER_DOWN, POWER_ON = 0x00, 0x01
MODES = {0x10: 1.2, 0x11: 2.4, 0x13: 1.2, 0x20: 1.2, 0x21: 2.4, 0x23: 1.2}
"""Continuous and one-time; H, H2 and L resolution: counts a lux."""


class Bh1750:
    """Illuminance (lx) may be set at any time."""

    def __init__(
        self, illuminance: Signal | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.illuminance = wander(500.0, 400.0, 75, clock) if illuminance is None else illuminance
        self._clock = clock
        self._ready: float | None = None
        self._counts = 0
        self._per_lux = 0.0

    def write(self, data: bytes) -> None:
        if data[0] not in (POWER_DOWN, POWER_ON, *MODES):
            raise NoAnswer(f"unknown command {data.hex()}")
        self._per_lux = MODES.get(data[0], 0.0)
        self._ready = self._clock() + 0.12 if data[0] in MODES else None

    def read(self, count: int) -> bytes:
        """Before the end of a measurement the register still has the last one."""
        if self._ready is not None and self._clock() >= self._ready:
            self._ready = None
            self._counts = min(0xFFFF, round(present(self.illuminance) * self._per_lux))
        return self._counts.to_bytes(2, "big")[:count]


CHIP = Bh1750
