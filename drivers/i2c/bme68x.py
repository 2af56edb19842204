"""Calibration and compensation of the BME680 and BME688. Pure.

Bosch BST-BME680-DS001, revision 1.9: sections 3.3 and 3.4 the formulas (floating point), table 11
to 14 the calibration registers; the BME688's gas formula is in BST-BME688-DS000, 3.4.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from drivers.base import CorruptData, Quality, Reading

COEFF1, COEFF1_SIZE = 0x89, 25
COEFF2, COEFF2_SIZE = 0xE1, 16
COEFF3, COEFF3_SIZE = 0x00, 5

NEW_DATA = 0x80
GAS_VALID = 0x20
HEAT_STABLE = 0x10

SKIPPED, SKIPPED_H = 0x80000, 0x8000
"""Raw value of what was not measured."""

RANGES = {"temperature": (-40.0, 85.0), "pressure": (300.0, 1100.0), "humidity": (0.0, 100.0)}
"""Operating ranges (table 2): °C, hPa, %."""

K1 = (0, 0, 0, 0, 0, -1, 0, -0.8, 0, 0, -0.2, -0.5, 0, -1, 0, 0)
K2 = (0, 0, 0, 0, 0.1, 0.7, 0, -0.8, -0.1, 0, 0, 0, 0, 0, 0, 0)
"""Error of the ranges of the gas resistance, in per cent (table 16)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """par_t1 to t3, par_p1 to p10, par_h1 to h7, par_g1 to g3, and of the heater."""

    t: tuple[int, ...]
    p: tuple[int, ...]
    h: tuple[int, ...]
    g: tuple[int, ...]
    res_heat_range: int
    res_heat_val: int
    range_switching_error: int


def parse_calibration(coeff1: bytes, coeff2: bytes, coeff3: bytes) -> Calibration:
    """25 bytes from 0x89, 16 from 0xE1, 5 from 0x00. par_h1 and par_h2 share the byte 0xE2.

    CorruptData for registers that all read alike: nothing was ever written there.
    """
    if len(set(coeff1)) < 2:
        raise CorruptData(f"calibration registers all read 0x{coeff1[0]:02x}")
    t2, t3, p1, p2, p3, p4, p5, p7, p6, p8, p9, p10 = struct.unpack("<xhbxHhbxhhbbxxhhBx", coeff1)
    h2_high, shared, h1_high, h3, h4, h5, h6, h7, t1, g2, g1, g3 = struct.unpack(
        "<BBBbbbBbHhbbxx", coeff2
    )
    h = (h1_high << 4 | shared & 0x0F, h2_high << 4 | shared >> 4, h3, h4, h5, h6, h7)
    value, heat_range, error = struct.unpack("<bxBxb", coeff3)
    return Calibration(
        (t1, t2, t3), (p1, p2, p3, p4, p5, p6, p7, p8, p9, p10), h, (g1, g2, g3),
        heat_range >> 4 & 0b11, value, error >> 4,
    )  # fmt: skip


def decode(field: bytes, calibration: Calibration, high: bool) -> list[Reading]:
    """The 17 bytes of field 0, from 0x1D. high: the BME688's gas converter, at 0x2C.

    status 0 | pressure 2-4 | temperature 5-7 | humidity 8-9 | gas 13-14 (BME688: 15-16)
    """
    adc_p = int.from_bytes(field[2:5], "big") >> 4
    adc_t = int.from_bytes(field[5:8], "big") >> 4
    adc_h = int.from_bytes(field[8:10], "big")
    t_fine = fine_temperature(adc_t, calibration.t)
    known = adc_t != SKIPPED
    pressure = pressure_hpa(adc_p, t_fine, calibration.p) if known and adc_p != SKIPPED else None
    humidity = humidity_percent(adc_h, t_fine, calibration.h)
    return [
        _reading("temperature", t_fine / 5120 if known else None),
        _reading("pressure", pressure),
        _reading("humidity", humidity if known and adc_h != SKIPPED_H else None),
        _gas(field[15:17] if high else field[13:15], calibration, high),
    ]


