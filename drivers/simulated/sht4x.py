"""SHT4x: 8-bit commands, a checksum behind each word (Sensirion SHT4x, version 6)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.simulated.commands import Commanded, nothing
from drivers.simulated.sht3x import word
from drivers.simulated.signals import Signal, present, wander


class Sht4x(Commanded):
    """Temperature (°C) and humidity (%) may be set at any time."""

    def __init__(
        self,
        temperature: Signal | None = None,
        humidity: Signal | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clock)
        self.temperature = wander(22.0, 3.0, 6, clock) if temperature is None else temperature
        self.humidity = wander(45.0, 10.0, 7, clock) if humidity is None else humidity
        self.commands = {
            b"\xfd": (0.0083, self._measured),
            b"\x89": (0.0, lambda: word(0x0123) + word(0x4567)),
            b"\x94": (0.001, nothing),
        }

    def _measured(self) -> bytes:
        t = (present(self.temperature) + 45) / 175 * 65535
        return word(t) + word((present(self.humidity) + 6) / 125 * 65535)


CHIP = Sht4x
