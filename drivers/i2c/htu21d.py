"""HTU21D, SHT21, Si7021: temperature and relative humidity (TE HPC199_5; Silicon Labs Si7021-A20).

Wiring and config: hardware/htu21d.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Channel, CorruptData, I2CBus, Option, Quality, Reading, WrongDevice
from drivers.i2c.crc8 import crc8

TRIGGER_TEMPERATURE_NO_HOLD = b"\xf3"
TRIGGER_HUMIDITY_NO_HOLD = b"\xf5"
READ_USER_REGISTER = b"\xe7"
SOFT_RESET = b"\xfe"

USER_RESOLUTION = 0x81
USER_END_OF_BATTERY = 0x40

RESET_S = 0.015
TEMPERATURE_S = 0.05
"""14 bits, maximum of the HTU21D; the Si7021 takes 11 ms."""
HUMIDITY_S = 0.024
"""12 bits: HTU21D 16 ms; the Si7021 measures the temperature too, 23 ms."""

T_RANGE = (-40.0, 125.0)


class Htu21d:
    """Two measurements a reading, without holding the clock line."""

    channels: Sequence[Channel] = (
        Channel("temperature", "temperature", digits=2),
        Channel("humidity", "humidity", digits=2),
    )

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("fixed at 0x40", choices=(0x40,))] = 0x40,
    ) -> None:
        self._bus = bus
        self._address = address

    def start(self) -> Generator[float, None, None]:
        """Reset, then look whether the user register is that of such a chip."""
        self._bus.write(self._address, SOFT_RESET)
        yield RESET_S
        user = self._bus.write_read(self._address, READ_USER_REGISTER, 1)[0]
        if user & USER_RESOLUTION:
            raise WrongDevice(
                f"user register 0x{user:02x} after a reset at 0x40: an INA219 or a PCA9685?"
            )

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self._bus.write(self._address, TRIGGER_TEMPERATURE_NO_HOLD)
        yield TEMPERATURE_S
        temperature = self._bus.read(self._address, 3)
        self._bus.write(self._address, TRIGGER_HUMIDITY_NO_HOLD)
        yield HUMIDITY_S
        return decode(temperature, self._bus.read(self._address, 3))

    def close(self) -> None:
        pass


def decode(temperature: bytes, humidity: bytes) -> list[Reading]:
    """Each: msb, lsb with two status bits, CRC. CorruptData for a wrong checksum."""
    celsius = -46.85 + 175.72 * _signal(temperature) / 65536
    percent = min(100.0, max(0.0, -6 + 125 * _signal(humidity) / 65536))
    good = T_RANGE[0] <= celsius <= T_RANGE[1]
    quality = Quality.GOOD if good else Quality.UNCERTAIN
    return [Reading("temperature", celsius, quality), Reading("humidity", percent, quality)]


def _signal(data: bytes) -> int:
    check = crc8(data[:2], initial=0)
    if check != data[2]:
        raise CorruptData(f"{data[:2].hex()} has the checksum 0x{data[2]:02x}, not 0x{check:02x}")
    return int.from_bytes(data[:2], "big") & 0xFFFC


DRIVER = Htu21d
