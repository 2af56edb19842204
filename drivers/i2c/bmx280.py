"""Trimming parameters and compensation that BME280 and BMP280 share. Pure.

Bosch BST-BME280-DS001 (rev. 1.23) and BST-BMP280-DS001 (rev. 1.26): sections 4.2.2 and 3.11.2 the
layout of the parameters, the appendix the double precision formulas used here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from drivers.base import CorruptData, Quality, Reading

CALIB_TP_SIZE = 26
"""Bytes of calib00 to calib25 (0x88 to 0xA1)."""

CALIB_H_SIZE = 7
"""Bytes of calib26 to calib32 (0xE1 to 0xE7)."""

SKIPPED = 0x80000
"""Raw pressure or temperature of a channel that was not measured (section 5.4.7)."""

SKIPPED_H = 0x8000

RANGES = {"temperature": (-40.0, 85.0), "pressure": (300.0, 1100.0), "humidity": (0.0, 100.0)}
"""Operating ranges (table 1): °C, hPa, %. Outside them the value is uncertain."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """dig_T1 to dig_P9 in the order of the registers; dig_H1 to dig_H6, empty for a BMP280."""

    t: tuple[int, ...]
    p: tuple[int, ...]
    h: tuple[int, ...] = ()


def parse_calibration(calib00: bytes, calib26: bytes = b"") -> Calibration:
    """calib00: 26 bytes from 0x88. calib26: 7 bytes from 0xE1, none for a BMP280.

    CorruptData for registers that were never written or not copied from the chip's memory yet.
    """
    if len(set(calib00[:24])) < 2:
        raise CorruptData(f"calibration registers all read 0x{calib00[0]:02x}")
    words = struct.unpack_from("<HhhHhhhhhhhh", calib00)
    return Calibration(words[:3], words[3:], _humidity_calibration(calib00, calib26))


def _humidity_calibration(calib00: bytes, calib26: bytes) -> tuple[int, ...]:
    """dig_H4 and dig_H5 are signed 12-bit numbers that share a byte (table 16).

    0xE1-E2  0xE3  0xE4        0xE5                   0xE6        0xE7
    H2       H3    H4 [11:4]   H5 [3:0] | H4 [3:0]    H5 [11:4]   H6
    """
    if not calib26:
        return ()
    h1 = calib00[25]
    h2, h3, h4_high, shared, h5_high, h6 = struct.unpack("<hBbBbb", calib26)
    return h1, h2, h3, h4_high << 4 | shared & 0x0F, h5_high << 4 | shared >> 4, h6


def decode(data: bytes, calibration: Calibration) -> list[Reading]:
    """The data registers from 0xF7: 8 bytes of a BME280, or 6 of a BMP280.

    press_msb press_lsb press_xlsb | temp_msb temp_lsb temp_xlsb | hum_msb hum_lsb
    20 bits, high nibbles first    | the same                    | 16 bits
    """
    adc_p = int.from_bytes(data[0:3], "big") >> 4
    adc_t = int.from_bytes(data[3:6], "big") >> 4
    t_fine = fine_temperature(adc_t, calibration.t)
    known = adc_t != SKIPPED
    pressure = pressure_hpa(adc_p, t_fine, calibration.p) if known and adc_p != SKIPPED else None
    readings = [
        _reading("temperature", t_fine / 5120 if known else None),
        _reading("pressure", pressure),
    ]
    if calibration.h:
        adc_h = int.from_bytes(data[6:8], "big")
        measured = known and adc_h != SKIPPED_H
        humidity = humidity_percent(adc_h, t_fine, calibration.h) if measured else None
        readings.append(_reading("humidity", humidity))
    return readings


def fine_temperature(adc_t: int, dig_t: tuple[int, ...]) -> float:
    """t_fine: 5120 to the °C; pressure and humidity need it."""
    t1, t2, t3 = dig_t
    difference = adc_t / 16384 - t1 / 1024
    return difference * t2 + (difference / 8) ** 2 * t3


def pressure_hpa(adc_p: int, t_fine: float, dig_p: tuple[int, ...]) -> float | None:
    """None where the parameters would divide by zero."""
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = dig_p
    t = t_fine / 2 - 64000
    offset = (t * t * p6 / 32768 + t * p5 * 2) / 4 + p4 * 65536
    scale = (1 + (p3 * t * t / 524288 + p2 * t) / 524288 / 32768) * p1
    if scale == 0:
        return None
    p = (1048576 - adc_p - offset / 4096) * 6250 / scale
    return (p + (p9 * p * p / 2147483648 + p * p8 / 32768 + p7) / 16) / 100


def humidity_percent(adc_h: int, t_fine: float, dig_h: tuple[int, ...]) -> float:
    """Held to 0 to 100, as the data sheet's code does: condensation reads above."""
    h1, h2, h3, h4, h5, h6 = dig_h
    t = t_fine - 76800
    slope = h2 / 65536 * (1 + h6 / 67108864 * t * (1 + h3 / 67108864 * t))
    h = (adc_h - (h4 * 64 + h5 / 16384 * t)) * slope
    return min(100.0, max(0.0, h * (1 - h1 * h / 524288)))


def _reading(channel: str, value: float | None) -> Reading:
    if value is None:
        return Reading(channel, None, Quality.BAD)
    low, high = RANGES[channel]
    return Reading(channel, value, Quality.GOOD if low <= value <= high else Quality.UNCERTAIN)
