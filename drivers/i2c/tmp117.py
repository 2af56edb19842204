"""TMP117: temperature, ±0.1 °C (Texas Instruments SNOSD82D).

One-shot conversions, mean of eight, so that the chip does not warm itself.
Wiring and config: hardware/tmp117.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Channel, I2CBus, NoAnswer, Option, Quality, Reading, WrongDevice

TEMP_RESULT = 0x00
CONFIGURATION = 0x01
DEVICE_ID = 0x0F

DID = 0x117
"""Bits 11 to 0 of the device id; the rest is the revision."""

ONE_SHOT_8 = 0x0C20
"""MOD = 11 (one shot), AVG = 01 (eight conversions)."""
DATA_READY = 0x2000

CONVERSION_S = 0.125
"""Eight conversions of 15.5 ms (table 7-6)."""
POLL_S = 0.02
POLLS = 5

NOT_MEASURED = -256.0
"""What the result register holds after a reset (7.6.2)."""

T_RANGE = (-55.0, 150.0)


class Tmp117:
    channels: Sequence[Channel] = (Channel("temperature", "temperature", digits=4),)

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[
            int, Option("0x48 with ADD0 at GND, V+ 0x49, SDA 0x4A, SCL 0x4B", low=0x48, high=0x4B)
        ] = 0x48,
    ) -> None:
        self._bus = bus
        self._address = address

    def start(self) -> None:
        device = self._word(DEVICE_ID)
        if device & 0x0FFF != DID:
            raise WrongDevice(
                f"id 0x{device:04x} at 0x{self._address:02x} is not a TMP117's; an LM75, TMP102 or "
                "ADS1115 may be there"
            )

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self._bus.write(self._address, bytes([CONFIGURATION]) + ONE_SHOT_8.to_bytes(2, "big"))
        yield CONVERSION_S
        for _ in range(POLLS):
            if self._word(CONFIGURATION) & DATA_READY:
                return decode(self._bus.write_read(self._address, bytes([TEMP_RESULT]), 2))
            yield POLL_S
        raise NoAnswer(f"0x{self._address:02x}: no conversion ended")

    def close(self) -> None:
        pass

    def _word(self, register: int) -> int:
        return int.from_bytes(self._bus.write_read(self._address, bytes([register]), 2), "big")


def decode(data: bytes) -> list[Reading]:
    """Two's complement, 7.8125 m°C (table 7-2)."""
    temperature = int.from_bytes(data, "big", signed=True) / 128
    if temperature == NOT_MEASURED:
        return [Reading("temperature", None, Quality.BAD)]
    good = T_RANGE[0] <= temperature <= T_RANGE[1]
    return [Reading("temperature", temperature, Quality.GOOD if good else Quality.UNCERTAIN)]


DRIVER = Tmp117
