"""MCP23017: one pin of an I2C expander as an output (Microchip DS20001952C).

The level is written to OLAT before IODIR makes the pin an output, so that nothing clicks. Wiring
and config: hardware/mcp23017_output.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from drivers.base import Action, Channel, CorruptData, I2CBus, Option, Value
from drivers.i2c.mcp23017_registers import GPIO, IODIR, OLAT, PINS, Mcp23017Registers
from drivers.words import switch


class Mcp23017Output:
    """Switches one pin; the state is read back from the pin."""

    SHARES = "mcp23017"
    action = Action.SET
    channels: Sequence[Channel] = (Channel("state", "state"),)

    def __init__(
        self,
        bus: I2CBus,
        *,
        pin: Annotated[int, Option("GPA0 is 0, GPB0 is 8", low=0, high=PINS - 1)],
        address: Annotated[int, Option("0x20 plus A2, A1, A0", low=0x20, high=0x27)] = 0x20,
        active_high: Annotated[
            bool, Option("high level switches on; false for boards that switch on with a low level")
        ] = True,
    ) -> None:
        self._chip = Mcp23017Registers(bus, address)
        self._address = address
        self._bit = 1 << pin
        self._active_high = active_high
        self._level = not active_high
        """What this driver wants; off until it is told otherwise."""

    def parse(self, value: Value) -> bool:
        return switch(value)

    def start(self, value: Value | None) -> None:
        """value None: as it is found; but a chip that lost its power, whose pins are inputs, gets
        the level of before: its OLAT of 0 would switch an active-low board on."""
        self._chip.check()
        if value is not None:
            self._level = bool(value) == self._active_high
        elif not self._chip.get(IODIR) & self._bit:
            self._level = bool(self._chip.get(OLAT) & self._bit)
        self._chip.change(OLAT, self._bit, self._level)
        self._chip.change(IODIR, self._bit, False)

    def set(self, value: Value) -> None:
        self._check()
        self._level = bool(value) == self._active_high
        self._chip.change(OLAT, self._bit, self._level)

    def state(self) -> bool:
        self._check()
        return bool(self._chip.get(GPIO) & self._bit) == self._active_high

    def close(self) -> None:
        """The chip keeps the level: it has no idea of who drives it."""

    def safeguard(self, value: Value) -> Sequence[str]:
        high = bool(value) == self._active_high
        port, mask = (1, self._bit >> 8) if self._bit > 0xFF else (0, self._bit)
        latch = f"i2c 0x{self._address:02x} {OLAT + port} {mask} {mask if high else 0}"
        return (latch, f"i2c 0x{self._address:02x} {IODIR + port} {mask} 0")

    def _check(self) -> None:
        if self._chip.get(IODIR) & self._bit:
            raise CorruptData("the pin is an input: the chip was reset meanwhile")


DRIVER = Mcp23017Output
