"""BMP280: temperature and pressure (Bosch BST-BMP280-DS001, rev. 1.26).

The registers are a BME280's without humidity. Wiring and config: hardware/bmp280.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.base import Channel
from drivers.i2c.bme280 import Bme280


class Bmp280(Bme280):
    """One forced measurement a reading."""

    CHIP_IDS = frozenset({0x56, 0x57, 0x58})
    """0x58 is mass production; the other two are samples that are on sale too."""

    HUMIDITY = False

    channels: Sequence[Channel] = (
        Channel("temperature", "temperature", digits=2),
        Channel("pressure", "pressure", digits=2),
    )


DRIVER = Bmp280
