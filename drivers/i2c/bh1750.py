"""BH1750FVI: illuminance (ROHM 11046EDT01).

One-time measurements in high resolution mode; the chip powers down by itself after each.
Wiring and config: hardware/bh1750.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Channel, I2CBus, Option, Quality, Reading

POWER_ON = b"\x01"
ONE_TIME_H_RESOLUTION = b"\x20"

MEASURE_S = 0.18
"""H-resolution mode, maximum."""

COUNTS_PER_LUX = 1.2
SATURATED = 0xFFFF


class Bh1750:
    channels: Sequence[Channel] = (Channel("illuminance", "illuminance", digits=1),)

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[
            int, Option("0x23 with ADDR open or at GND, 0x5C at VCC", choices=(0x23, 0x5C))
        ] = 0x23,
    ) -> None:
        self._bus = bus
        self._address = address

    def start(self) -> None:
        self._bus.write(self._address, POWER_ON)

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self._bus.write(self._address, ONE_TIME_H_RESOLUTION)
        yield MEASURE_S
        return decode(self._bus.read(self._address, 2))

    def close(self) -> None:
        pass


def decode(data: bytes) -> list[Reading]:
    """16 bits, 1.2 counts a lux. Full scale (54612 lx) is `uncertain`: it may be brighter."""
    counts = int.from_bytes(data, "big")
    quality = Quality.UNCERTAIN if counts == SATURATED else Quality.GOOD
    return [Reading("illuminance", counts / COUNTS_PER_LUX, quality)]


DRIVER = Bh1750
