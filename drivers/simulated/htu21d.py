"""HTU21D: commands without a hold of the clock, a checksum from 0 (TE HPC199_6)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.i2c.crc8 import crc8
from drivers.simulated.commands import Commanded, nothing
from drivers.simulated.signals import Signal, present, wander


class Htu21d(Commanded):
    """Temperature (°C) and humidity (%) may be set at any time."""

    def __init__(
        self,
        temperature: Signal | None = None,
        humidity: Signal | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clock)
        self.temperature = wander(20.0, 3.0, 70, clock) if temperature is None else temperature
        self.humidity = wander(50.0, 9.0, 71, clock) if humidity is None else humidity
        self.commands = {
            b"\xf3": (0.05, lambda: _word((present(self.temperature) + 46.85) / 175.72)),
            b"\xf5": (0.016, lambda: _word((present(self.humidity) + 6) / 125)),
            b"\xe7": (0.0, lambda: b"\x02"),
            b"\xfe": (0.015, nothing),
        }


def _word(share: float) -> bytes:
    data = (min(0xFFFF, max(0, round(share * 65536))) & 0xFFFC).to_bytes(2, "big")
    return data + bytes([crc8(data, initial=0)])


CHIP = Htu21d
