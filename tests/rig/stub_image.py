"""The registers that a driver reads of its chip, for a bus of dumb registers: i2c-stub.

The driver runs on its simulated chip and every answer is kept. On i2c-stub a register is a word: a
byte is its lower half, what is read as a word has both, the first byte on the wire the lower one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.base import BusFault, I2CBus
from drivers.simulated.bus import Chip, SimulatedI2CBus


class Recording:
    """An I2CBus that keeps what registers gave last: number -> word."""

    def __init__(self, chip: Chip, address: int) -> None:
        self._bus = SimulatedI2CBus({address: chip})
        self.image: dict[int, int] = {}

    def read(self, address: int, count: int) -> bytes:
        raise BusFault("SMBus has no read without a register, but of one byte")

    def write(self, address: int, data: bytes) -> None:
        self._bus.write(address, data)

    def write_read(self, address: int, data: bytes, count: int) -> bytes:
        answer = self._bus.write_read(address, data, count)
        (register,) = data
        if count == 2:
            self.image[register] = int.from_bytes(answer, "little")
        else:
            for at, byte in enumerate(answer, register):
                self.image[at] = self.image.get(at, 0) & 0xFF00 | byte
        return answer


def recorded(
    chip: Chip, address: int, use: Callable[[I2CBus], dict[str, Any]]
) -> tuple[dict[int, int], dict[str, Any]]:
    """The registers after one use of the driver, and what it said."""
    bus = Recording(chip, address)
    said = use(bus)
    return bus.image, said
