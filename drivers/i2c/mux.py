"""TCA9548A, PCA9548A: eight I2C buses behind one (TI SCPS207H, 8.5 and 8.6).

A channel is connected for each transfer and disconnected after it, so that chips with the same
address behind different channels, or behind two multiplexers, never meet. That costs two transfers
of a byte. Wiring and config: hardware/tca9548a.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from drivers.base import BusFault, I2CBus, NoAnswer

CHANNELS = range(8)
ADDRESSES = range(0x70, 0x78)


class MuxedI2C:
    """An I2CBus that is one channel of a multiplexer on another I2CBus.

    Called by the thread of the bus that it hangs on, like everything on that.
    """

    def __init__(self, parent: I2CBus, address: int, channel: int) -> None:
        self._parent = parent
        self._address = address
        self._channel = channel

    def read(self, address: int, count: int) -> bytes:
        with self._connected():
            return self._parent.read(address, count)

    def write(self, address: int, data: bytes) -> None:
        with self._connected():
            self._parent.write(address, data)

    def write_read(self, address: int, data: bytes, count: int) -> bytes:
        with self._connected():
            return self._parent.write_read(address, data, count)

    def close(self) -> None:
        """The parent is closed by who opened it."""

    @contextmanager
    def _connected(self) -> Iterator[None]:
        self._select(1 << self._channel)
        try:
            yield
        except NoAnswer as error:
            raise NoAnswer(f"{error}, channel {self._channel} of 0x{self._address:02x}") from error
        finally:
            self._select(0)

    def _select(self, channels: int) -> None:
        try:
            self._parent.write(self._address, bytes([channels]))
        except NoAnswer as error:
            raise BusFault(f"the multiplexer at 0x{self._address:02x} does not answer") from error
