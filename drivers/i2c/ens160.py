"""ENS160, ENS161: air quality index, TVOC and an equivalent of CO2 (ScioSense SC-001224-DS-9).

Wiring and config: hardware/ens160.md.
"""

from __future__ import annotations

import struct
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

PART_ID = 0x00
OPMODE = 0x10
TEMP_IN = 0x13
DEVICE_STATUS = 0x20

ENS160, ENS161 = 0x0160, 0x0161
RESET, IDLE, STANDARD = 0xF0, 0x01, 0x02

STATUS_ERROR = 0x40
VALIDITY_SHIFT = 2
NEWDAT = 0x02

MODE_S = 0.01
POLL_S = 0.25
POLLS = 8
"""A new value comes every second (section 10)."""

VALIDITY = (Quality.GOOD, Quality.UNCERTAIN, Quality.UNCERTAIN, Quality.BAD)
"""Normal; warm-up (3 min after power); initial start-up (the first hour of its life); invalid."""

CHANNELS = ("air_quality_index", "voc", "co2_equivalent")


class Ens160:
    """Gives the newest values of a chip that measures every second."""

    channels: Sequence[Channel] = (
        Channel("air_quality_index", "air_quality_index", digits=0),
        Channel("voc", "voc", digits=0),
        Channel("co2_equivalent", "co2", digits=0),
    )

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[
            int, Option("0x52 with ADDR at GND, 0x53 at 3.3 V", choices=(0x52, 0x53))
        ] = 0x53,
        temperature: Annotated[
            float, Option("of the place, which the chip allows for", "°C", low=-40, high=85)
        ] = 25.0,
        humidity: Annotated[
            float, Option("of the place, which the chip allows for", "%", low=0, high=100)
        ] = 50.0,
    ) -> None:
        self._bus = bus
        self._address = address
        self._climate = struct.pack(
            "<HH", round((temperature + 273.15) * 64), min(0xFFFF, round(humidity * 512))
        )

    def start(self) -> Generator[float, None, None]:
        part = int.from_bytes(self._registers(PART_ID, 2), "little")
        if part not in (ENS160, ENS161):
            raise WrongDevice(f"part id 0x{part:04x} at 0x{self._address:02x} is not an ENS160's")
        for mode in (RESET, IDLE, STANDARD):
            self._bus.write(self._address, bytes([OPMODE, mode]))
            yield MODE_S
        self._bus.write(self._address, bytes([TEMP_IN]) + self._climate)

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        for _ in range(POLLS):
            data = self._registers(DEVICE_STATUS, 6)
            if data[0] & NEWDAT:
                return decode(data)
            yield POLL_S
        mode = self._registers(OPMODE, 1)[0]
        if mode != STANDARD:
            raise CorruptData(f"operating mode 0x{mode:02x}: reset meanwhile")
        raise NoAnswer(f"0x{self._address:02x}: no new value")

    def close(self) -> None:
        pass

    def _registers(self, first: int, count: int) -> bytes:
        return self._bus.write_read(self._address, bytes([first]), count)


def decode(data: bytes) -> list[Reading]:
    """DEVICE_STATUS, AQI (1 to 5), TVOC (ppb), eCO2 (ppm), from 0x20 (section 16.2)."""
    status, aqi, voc, co2 = struct.unpack("<BBHH", data)
    if status & STATUS_ERROR:
        raise CorruptData(f"device status 0x{status:02x}: the chip reports an error")
    quality = VALIDITY[status >> VALIDITY_SHIFT & 0b11]
    known = quality is not Quality.BAD
    values = (aqi & 0b111, voc, co2)
    return [
        Reading(name, value if known else None, quality)
        for name, value in zip(CHANNELS, values, strict=True)
    ]


DRIVER = Ens160
