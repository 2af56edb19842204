"""ADS1115 and ADS1015 at register level: single-shot conversions (TI SBAS444E, 8)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.simulated.signals import Signal, present, wander
from drivers.simulated.words import Words

CONVERSION, CONFIG, LO_THRESH, HI_THRESH = 0, 1, 2, 3
RANGES = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
MUX = ((0, 1), (0, 3), (1, 3), (2, 3), (0, None), (1, None), (2, None), (3, None))
SPS = {
    16: (8, 16, 32, 64, 128, 250, 475, 860),
    12: (128, 250, 490, 920, 1600, 2400, 3300, 3300),
}


class Ads1115(Words):
    """`inputs`: the voltages at AIN0 to AIN3; may be changed at any time."""

    def __init__(
        self, *inputs: Signal, clock: Callable[[], float] = time.monotonic, bits: int = 16
    ) -> None:
        super().__init__({CONFIG: 0x8583, LO_THRESH: 0x8000, HI_THRESH: 0x7FFF})
        self.inputs = list(inputs) or [wander(1.2, 0.6, 20 + n, clock) for n in range(4)]
        self._clock = clock
        self._ready = 0.0
        self._rates = SPS[bits]
        self._keep = 0xFFFF << 16 - bits & 0xFFFF

    def written(self, register: int, value: int) -> None:
        if register == CONFIG:
            if value & 0x8000:
                self._ready = self._clock() + 1 / self._rates[value >> 5 & 0b111]
                self.registers[CONVERSION] = self._code(value)
            value &= 0x7FFF
        super().written(register, value)

    def value(self, register: int) -> int:
        done = 0x8000 if register == CONFIG and self._clock() >= self._ready else 0
        return super().value(register) | done

    def _code(self, config: int) -> int:
        plus, minus = MUX[config >> 12 & 0b111]
        volts = self._volts(plus) - (0.0 if minus is None else self._volts(minus))
        code = round(volts / RANGES[config >> 9 & 0b111] * 32768)
        return max(-32768, min(32767, code)) & self._keep

    def _volts(self, pin: int) -> float:
        return present(self.inputs[pin]) if pin < len(self.inputs) else 0.0


CHIP = Ads1115
