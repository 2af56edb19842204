"""INA3221: voltage, current and power of three direct currents up to 26 V (TI SBOS576B).

Wiring and config: hardware/ina3221.md.
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
    OptionError,
    Quality,
    Reading,
)
from drivers.i2c.ina226 import check_identity

CONFIGURATION = 0x00
SHUNT_VOLTAGE_1 = 0x01
"""The bus voltage follows, then the same for channels 2 and 3."""
MASK_ENABLE = 0x0F
MANUFACTURER_ID = 0xFE
DIE_ID = 0xFF

DIE_INA3221 = 0x322
CHANNEL_ENABLE = {1: 0x4000, 2: 0x2000, 3: 0x1000}
CT_1100_US = 0b100
MODE_BOTH_SINGLE = 0b011
CVRF = 0x0001
"""Conversion ready, in mask/enable (8.6.2.16)."""

CONVERSION_S = 0.00121
"""Of one conversion of 1.1 ms, maximum (7.5)."""
POLL_S, POLLS = 0.005, 5

AVERAGES = {1: 0, 4: 1, 16: 2, 64: 3}

SHUNT_LSB_V = 40e-6
BUS_LSB_V = 8e-3
SHUNT_FULL = 0x7FF8
"""163.8 mV: the end of the range."""
BUS_MAX_V = 26.0

OTHERS = {0x226: 'an INA226: use driver = "ina226"'}


class Ina3221:
    """One single-shot measurement of the channels in use a reading."""

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("0x40 to 0x43, by A0", low=0x40, high=0x43)] = 0x40,
        shunt: Annotated[float, Option("the three shunts", "Ω", low=0.0001, high=100)] = 0.1,
        used: Annotated[tuple[int, ...], Option("channels in use, of 1 to 3")] = (1, 2, 3),
        samples: Annotated[
            Literal[1, 4, 16, 64], Option("conversions of 1.1 ms that are averaged")
        ] = 16,
    ) -> None:
        if not used or not set(used) <= set(CHANNEL_ENABLE) or len(set(used)) < len(used):
            raise OptionError("used: some of 1, 2 and 3, each once")
        self.channels: Sequence[Channel] = [
            Channel(f"{quantity}_{number}", quantity, digits=digits)
            for number in used
            for quantity, digits in (("voltage", 3), ("current", 4), ("power", 3))
        ]
        self._bus = bus
        self._address = address
        self._shunt = shunt
        self._used = used
        self._config = AVERAGES[samples] << 9 | CT_1100_US << 6 | CT_1100_US << 3 | MODE_BOTH_SINGLE
        self._config |= sum(CHANNEL_ENABLE[number] for number in used)
        self._conversion_s = 2 * len(used) * samples * CONVERSION_S

    def start(self) -> None:
        check_identity(self._word(MANUFACTURER_ID), self._word(DIE_ID), DIE_INA3221, OTHERS)

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
        readings: list[Reading] = []
        for number in self._used:
            first = SHUNT_VOLTAGE_1 + 2 * (number - 1)
            shunt = self._bus.write_read(self._address, bytes([first]), 2)
            bus = self._bus.write_read(self._address, bytes([first + 1]), 2)
            readings += decode(shunt, bus, self._shunt, number)
        return readings

    def close(self) -> None:
        pass

    def _word(self, register: int) -> int:
        return int.from_bytes(self._bus.write_read(self._address, bytes([register]), 2), "big")


def decode(shunt: bytes, bus: bytes, ohm: float, number: int) -> list[Reading]:
    """Both: 13 bits, two's complement, above three bits that say nothing; 40 µV and 8 mV
    (8.6.2.2, 8.6.2.3). Current and power have no value at the end of the shunt's range."""
    code = int.from_bytes(shunt, "big", signed=True)
    volts = (int.from_bytes(bus, "big", signed=True) >> 3) * BUS_LSB_V
    quality = Quality.GOOD if 0 <= volts <= BUS_MAX_V else Quality.UNCERTAIN
    readings = [Reading(f"voltage_{number}", volts, quality)]
    if code >= SHUNT_FULL or code <= -0x8000:
        names = (f"current_{number}", f"power_{number}")
        return [*readings, *(Reading(name, None, Quality.BAD) for name in names)]
    ampere = (code >> 3) * SHUNT_LSB_V / ohm
    return [
        *readings,
        Reading(f"current_{number}", ampere),
        Reading(f"power_{number}", volts * ampere, quality),
    ]


DRIVER = Ina3221
