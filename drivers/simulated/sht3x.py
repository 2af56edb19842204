"""SHT3x: 16-bit commands, a checksum behind each word (Sensirion SHT3x-DIS, version 7)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.i2c.crc8 import crc8
from drivers.simulated.commands import Commanded, nothing
from drivers.simulated.signals import Signal, present, wander


def word(value: float) -> bytes:
    """A 16-bit word with its checksum."""
    data = min(65535, max(0, round(value))).to_bytes(2, "big")
    return data + bytes([crc8(data)])


class Sht3x(Commanded):
    """Temperature (°C) and humidity (%) may be set at any time."""

    def __init__(
        self,
        temperature: Signal | None = None,
        humidity: Signal | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clock)
        self.temperature = wander(20.0, 4.0, 4, clock) if temperature is None else temperature
        self.humidity = wander(55.0, 10.0, 5, clock) if humidity is None else humidity
        self.commands = {
            bytes.fromhex("2400"): (0.0155, self._measured),
            bytes.fromhex("30a2"): (0.0015, nothing),
            bytes.fromhex("3093"): (0.001, nothing),  # no periodic measurement goes on
            bytes.fromhex("f32d"): (0.0, lambda: word(0x8010)),
        }

    def _measured(self) -> bytes:
        t = (present(self.temperature) + 45) / 175 * 65535
        return word(t) + word(present(self.humidity) / 100 * 65535)


CHIP = Sht3x
