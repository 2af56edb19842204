"""PCF8574, PCF8574A: up to 8 contacts at an I2C expander, as inputs (TI SCPS068J, SCPS069G).

Other pins of the chip may be outputs: driver pcf8574_output. Wiring and config:
hardware/pcf8574.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from drivers.base import Channel, I2CBus, Option, Reading
from drivers.i2c.mcp23017 import check_pins, decode
from drivers.i2c.pcf8574_latch import PINS, Pcf8574Latch, latch_of

ADDRESSES = (*range(0x20, 0x28), *range(0x38, 0x40))
ADDRESS_HELP = "PCF8574: 0x20 plus A2, A1, A0; PCF8574A: 0x38 plus them"


class Pcf8574:
    """All its contacts in one read. Its pins are pulled up by 100 µA in the chip."""

    SHARES = "pcf8574"

    def __init__(
        self,
        bus: I2CBus,
        *,
        pins: Annotated[Mapping[str, int], Option("channel name = pin, P0 is 0", low=0, high=7)],
        address: Annotated[int, Option(ADDRESS_HELP, choices=ADDRESSES)] = 0x20,
        closed: Annotated[
            bool, Option("true is a contact that closes to ground; false: a high level")
        ] = True,
    ) -> None:
        check_pins(pins, PINS)
        self.channels: Sequence[Channel] = [Channel(name, "state") for name in pins]
        self._bus = bus
        self._pins = pins
        self._closed = closed
        self._address = address
        self._latch().inputs |= sum({1 << pin for pin in pins.values()})

    def start(self) -> None:
        """Pins that are read are given a 1, which makes them inputs; after a reset all are."""
        for pin in self._pins.values():
            self._latch().change(self._bus, 1 << pin, True)

    def read(self) -> Sequence[Reading]:
        return decode(self._latch().pins(self._bus), self._pins, self._closed)

    def close(self) -> None:
        pass

    def _latch(self) -> Pcf8574Latch:
        return latch_of(self._bus, self._address)


DRIVER = Pcf8574
