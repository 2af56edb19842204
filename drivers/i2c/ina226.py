"""INA226: voltage, current and power of a direct current up to 36 V (TI SBOS547B).

The current is computed here from the voltage across the shunt; the chip's calibration register is
not needed. Wiring and config: hardware/ina226.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated, Literal

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
MASK_ENABLE = 0x06
MANUFACTURER_ID = 0xFE
DIE_ID = 0xFF

MANUFACTURER_TI = 0x5449
DIE_INA226 = 0x226
"""Bits 15 to 4 of the die id; the rest is the revision."""

RESERVED = 0x4000
"""Bit 14 reads 1 (table 6)."""
CT_1100_US = 0b100
MODE_BOTH_TRIGGERED = 0b011
CVRF = 0x0008
"""Conversion ready, in mask/enable; reading that register clears it (7.6.7)."""

CONVERSION_S = 0.00121
"""Of one conversion of 1.1 ms, maximum (6.5)."""
POLL_S, POLLS = 0.005, 5

AVERAGES = {1: 0, 4: 1, 16: 2, 64: 3, 128: 4, 256: 5, 512: 6, 1024: 7}

SHUNT_LSB_V = 2.5e-6
BUS_LSB_V = 1.25e-3
BUS_MAX_V = 36.0

OTHERS = {0x322: 'an INA3221: use driver = "ina3221"', 0x227: "an INA260"}

Average = Literal[1, 4, 16, 64, 128, 256]


class Ina226:
    """One triggered measurement a reading."""

    channels: Sequence[Channel] = (
        Channel("voltage", "voltage", digits=4),
        Channel("current", "current", digits=5),
        Channel("power", "power", digits=4),
    )

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("0x40 plus A1 and A0", low=0x40, high=0x4F)] = 0x40,
        shunt: Annotated[float, Option("the shunt", "Ω", low=0.00001, high=100)] = 0.1,
        samples: Annotated[Average, Option("conversions of 1.1 ms that are averaged")] = 64,
    ) -> None:
        self._bus = bus
        self._address = address
        self._shunt = shunt
        self._config = RESERVED | AVERAGES[samples] << 9 | CT_1100_US << 6 | CT_1100_US << 3
        self._config |= MODE_BOTH_TRIGGERED
        self._conversion_s = 2 * samples * CONVERSION_S

    def start(self) -> None:
        check_identity(self._word(MANUFACTURER_ID), self._word(DIE_ID), DIE_INA226, OTHERS)

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self._bus.write(self._address, bytes([CONFIGURATION]) + self._config.to_bytes(2, "big"))
        yield self._conversion_s
        for _ in range(POLLS):
            if self._word(MASK_ENABLE) & CVRF:
                break
            yield POLL_S
        else:
            raise NoAnswer(f"0x{self._address:02x}: no conversion ended")
        if self._word(CONFIGURATION) != self._config:
            raise CorruptData("the configuration is not as it was written: reset meanwhile?")
        shunt = self._bus.write_read(self._address, bytes([SHUNT_VOLTAGE]), 2)
        bus = self._bus.write_read(self._address, bytes([BUS_VOLTAGE]), 2)
        return decode(shunt, bus, self._shunt)

    def close(self) -> None:
        pass

    def _word(self, register: int) -> int:
        return int.from_bytes(self._bus.write_read(self._address, bytes([register]), 2), "big")


def check_identity(manufacturer: int, die: int, wanted: int, others: dict[int, str]) -> None:
    """WrongDevice unless both ids (registers 0xFE and 0xFF) are those of the chip."""
    if manufacturer != MANUFACTURER_TI:
        raise WrongDevice(
            f"manufacturer id 0x{manufacturer:04x} is not 0x{MANUFACTURER_TI:04x}: an INA219 (it "
            'has no id: driver = "ina219"), an HTU21D or a PCA9685 may be there'
        )
    if die >> 4 != wanted:
        what = others.get(die >> 4, "another chip of TI's")
        raise WrongDevice(f"die id 0x{die:04x} is that of {what}")


def decode(shunt: bytes, bus: bytes, ohm: float) -> list[Reading]:
    """Shunt: two's complement, 2.5 µV, ±81.9175 mV. Bus: 1.25 mV, never negative (7.6.2, 7.6.3).

    Current and power have no value when the shunt's voltage is at the end of the range.
    """
    code = int.from_bytes(shunt, "big", signed=True)
    volts = int.from_bytes(bus, "big", signed=True) * BUS_LSB_V
    quality = Quality.GOOD if 0 <= volts <= BUS_MAX_V else Quality.UNCERTAIN
    readings = [Reading("voltage", volts, quality)]
    if code in (0x7FFF, -0x8000):
        return [*readings, *(Reading(name, None, Quality.BAD) for name in ("current", "power"))]
    ampere = code * SHUNT_LSB_V / ohm
    return [*readings, Reading("current", ampere), Reading("power", volts * ampere, quality)]


DRIVER = Ina226
