"""The real SPI: one chip select, /dev/spidevB.C, through spidev. No other module imports it.

spidev is loaded when a transfer is first made: it is needed by SPI chips alone. On Raspberry Pi OS
it is python3-spidev.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from drivers.base import BusFault, BusMissing, DriverError

SPIDEV_MISSING = (
    "the Python library spidev is missing; on Raspberry Pi OS: sudo apt install python3-spidev"
)


class LinuxSPI:
    """An SPIBus. It opens on first use and forgets a descriptor that failed."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._spi: Any = None

    def transfer(self, data: bytes, *, mode: int, hertz: int) -> bytes:
        try:
            if self._spi is None:
                self._spi = _opened(self._device)
            if self._spi.mode != mode:
                self._spi.mode = mode
            return bytes(self._spi.xfer2(list(data), hertz))
        except DriverError:
            raise
        except OSError as error:
            raise self._explained(error) from error

    def close(self) -> None:
        if self._spi is not None:
            self._spi.close()
            self._spi = None

    def _explained(self, error: OSError) -> DriverError:
        self.close()
        if not os.path.exists(self._device):
            return BusMissing(
                f"{self._device} does not exist; for the Pi's own bus: "
                "sudo raspi-config nonint do_spi 0"
            )
        if error.errno == errno.EACCES:
            return BusFault(
                f"{self._device}: no permission; add the user to the group spi: "
                "sudo adduser USER spi"
            )
        return BusFault(f"{self._device}: {error.strerror or error}")


def _opened(device: str) -> Any:
    try:
        import spidev
    except ImportError as error:
        raise BusMissing(SPIDEV_MISSING) from error
    spi = spidev.SpiDev()
    number = device.removeprefix("/dev/spidev")
    bus, _, select = number.partition(".")
    spi.open(int(bus), int(select))
    return spi
