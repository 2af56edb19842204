"""AHT20, AHT21, DHT20: temperature and relative humidity (Aosong AHT20, version 1.1).

Wiring and config: hardware/aht20.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Channel, CorruptData, I2CBus, NoAnswer, Option, Reading
from drivers.i2c.crc8 import crc8

SOFT_RESET = b"\xba"
INITIALIZE = bytes.fromhex("be0800")
TRIGGER = bytes.fromhex("ac3300")

STATUS_BUSY = 0x80
STATUS_CALIBRATED = 0x08

RESET_S = 0.02
INITIALIZE_S = 0.01
MEASURE_S = 0.08
"""Section 5.3 and 5.4."""

BUSY_POLL_S = 0.01
BUSY_POLLS = 5


class Aht20:
    """One measurement a reading; both values from the same moment."""

    channels: Sequence[Channel] = (
        Channel("temperature", "temperature", digits=2),
        Channel("humidity", "humidity", digits=2),
    )

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("fixed at 0x38", choices=(0x38,))] = 0x38,
    ) -> None:
        self._bus = bus
        self._address = address

    def start(self) -> Generator[float, None, None]:
        """Reset, and load the calibration where the chip has not done so by itself."""
        self._bus.write(self._address, SOFT_RESET)
        yield RESET_S
        if not self._bus.read(self._address, 1)[0] & STATUS_CALIBRATED:
            self._bus.write(self._address, INITIALIZE)
            yield INITIALIZE_S

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self._bus.write(self._address, TRIGGER)
        yield MEASURE_S
        for _ in range(BUSY_POLLS):
            data = self._bus.read(self._address, 7)
            if not data[0] & STATUS_BUSY:
                return decode(data)
            yield BUSY_POLL_S
        raise NoAnswer(f"0x{self._address:02x} stays busy (status 0x{data[0]:02x})")

    def close(self) -> None:
        pass


def decode(data: bytes) -> list[Reading]:
    """Seven bytes (section 5.4); CorruptData for a wrong checksum or a chip without calibration.

    status | RH [19:12] | RH [11:4] | RH [3:0], T [19:16] | T [15:8] | T [7:0] | CRC
    """
    if crc8(data[:6]) != data[6]:
        raise CorruptData(f"checksum 0x{data[6]:02x}, not 0x{crc8(data[:6]):02x}")
    if not data[0] & STATUS_CALIBRATED:
        raise CorruptData("the chip lost its calibration: reset meanwhile")
    s_rh = int.from_bytes(data[1:4], "big") >> 4
    s_t = int.from_bytes(data[3:6], "big") & 0xFFFFF
    return [
        Reading("temperature", s_t / 2**20 * 200 - 50),
        Reading("humidity", s_rh / 2**20 * 100),
    ]


DRIVER = Aht20
