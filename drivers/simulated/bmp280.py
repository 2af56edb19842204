"""BMP280 at register level: a BME280 without humidity (Bosch BST-BMP280-DS001)."""

from __future__ import annotations

from drivers.simulated.bme280 import Bme280


class Bmp280(Bme280):
    """ctrl_hum is reserved here: what is written to it has no effect on the registers used."""

    chip_id = 0x58


CHIP = Bmp280
