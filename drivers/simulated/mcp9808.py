"""MCP9808 at register level (Microchip DS25095A, 5)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.simulated.signals import Signal, present, wander
from drivers.simulated.words import Words

CONFIG, T_A, MANUFACTURER_ID, DEVICE_ID = 1, 5, 6, 7


class Mcp9808(Words):
    """Temperature (°C) may be set at any time."""

    def __init__(
        self, temperature: Signal | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__({MANUFACTURER_ID: 0x0054, DEVICE_ID: 0x0400})
        self.temperature = wander(35.0, 10.0, 72, clock) if temperature is None else temperature

    def value(self, register: int) -> int:
        if register == T_A:
            return round(present(self.temperature) * 16) & 0x1FFF
        return super().value(register)


CHIP = Mcp9808
