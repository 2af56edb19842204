"""MAX31855: thermocouples, -270 to 1800 °C (Maxim 19-5793, revision 5).

Wiring and config: hardware/max31855.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.base import Channel, CorruptData, Quality, Reading, SPIBus

HERTZ = 4_000_000
"""f_SCL is 5 MHz at most."""

FAULT = 0x10000
OPEN, SHORT_GND, SHORT_VCC = 0x1, 0x2, 0x4
ZERO_BITS = 0x20008
"""D17 and D3 are reserved and read 0 (table 2)."""

INTERNAL_RANGE = (-40.0, 125.0)


class Max31855:
    """The chip converts by itself, ten times a second."""

    channels: Sequence[Channel] = (
        Channel("temperature", "temperature", digits=2),
        Channel("cold_junction", "temperature", digits=2),
    )

    def __init__(self, bus: SPIBus) -> None:
        self._bus = bus

    def start(self) -> None:
        """The chip has no id; its reserved bits tell whether it is there."""
        self.read()

    def read(self) -> Sequence[Reading]:
        return decode(self._bus.transfer(bytes(4), mode=0, hertz=HERTZ))

    def close(self) -> None:
        pass


def decode(data: bytes) -> list[Reading]:
    """Thermocouple 14 bits of 0.25 °C, 0, fault | cold junction 12 bits of 1/16 °C, 0, 3 faults.

    With a broken or touching thermocouple only the cold junction has a value.
    """
    word = int.from_bytes(data, "big")
    if word == 0 or word & ZERO_BITS:
        raise CorruptData(f"{data.hex()} is no answer: is the chip there, and powered?")
    high, low = (int.from_bytes(half, "big", signed=True) for half in (data[:2], data[2:]))
    cold = (low >> 4) / 16
    good = INTERNAL_RANGE[0] <= cold <= INTERNAL_RANGE[1]
    cold_reading = Reading("cold_junction", cold, Quality.GOOD if good else Quality.UNCERTAIN)
    if word & (FAULT | OPEN | SHORT_GND | SHORT_VCC):
        return [Reading("temperature", None, Quality.BAD), cold_reading]
    return [Reading("temperature", (high >> 2) / 4), cold_reading]


DRIVER = Max31855
