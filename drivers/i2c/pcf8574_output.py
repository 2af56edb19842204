"""PCF8574, PCF8574A: one pin of an I2C expander as an output (TI SCPS068J, SCPS069G).

A pin sinks 25 mA and sources 0.1 mA, so loads hang between supply and pin and a low level switches
on. Wiring and config: hardware/pcf8574_output.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from drivers.base import Action, Channel, I2CBus, Option, Value
from drivers.i2c.pcf8574 import ADDRESS_HELP, ADDRESSES
from drivers.i2c.pcf8574_latch import PINS, Pcf8574Latch, latch_of
from drivers.words import switch


class Pcf8574Output:
    """Switches one pin; the state is read back from the pin."""

    SHARES = "pcf8574"
    action = Action.SET
    channels: Sequence[Channel] = (Channel("state", "state"),)

    def __init__(
        self,
        bus: I2CBus,
        *,
        pin: Annotated[int, Option("P0 is 0", low=0, high=PINS - 1)],
        address: Annotated[int, Option(ADDRESS_HELP, choices=ADDRESSES)] = 0x20,
        active_high: Annotated[
            bool, Option("high level switches on; most boards switch on with a low level")
        ] = False,
    ) -> None:
        self._bus = bus
        self._address = address
        self._bit = 1 << pin
        self._active_high = active_high
        self._wanted: bool | None = None

    def parse(self, value: Value) -> bool:
        return switch(value)

    def start(self, value: Value | None) -> None:
        """value None: as it is found, or as it was last set: a chip that lost its power is all
        high, and gets its level back."""
        if value is not None:
            self._wanted = bool(value)
        if self._wanted is not None:
            self._latch().change(self._bus, self._bit, self._wanted == self._active_high)

    def set(self, value: Value) -> None:
        self._wanted = bool(value)
        self._latch().change(self._bus, self._bit, self._wanted == self._active_high)

    def state(self) -> bool:
        return bool(self._latch().pins(self._bus) & self._bit) == self._active_high

    def close(self) -> None:
        """The chip keeps the level."""

    def safeguard(self, value: Value) -> Sequence[str]:
        level = self._bit if bool(value) == self._active_high else 0
        inputs = self._latch().inputs
        return (f"pins 0x{self._address:02x} {self._bit} {level} {inputs}",)

    def _latch(self) -> Pcf8574Latch:
        return latch_of(self._bus, self._address)


DRIVER = Pcf8574Output
