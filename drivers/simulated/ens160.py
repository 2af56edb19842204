"""ENS160 at register level: operating mode, status, values each second (SC-001224-DS-9, 16)."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from drivers.simulated.bus import Registers
from drivers.simulated.signals import Signal, present, wander

PART_ID, OPMODE, TEMP_IN, STATUS, AQI = 0x00, 0x10, 0x13, 0x20, 0x21


class Ens160(Registers):
    """TVOC (ppb) and eCO2 (ppm) may be set at any time; validity: 0 to 3."""

    def __init__(
        self,
        voc: Signal | None = None,
        co2: Signal | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__({PART_ID: b"\x60\x01", OPMODE: b"\x00"})
        self.voc = wander(120.0, 80.0, 62, clock) if voc is None else voc
        self.co2 = wander(650.0, 150.0, 63, clock) if co2 is None else co2
        self.aqi = 2
        self.validity = 0
        self._clock = clock
        self._next = 0.0

    def written(self, register: int, value: int) -> None:
        if register == OPMODE:
            self._next = self._clock() + 1.0
            if value == 0xF0:
                self.memory[OPMODE] = 0x01

    def refresh(self) -> None:
        running = self.memory[OPMODE] == 0x02
        new = running and self._clock() >= self._next
        self.memory[STATUS] = (0x80 if running else 0) | self.validity << 2 | (2 if new else 0)
        if new:
            values = struct.pack(
                "<BHH", self.aqi, round(present(self.voc)), round(present(self.co2))
            )
            self.memory[AQI : AQI + 5] = values

    def read(self, count: int) -> bytes:
        first = self._pointer
        answer = super().read(count)
        if first <= AQI < first + count and self._clock() >= self._next:
            self._next = self._clock() + 1.0
        return answer


CHIP = Ens160
