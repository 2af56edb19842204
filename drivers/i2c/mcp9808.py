"""MCP9808: temperature, ±0.25 °C (Microchip DS25095A).

Wiring and config: hardware/mcp9808.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Channel, I2CBus, Option, Quality, Reading, WrongDevice

CONFIG = 0x01
T_A = 0x05
MANUFACTURER_ID = 0x06
DEVICE_ID = 0x07

MANUFACTURER = 0x0054
DEVICE = 0x04

CONVERSION_S = 0.25
"""t_CONV at 0.0625 °C, typical (table 5-4); the chip converts all the time."""

T_RANGE = (-40.0, 125.0)


class Mcp9808:
    channels: Sequence[Channel] = (Channel("temperature", "temperature", digits=4),)

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("0x18 plus A0, A1, A2", low=0x18, high=0x1F)] = 0x18,
    ) -> None:
        self._bus = bus
        self._address = address

    def start(self) -> Generator[float, None, None]:
        """Check the ids, end a shutdown, wait for the first conversion."""
        manufacturer = self._word(MANUFACTURER_ID)
        device = self._word(DEVICE_ID) >> 8
        if (manufacturer, device) != (MANUFACTURER, DEVICE):
            raise WrongDevice(
                f"ids 0x{manufacturer:04x}, 0x{device:02x} at 0x{self._address:02x} are not an "
                "MCP9808's; at 0x18 and 0x19 there may be an accelerometer LIS3DH"
            )
        self._bus.write(self._address, bytes([CONFIG, 0, 0]))
        yield CONVERSION_S

    def read(self) -> Sequence[Reading]:
        return decode(self._bus.write_read(self._address, bytes([T_A]), 2))

    def close(self) -> None:
        pass

    def _word(self, register: int) -> int:
        return int.from_bytes(self._bus.write_read(self._address, bytes([register]), 2), "big")


def decode(data: bytes) -> list[Reading]:
    """Three alarm flags, then the temperature in two's complement (register 5-4).

    alarm [15:13] | sign [12] | 128 °C ... 1/16 °C [11:0]
    """
    raw = int.from_bytes(data, "big") & 0x1FFF
    temperature = (raw - 0x2000 if raw & 0x1000 else raw) / 16
    good = T_RANGE[0] <= temperature <= T_RANGE[1]
    return [Reading("temperature", temperature, Quality.GOOD if good else Quality.UNCERTAIN)]


DRIVER = Mcp9808
