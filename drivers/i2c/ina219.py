"""INA219: voltage, current and power of a direct current up to 26 V (TI SBOS448G).

The current is computed here from the voltage across the shunt, so the chip's calibration register
is not needed and a chip that lost its power measures right all the same. Wiring and config:
hardware/ina219.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import (
    Channel,
    CorruptData,
    I2CBus,
    NoAnswer,
    Option,
    Quality,
    Reading,
    WrongDevice,
)  # fmt: skip

CONFIGURATION = 0x00
SHUNT_VOLTAGE = 0x01
BUS_VOLTAGE = 0x02

RESET = 0x8000
AFTER_RESET = 0x399F
BRNG_32V = 0x2000
ADC_128 = 0b1111
"""Mean of 128 conversions (table 5)."""
MODE_BOTH_TRIGGERED = 0b011

CONVERSION_S = 0.14
"""128 conversions of both take 2 x 68.10 ms, typically (table 5)."""
POLL_S, POLLS = 0.01, 5
RESET_S = 0.001

CNVR = 0x02
"""Conversion ready, in the bus voltage register."""

SHUNT_LSB_V = 10e-6
BUS_LSB_V = 4e-3
BUS_MAX_V = 26.0
"""Of the inputs (7.1); the range of 32 V is that of the converter."""

PG = {0.04: 0, 0.08: 1, 0.16: 2, 0.32: 3}
"""PG[1:0]: the largest voltage across the shunt, V (table 4)."""

OTHERS = {
    0x4127: 'an INA226: use driver = "ina226"',
    0x7127: 'an INA3221: use driver = "ina3221"',
}
"""What the configuration register of others holds after a reset."""


class Ina219:
    """One triggered measurement a reading, the mean of 128."""

    channels: Sequence[Channel] = (
        Channel("voltage", "voltage", digits=3),
        Channel("current", "current", digits=4),
        Channel("power", "power", digits=3),
    )

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("0x40 plus A1 and A0", low=0x40, high=0x4F)] = 0x40,
        shunt: Annotated[float, Option("the shunt", "Ω", low=0.0001, high=100)] = 0.1,
        range: Annotated[
            float, Option("largest voltage across the shunt, V", choices=tuple(PG))
        ] = 0.32,
    ) -> None:
        self._bus = bus
        self._address = address
        self._shunt = shunt
        self._range = range
        self._config = BRNG_32V | PG[range] << 11 | ADC_128 << 7 | ADC_128 << 3
        self._config |= MODE_BOTH_TRIGGERED

    def start(self) -> Generator[float, None, None]:
        """Reset; what the configuration then holds tells which chip it is."""
        self._bus.write(self._address, bytes([CONFIGURATION]) + RESET.to_bytes(2, "big"))
        yield RESET_S
        found = self._word(CONFIGURATION)
        if found != AFTER_RESET:
            what = OTHERS.get(found, "not an INA219's; an SHT2x, HTU21D or PCA9685 may be there")
            raise WrongDevice(
                f"configuration 0x{found:04x} after a reset at 0x{self._address:02x} is {what}"
            )

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self._bus.write(self._address, bytes([CONFIGURATION]) + self._config.to_bytes(2, "big"))
        yield CONVERSION_S
        for _ in range(POLLS):
            bus = self._bus.write_read(self._address, bytes([BUS_VOLTAGE]), 2)
            if bus[1] & CNVR:
                break
            yield POLL_S
        else:
            raise NoAnswer(f"0x{self._address:02x}: no conversion ended")
        if self._word(CONFIGURATION) != self._config:
            raise CorruptData("the configuration is not as it was written: reset meanwhile?")
        shunt = self._bus.write_read(self._address, bytes([SHUNT_VOLTAGE]), 2)
        return decode(shunt, bus, self._shunt, self._range)

    def close(self) -> None:
        pass

    def _word(self, register: int) -> int:
        return int.from_bytes(self._bus.write_read(self._address, bytes([register]), 2), "big")


def decode(shunt: bytes, bus: bytes, ohm: float, full_scale: float = 0.32) -> list[Reading]:
    """Shunt: two's complement, 10 µV. Bus: 13 bits of 4 mV, then two flags (8.6.3).

    Current and power have no value when the shunt's voltage is at the end of the range.
    """
    volts_shunt = int.from_bytes(shunt, "big", signed=True) * SHUNT_LSB_V
    volts = (int.from_bytes(bus, "big") >> 3) * BUS_LSB_V
    quality = Quality.GOOD if volts <= BUS_MAX_V else Quality.UNCERTAIN
    readings = [Reading("voltage", volts, quality)]
    if abs(volts_shunt) > full_scale - SHUNT_LSB_V / 2:
        return [*readings, *(Reading(name, None, Quality.BAD) for name in ("current", "power"))]
    ampere = volts_shunt / ohm
    return [*readings, Reading("current", ampere), Reading("power", volts * ampere, quality)]


DRIVER = Ina219
