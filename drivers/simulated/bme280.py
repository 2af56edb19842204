"""BME280 at register level: raw values from physical ones, by Bosch's fixed-point formulas.

Bosch BST-BME280-DS001 (rev. 1.23): memory map 5.3, formulas 4.2.3. The driver computes in floating
point, so the two check each other.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable

from drivers.simulated.bus import Registers
from drivers.simulated.signals import Signal, present, wander

CALIB00, ID, RESET, CALIB26 = 0x88, 0xD0, 0xE0, 0xE1
CTRL_HUM, STATUS, CTRL_MEAS, DATA = 0xF2, 0xF3, 0xF4, 0xF7
RESET_WORD, MEASURING, IM_UPDATE = 0xB6, 0x08, 0x01
SKIPPED, SKIPPED_H = 0x80000, 0x8000
START_UP_S = 0.002

DIG_T = (27504, 26435, -1000)
DIG_P = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
"""T and P: the worked example of BST-BMP280-DS001, 3.12."""

DIG_H = (75, 362, 0, 318, -50, 30)
"""Of usual size; H5 is negative, which many drivers get wrong."""


class Bme280(Registers):
    """Temperature (°C), pressure (hPa) and humidity (%) may be set at any time.

    write takes pairs of register and value (section 6.2.1). clock: seconds, for the busy bits.
    """

    chip_id = 0x60

    def __init__(
        self,
        temperature: Signal | None = None,
        pressure: Signal | None = None,
        humidity: Signal | None = None,
        *,
        dig_h: tuple[int, ...] = DIG_H,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__({ID: bytes([self.chip_id]), **_calibration(dig_h)})
        self.temperature = wander(21.0, 3.0, 1, clock) if temperature is None else temperature
        self.pressure = wander(1013.0, 8.0, 2, clock) if pressure is None else pressure
        self.humidity = wander(48.0, 12.0, 3, clock) if humidity is None else humidity
        self._dig_h = dig_h
        self._clock = clock
        self._osrs_h = 0
        self._ready = 0.0
        self._measuring = False
        self._reset()

    def write(self, data: bytes) -> None:
        super().write(data[:2])
        for pair in range(2, len(data) - 1, 2):
            super().write(data[pair : pair + 2])

    def written(self, register: int, value: int) -> None:
        if register == RESET and value == RESET_WORD:
            self._reset()
        elif register == CTRL_MEAS and value & 0b11:
            self._osrs_h = self.memory[CTRL_HUM] & 0b111
            osrs = (value >> 5, value >> 2 & 0b111, self._osrs_h)
            self._ready = self._clock() + (1.25 + 2.3 * sum(1 << o >> 1 for o in osrs)) / 1000
            self._measuring = True

    def refresh(self) -> None:
        busy = self._clock() < self._ready
        if self._measuring and not busy:
            self._measuring = False
            self._latch()
        bit = MEASURING if self._measuring else IM_UPDATE
        self.memory[STATUS] = bit if busy else 0

    def _reset(self) -> None:
        self.memory[CTRL_HUM : CTRL_MEAS + 1] = bytes(3)
        self.memory[DATA : DATA + 8] = bytes.fromhex("8000008000008000")
        self._measuring = False
        self._ready = self._clock() + START_UP_S

    def _latch(self) -> None:
        """The result of a forced measurement; the mode bits then read sleep again."""
        control = self.memory[CTRL_MEAS]
        self.memory[CTRL_MEAS] = control & 0xFC
        adc_t = _search(1 << 20, lambda raw: _centidegrees(_t_fine(raw)), self._t() * 100)
        fine = _t_fine(adc_t)
        pascal = present(self.pressure) * 100
        adc_p = _search(1 << 20, lambda raw: -_pascal(raw, fine), -pascal)
        adc_h = _search(
            1 << 16, lambda raw: _percent(raw, fine, self._dig_h), present(self.humidity)
        )
        adc_t = adc_t if control >> 5 else SKIPPED
        adc_p = adc_p if control >> 2 & 0b111 else SKIPPED
        adc_h = adc_h if self._osrs_h else SKIPPED_H
        data = (adc_p << 4).to_bytes(3, "big") + (adc_t << 4).to_bytes(3, "big")
        self.memory[DATA : DATA + 8] = data + adc_h.to_bytes(2, "big")

    def _t(self) -> float:
        return present(self.temperature)


def _calibration(dig_h: tuple[int, ...]) -> dict[int, bytes]:
    h1, h2, h3, h4, h5, h6 = dig_h
    words = [value & 0xFFFF for value in DIG_T + DIG_P]
    first = b"".join(word.to_bytes(2, "little") for word in words) + bytes([0, h1])
    shared = (h5 & 0x0F) << 4 | h4 & 0x0F
    rest = [h3, h4 >> 4 & 0xFF, shared, h5 >> 4 & 0xFF, h6 & 0xFF]
    return {CALIB00: first, CALIB26: (h2 & 0xFFFF).to_bytes(2, "little") + bytes(rest)}


def _search(end: int, function: Callable[[int], float], wanted: float) -> int:
    """The raw value at which a rising function reaches what is wanted."""
    return min(end - 1, bisect_left(range(end), wanted, key=function))


def _t_fine(adc_t: int) -> int:
    t1, t2, t3 = DIG_T
    difference = (adc_t >> 4) - t1
    return (((adc_t >> 3) - (t1 << 1)) * t2 >> 11) + ((difference * difference >> 12) * t3 >> 14)


def _centidegrees(t_fine: int) -> int:
    return t_fine * 5 + 128 >> 8


def _pascal(adc_p: int, t_fine: int) -> float:
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = DIG_P
    t = t_fine - 128000
    offset = t * t * p6 + (t * p5 << 17) + (p4 << 35)
    scale = ((1 << 47) + (t * t * p3 >> 8) + (t * p2 << 12)) * p1 >> 33
    p = ((1048576 - adc_p << 31) - offset) * 3125 // scale
    return ((p + (p9 * (p >> 13) * (p >> 13) >> 25) + (p8 * p >> 19) >> 8) + (p7 << 4)) / 256


def _percent(adc_h: int, t_fine: int, dig_h: tuple[int, ...]) -> float:
    h1, h2, h3, h4, h5, h6 = dig_h
    t = t_fine - 76800
    linear = ((adc_h << 14) - (h4 << 20) - h5 * t + 16384) >> 15
    slope = ((t * h6 >> 10) * ((t * h3 >> 11) + 32768) >> 10) + 2097152
    h = linear * (slope * h2 + 8192 >> 14)
    h -= ((h >> 15) * (h >> 15) >> 7) * h1 >> 4
    return min(max(h, 0), 419430400) / 4194304


CHIP = Bme280
