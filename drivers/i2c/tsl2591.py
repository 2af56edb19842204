"""TSL2591: light from 188 µlx to 88,000 lx (ams TSL2591 data sheet, v1-00).

Two diodes: one sees visible light and infrared, one infrared alone. The data sheet has no formula
for lux; this is the one of the maker's own driver for this family, which every public driver uses.
Wiring and config: hardware/tsl2591.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Channel, I2CBus, NoAnswer, Option, Quality, Reading, WrongDevice

COMMAND = 0xA0
"""CMD and TRANSACTION = 01: a normal register access (command register)."""

ENABLE = 0x00
CONTROL = 0x01
ID = 0x12
STATUS = 0x13
C0DATAL = 0x14

DEVICE_ID = 0x50
PON, AEN = 0x01, 0x02
AVALID = 0x01

ATIME_100_MS = 0.1
INTEGRATION_S = 0.12
"""100 ms, and the clock up to 8 % slow (integration time, table 7)."""
POLL_S, POLLS = 0.01, 5

MAX_COUNT = 36863
"""Of either diode in 100 ms; more is saturation."""

GAINS = ((0x00, 1.0), (0x10, 25.0), (0x20, 428.0), (0x30, 9876.0))
"""AGAIN[5:4], and how much more sensitive than the lowest (typical)."""
DIM = 1000
"""Counts below which the next higher gain is more exact and cannot saturate (x 25 at most)."""

LUX_DF = 408.0
COEF_B, COEF_C, COEF_D = 1.64, 0.59, 0.86


class Tsl2591:
    """One integration of 100 ms a reading, at the gain that fits; more while the light jumps."""

    channels: Sequence[Channel] = (Channel("illuminance", "illuminance", digits=3),)

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("the only one", choices=(0x29,))] = 0x29,
    ) -> None:
        self._bus = bus
        self._address = address
        self._gain = 1

    def start(self) -> None:
        found = self._registers(ID, 1)[0]
        if found != DEVICE_ID:
            raise WrongDevice(
                f"id 0x{found:02x} at 0x{self._address:02x} is not a TSL2591's; a VL53L0X or a "
                "TSL2561 may be there"
            )

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        for _ in GAINS:
            counts = yield from self._integrate()
            gain = next_gain(self._gain, max(counts))
            if gain == self._gain:
                break
            self._gain = gain
        return decode(*counts, GAINS[self._gain][1])

    def close(self) -> None:
        pass

    def _integrate(self) -> Generator[float, None, tuple[int, int]]:
        """Counts of both diodes. The chip sleeps in between, which also clears AVALID."""
        self._write(ENABLE, 0)
        self._write(CONTROL, GAINS[self._gain][0])
        self._write(ENABLE, PON | AEN)
        yield INTEGRATION_S
        for _ in range(POLLS):
            status, *data = self._registers(STATUS, 5)
            if status & AVALID:
                self._write(ENABLE, 0)
                return data[0] | data[1] << 8, data[2] | data[3] << 8
            yield POLL_S
        raise NoAnswer(f"0x{self._address:02x}: no integration ended")

    def _write(self, register: int, value: int) -> None:
        self._bus.write(self._address, bytes([COMMAND | register, value]))

    def _registers(self, first: int, count: int) -> bytes:
        return self._bus.write_read(self._address, bytes([COMMAND | first]), count)


def next_gain(gain: int, count: int) -> int:
    """The place in GAINS for the next try; the same when this one fits."""
    if count >= MAX_COUNT:
        return max(0, gain - 1)
    return min(len(GAINS) - 1, gain + 1) if count < DIM else gain


def decode(full: int, infrared: int, gain: float) -> list[Reading]:
    """Lux of both diodes' counts in 100 ms. No value when the lowest gain saturates."""
    if max(full, infrared) >= MAX_COUNT:
        return [Reading("illuminance", None, Quality.BAD)]
    counts_per_lux = ATIME_100_MS * 1000 * gain / LUX_DF
    lux = max(full - COEF_B * infrared, COEF_C * full - COEF_D * infrared, 0) / counts_per_lux
    return [Reading("illuminance", lux)]


DRIVER = Tsl2591
