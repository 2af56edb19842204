"""SHT40, SHT41, SHT45: temperature and relative humidity (Sensirion SHT4x, version 6).

Wiring and config: hardware/sht4x.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Channel, I2CBus, Option, Quality, Reading
from drivers.i2c.crc8 import words

MEASURE_HIGH_PRECISION = b"\xfd"
READ_SERIAL = b"\x89"
SOFT_RESET = b"\x94"

MEASURE_S = 0.0083
"""t_MEAS,h, maximum (table 5)."""

RESET_S = 0.001
"""t_SR, maximum (table 5)."""

T_RANGE = (-40.0, 125.0)


class Sht4x:
    """One high precision measurement a reading; both values from the same moment."""

    channels: Sequence[Channel] = (
        Channel("temperature", "temperature", digits=2),
        Channel("humidity", "humidity", digits=2),
    )

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[
            int,
            Option("0x44 for types -A and -AD1B, 0x45 for -B, 0x46 for -C", choices=(68, 69, 70)),
        ] = 0x44,
    ) -> None:
        self._bus = bus
        self._address = address

    def start(self) -> Generator[float, None, None]:
        """Reset; the serial number proves that it is such a chip."""
        self._bus.write(self._address, SOFT_RESET)
        yield RESET_S
        self._bus.write(self._address, READ_SERIAL)
        yield RESET_S
        words(self._bus.read(self._address, 6))

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self._bus.write(self._address, MEASURE_HIGH_PRECISION)
        yield MEASURE_S
        return decode(self._bus.read(self._address, 6))

    def close(self) -> None:
        pass


def decode(data: bytes) -> list[Reading]:
    """T msb, T lsb, CRC, RH msb, RH lsb, CRC (section 4.6). CorruptData for a wrong checksum.

    The line for the humidity crosses 0 and 100 %; outside them it is cropped (section 4.6).
    """
    s_t, s_rh = words(data)
    temperature = -45 + 175 * s_t / 65535
    humidity = min(100.0, max(0.0, -6 + 125 * s_rh / 65535))
    good = T_RANGE[0] <= temperature <= T_RANGE[1]
    quality = Quality.GOOD if good else Quality.UNCERTAIN
    return [Reading("temperature", temperature, quality), Reading("humidity", humidity, quality)]


DRIVER = Sht4x
