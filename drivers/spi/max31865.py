"""MAX31865: Pt100 and Pt1000, -200 to 850 °C (Maxim 19-6478, revision 3; IEC 60751:2008).

One-shot conversions, the bias on only meanwhile, so that the resistor does not warm itself. Wiring
and config: hardware/max31865.md.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import Annotated, Literal

from drivers.base import Channel, CorruptData, Option, Quality, Reading, SPIBus

HERTZ = 4_000_000
"""5 MHz at most; mode 1 or 3."""
MODE = 1

CONFIGURATION = 0x00
RTD_MSB = 0x01
FAULT_STATUS = 0x07
WRITE = 0x80

VBIAS, ONE_SHOT, THREE_WIRE, FAULT_CLEAR, FILTER_50_HZ = 0x80, 0x20, 0x10, 0x02, 0x01
HIGH_THRESHOLD = 0x03
"""Registers 3 to 6: fault thresholds, FFFF and 0000 after power-up (table 1)."""

BIAS_S = 0.0105
"""More than 10.5 time constants, 4.5 ms with 100 nF at a Pt1000's 4.3 kΩ, and 1 ms (register 00h,
one-shot)."""
CONVERSION_S = 0.066
"""With the filter for 50 Hz, maximum; 55 ms for 60 Hz."""

A, B, C = 3.9083e-3, -5.775e-7, -4.183e-12
"""IEC 60751."""

T_RANGE = (-200.0, 850.0)


class Max31865:
    channels: Sequence[Channel] = (
        Channel("temperature", "temperature", digits=2),
        Channel("resistance", "resistance", digits=3),
    )

    def __init__(
        self,
        bus: SPIBus,
        *,
        sensor: Annotated[Literal["pt100", "pt1000"], Option("resistance at 0 °C")] = "pt100",
        reference: Annotated[
            float | None,
            Option("reference resistor; unset: 430 for a Pt100, 4300 for a Pt1000", "Ω", low=1),
        ] = None,
        wires: Annotated[Literal[2, 3, 4], Option("of the sensor")] = 2,
        mains: Annotated[Literal[50, 60], Option("frequency that is filtered out, Hz")] = 50,
    ) -> None:
        self._bus = bus
        self._r0 = 100.0 if sensor == "pt100" else 1000.0
        self._reference = reference or 4.3 * self._r0
        self._base = (THREE_WIRE if wires == 3 else 0) | (FILTER_50_HZ if mains == 50 else 0)

    def start(self) -> None:
        """The thresholds of power-up are there and can be read: no other chip answers so."""
        thresholds = self._read(HIGH_THRESHOLD, 4)
        if thresholds[0] | 0x01 == 0x01 or thresholds[2] == 0xFF:
            raise CorruptData(
                f"fault thresholds read {thresholds.hex()}: is the chip there, and powered?"
            )

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self._write(CONFIGURATION, self._base | VBIAS | FAULT_CLEAR)
        yield BIAS_S
        self._write(CONFIGURATION, self._base | VBIAS | ONE_SHOT)
        yield CONVERSION_S
        configuration = self._read(CONFIGURATION, 1)[0]
        if configuration != self._base | VBIAS:
            raise CorruptData(f"configuration reads 0x{configuration:02x}: reset meanwhile?")
        rtd = self._read(RTD_MSB, 2)
        fault = self._read(FAULT_STATUS, 1)[0] if rtd[1] & 1 else 0
        self._write(CONFIGURATION, self._base)
        return decode(rtd, fault, self._reference, self._r0)

    def close(self) -> None:
        pass

    def _read(self, first: int, count: int) -> bytes:
        return self._bus.transfer(bytes([first]) + bytes(count), mode=MODE, hertz=HERTZ)[1:]

    def _write(self, register: int, value: int) -> None:
        self._bus.transfer(bytes([register | WRITE, value]), mode=MODE, hertz=HERTZ)


def decode(rtd: bytes, fault: int, reference: float, r0: float) -> list[Reading]:
    """15 bits: resistance as a share of the reference; bit 0 says that there was a fault.

    A fault is an open or touching wire: no value. A code of 0 or full scale is one too.
    """
    code = int.from_bytes(rtd, "big") >> 1
    if fault or rtd[1] & 1 or code in (0, 0x7FFF):
        return [Reading(name, None, Quality.BAD) for name in ("temperature", "resistance")]
    ohm = code * reference / 32768
    celsius = celsius_of(ohm / r0)
    good = T_RANGE[0] <= celsius <= T_RANGE[1]
    quality = Quality.GOOD if good else Quality.UNCERTAIN
    return [Reading("temperature", celsius, quality), Reading("resistance", ohm)]


def celsius_of(ratio: float) -> float:
    """Callendar and Van Dusen: R/R0 = 1 + At + Bt², below 0 °C also + C(t - 100)t³."""
    celsius = (-A + math.sqrt(max(0.0, A * A - 4 * B * (1 - ratio)))) / (2 * B)
    if ratio >= 1:
        return celsius
    for _ in range(8):  # Newton; three rounds reach 1e-9 °C
        cubic = C * (celsius - 100) * celsius**3
        value = 1 + A * celsius + B * celsius**2 + cubic - ratio
        slope = A + 2 * B * celsius + C * (4 * celsius**3 - 300 * celsius**2)
        celsius -= value / slope
    return celsius


DRIVER = Max31865
