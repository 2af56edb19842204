"""SHT30, SHT31, SHT35: temperature and relative humidity (Sensirion SHT3x-DIS, version 7).

Single shots of high repeatability without clock stretching, so that the bus is free meanwhile.
Wiring and config: hardware/sht3x.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Channel, I2CBus, Option, Quality, Reading
from drivers.i2c.crc8 import words

SINGLE_SHOT_HIGH = bytes.fromhex("2400")
SOFT_RESET = bytes.fromhex("30a2")
READ_STATUS = bytes.fromhex("f32d")

MEASURE_S = 0.0155
"""t_MEAS,h, maximum (table 4)."""

RESET_S = 0.0015
"""t_SR, maximum (table 4)."""

T_RANGE = (-40.0, 125.0)


class Sht3x:
    """One single shot a reading; both values from the same moment."""

    channels: Sequence[Channel] = (
        Channel("temperature", "temperature", digits=2),
        Channel("humidity", "humidity", digits=2),
    )

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("0x44, or 0x45 with ADDR at VDD", choices=(0x44, 0x45))] = (
            0x44
        ),
    ) -> None:
        self._bus = bus
        self._address = address

    def start(self) -> Generator[float, None, None]:
        """Reset, which also switches the heater off; the status proves that it is such a chip."""
        self._bus.write(self._address, SOFT_RESET)
        yield RESET_S
        words(self._bus.write_read(self._address, READ_STATUS, 3))

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self._bus.write(self._address, SINGLE_SHOT_HIGH)
        yield MEASURE_S
        return decode(self._bus.read(self._address, 6))

    def close(self) -> None:
        pass


def decode(data: bytes) -> list[Reading]:
    """T msb, T lsb, CRC, RH msb, RH lsb, CRC (section 4.13). CorruptData for a wrong checksum."""
    s_t, s_rh = words(data)
    temperature = -45 + 175 * s_t / 65535
    good = T_RANGE[0] <= temperature <= T_RANGE[1]
    quality = Quality.GOOD if good else Quality.UNCERTAIN
    return [
        Reading("temperature", temperature, quality),
        Reading("humidity", 100 * s_rh / 65535, quality),
    ]


DRIVER = Sht3x
