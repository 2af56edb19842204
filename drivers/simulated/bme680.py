"""BME680 at register level: raw values by Bosch's integer formulas (its BME68x sensor interface).

The driver computes in floating point, so the two check each other.
"""

from __future__ import annotations

import struct
import time
from bisect import bisect_left
from collections.abc import Callable

from drivers.simulated.bus import Registers
from drivers.simulated.signals import Signal, present, wander

FIELD0, GAS_WAIT_0, CTRL_GAS_1, CTRL_HUM, CTRL_MEAS, ID, RESET = (
    0x1D,
    0x64,
    0x71,
    0x72,
    0x74,
    0xD0,
    0xE0,
)
T = (26203, 26519, 3)
P = (35008, -10284, 88, 9692, -202, 30, 24, -516, -3469, 30)
H = (794, 1007, 0, 45, 20, 120, -100)
G = (-40, -13000, 18)
HEAT_RANGE, HEAT_VALUE, SWITCHING_ERROR = 1, 40, 2


class Bme680(Registers):
    """Temperature (°C), pressure (hPa), humidity (%) may be set at any time; `gas`: converter code
    and range."""

    def __init__(
        self,
        temperature: Signal | None = None,
        pressure: Signal | None = None,
        humidity: Signal | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__({ID: b"\x61", 0xF0: b"\x00", **calibration()})
        self.temperature = wander(22.0, 3.0, 57, clock) if temperature is None else temperature
        self.pressure = wander(1005.0, 8.0, 58, clock) if pressure is None else pressure
        self.humidity = wander(50.0, 12.0, 59, clock) if humidity is None else humidity
        self.gas = (600, 7)
        self.stable = True
        self._clock = clock
        self._ready: float | None = None

    def written(self, register: int, value: int) -> None:
        if register == RESET and value == 0xB6:
            self.memory[0x5A:0x76] = bytes(0x1C)
            self._ready = None
        elif register == CTRL_MEAS and value & 0b11:
            self.memory[FIELD0] = 0
            osrs = (value >> 5, value >> 2 & 0b111, self.memory[CTRL_HUM] & 0b111)
            wait = self.memory[GAS_WAIT_0]
            heating = (wait & 0x3F) * 4 ** (wait >> 6) / 1000 if self._heated() else 0.0
            samples = sum(1 << o >> 1 for o in osrs)
            self._ready = self._clock() + 0.001963 * samples + 0.005 + heating

    def _heated(self) -> bool:
        return bool(self.memory[CTRL_GAS_1] & 0x10)

    def refresh(self) -> None:
        if self._ready is None or self._clock() < self._ready:
            return
        self._ready = None
        self.memory[CTRL_MEAS] &= 0xFC
        adc_t = _search(1 << 20, lambda raw: _centi(_t_fine(raw)), present(self.temperature) * 100)
        fine = _t_fine(adc_t)
        adc_p = _search(1 << 20, lambda raw: -_pascal(raw, fine), -present(self.pressure) * 100)
        adc_h = _search(1 << 16, lambda raw: _milli(raw, fine), present(self.humidity) * 1000)
        code, gas_range = self.gas
        flags = (0x20 if self._heated() else 0) | (0x10 if self.stable else 0)
        field = bytes([0x80, 0]) + (adc_p << 4).to_bytes(3, "big") + (adc_t << 4).to_bytes(3, "big")
        field += adc_h.to_bytes(2, "big") + bytes(3)
        field += bytes([code >> 2, (code & 0b11) << 6 | flags | gas_range, 0, 0])
        self.memory[FIELD0 : FIELD0 + 17] = field


def calibration() -> dict[int, bytes]:
    p1, p2, p3, p4, p5, p6, p7, p8, p9, p10 = P
    h1, h2, *h = H
    first = struct.pack("<xhbxHhbxhhbbxxhhBx", T[1], T[2], p1, p2, p3, p4, p5, p7, p6, p8, p9, p10)
    shared = bytes([h2 >> 4, (h2 & 0xF) << 4 | h1 & 0xF, h1 >> 4])
    second = shared + struct.pack("<bbbBbHhbbxx", *h, T[0], G[1], G[0], G[2])
    third = struct.pack("<bxBxb", HEAT_VALUE, HEAT_RANGE << 4, SWITCHING_ERROR << 4)
    return {0x89: first, 0xE1: second, 0x00: third}


def _search(end: int, function: Callable[[int], float], wanted: float) -> int:
    """The raw value at which a rising function reaches what is wanted."""
    return min(end - 1, bisect_left(range(end), wanted, key=function))


def _t_fine(adc: int) -> int:
    t1, t2, t3 = T
    var1 = (adc >> 3) - (t1 << 1)
    return (var1 * t2 >> 11) + (((var1 >> 1) * (var1 >> 1) >> 12) * (t3 << 4) >> 14)


def _centi(t_fine: int) -> int:
    return t_fine * 5 + 128 >> 8


def _pascal(adc: int, t_fine: int) -> int:
    p1, p2, p3, p4, p5, p6, p7, p8, p9, p10 = P
    var1 = (t_fine >> 1) - 64000
    var2 = (((var1 >> 2) * (var1 >> 2) >> 11) * p6) >> 2
    var2 = (var2 + (var1 * p5 << 1) >> 2) + (p4 << 16)
    var1 = ((((var1 >> 2) * (var1 >> 2) >> 13) * (p3 << 5)) >> 3) + (p2 * var1 >> 1) >> 18
    var1 = (32768 + var1) * p1 >> 15
    p = (1048576 - adc - (var2 >> 12)) * 3125
    p = (p << 1) // var1
    var1 = p9 * ((p >> 3) * (p >> 3) >> 13) >> 12
    var2 = (p >> 2) * p8 >> 13
    var3 = (p >> 8) * (p >> 8) * (p >> 8) * p10 >> 17
    return p + (var1 + var2 + var3 + (p7 << 7) >> 4)


def _milli(adc: int, t_fine: int) -> int:
    h1, h2, h3, h4, h5, h6, h7 = H
    t = _centi(t_fine)
    var1 = adc - (h1 << 4) - (t * h3 // 100 >> 1)
    var2 = h2 * (t * h4 // 100 + ((t * (t * h5 // 100) >> 6) // 100) + (1 << 14)) >> 10
    var3 = var1 * var2
    var4 = (h6 << 7) + t * h7 // 100 >> 4
    var5 = (var3 >> 14) * (var3 >> 14) >> 10
    return ((var3 + (var4 * var5 >> 1)) >> 10) * 1000 >> 12


CHIP = Bme680