def fine_temperature(adc: int, par_t: tuple[int, ...]) -> float:
    """t_fine: 5120 to the °C (3.3.1)."""
    t1, t2, t3 = par_t
    linear = (adc / 16384 - t1 / 1024) * t2
    return linear + (adc / 131072 - t1 / 8192) ** 2 * t3 * 16


def pressure_hpa(adc: int, t_fine: float, par_p: tuple[int, ...]) -> float | None:
    """3.3.2. None where the parameters would divide by zero."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9, p10 = par_p
    t = t_fine / 2 - 64000
    offset = (t * t * p6 / 131072 + t * p5 * 2) / 4 + p4 * 65536
    scale = (1 + (p3 * t * t / 16384 + p2 * t) / 524288 / 32768) * p1
    if scale == 0:
        return None
    p = (1048576 - adc - offset / 4096) * 6250 / scale
    cubic = (p / 256) ** 3 * p10 / 131072
    return (p + (p9 * p * p / 2147483648 + p * p8 / 32768 + cubic + p7 * 128) / 16) / 100


def humidity_percent(adc: int, t_fine: float, par_h: tuple[int, ...]) -> float:
    """3.3.3, held to 0 to 100."""
    h1, h2, h3, h4, h5, h6, h7 = par_h
    t = t_fine / 5120
    x = (adc - (h1 * 16 + h3 / 2 * t)) * h2 / 262144 * (1 + h4 / 16384 * t + h5 / 1048576 * t * t)
    return min(100.0, max(0.0, x + (h6 / 16384 + h7 / 2097152 * t) * x * x))


def gas_ohm(adc: int, gas_range: int, switching_error: int) -> float:
    """3.4.1."""
    var1 = (1340 + 5 * switching_error) * (1 + K1[gas_range] / 100)
    var3 = 1 + K2[gas_range] / 100
    return 1 / (var3 * 0.000000125 * (1 << gas_range) * ((adc - 512) / var1 + 1))


def gas_ohm_high(adc: int, gas_range: int) -> float:
    """Of the BME688."""
    return 1e6 * (262144 >> gas_range) / (4096 + 3 * (adc - 512))


def heater_code(celsius: float, ambient: float, calibration: Calibration) -> int:
    """res_heat for a target of 200 to 400 °C (3.3.5)."""
    g1, g2, g3 = calibration.g
    var1 = g1 / 16 + 49
    var2 = g2 / 32768 * 0.0005 + 0.00235
    var5 = var1 * (1 + var2 * celsius) + g3 / 1024 * ambient
    scale = 4 / (4 + calibration.res_heat_range) / (1 + calibration.res_heat_val * 0.002)
    return min(255, max(0, int(3.4 * (var5 * scale - 25))))


def wait_code(milliseconds: int) -> int:
    """gas_wait: six bits, times 1, 4, 16 or 64 (5.3.3.3)."""
    for exponent in range(4):
        if milliseconds >> 2 * exponent <= 0x3F:
            return exponent << 6 | milliseconds >> 2 * exponent
    return 0xFF


def _gas(data: bytes, calibration: Calibration, high: bool) -> Reading:
    """Uncertain while the hot plate has not reached its temperature."""
    adc = data[0] << 2 | data[1] >> 6
    if not data[1] & GAS_VALID:
        return Reading("gas_resistance", None, Quality.BAD)
    gas_range = data[1] & 0x0F
    ohm = (
        gas_ohm_high(adc, gas_range)
        if high
        else gas_ohm(adc, gas_range, calibration.range_switching_error)
    )
    stable = data[1] & HEAT_STABLE
    return Reading("gas_resistance", ohm, Quality.GOOD if stable else Quality.UNCERTAIN)


def _reading(channel: str, value: float | None) -> Reading:
    if value is None:
        return Reading(channel, None, Quality.BAD)
    low, high = RANGES[channel]
    return Reading(channel, value, Quality.GOOD if low <= value <= high else Quality.UNCERTAIN)
