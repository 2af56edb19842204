"""MCP23017: up to 16 contacts at an I2C expander, as inputs (Microchip DS20001952C).

Other pins of the chip may be outputs: driver mcp23017_output. Wiring and config:
hardware/mcp23017.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from drivers.base import Channel, CorruptData, I2CBus, Option, OptionError, Reading
from drivers.i2c.mcp23017_registers import GPIO, GPPU, IODIR, IPOL, PINS, Mcp23017Registers
from drivers.scaling import CHANNEL_NAME


class Mcp23017:
    """All its contacts in one read."""

    SHARES = "mcp23017"

    def __init__(
        self,
        bus: I2CBus,
        *,
        pins: Annotated[
            Mapping[str, int], Option("channel name = pin: GPA0 is 0, GPB0 is 8", low=0, high=15)
        ],
        address: Annotated[int, Option("0x20 plus A2, A1, A0", low=0x20, high=0x27)] = 0x20,
        pull_up: Annotated[bool, Option("100 kΩ to the supply in the chip")] = True,
        closed: Annotated[
            bool, Option("true is a contact that closes to ground; false: a high level")
        ] = True,
    ) -> None:
        check_pins(pins, PINS)
        self.channels: Sequence[Channel] = [Channel(name, "state") for name in pins]
        self._pins = pins
        self._mask = sum(1 << pin for pin in pins.values())
        self._pull_up = pull_up
        self._closed = closed
        self._chip = Mcp23017Registers(bus, address)

    def start(self) -> None:
        self._chip.check()
        self._chip.change(IODIR, self._mask, True)
        self._chip.change(IPOL, self._mask, False)
        self._chip.change(GPPU, self._mask, self._pull_up)

    def read(self) -> Sequence[Reading]:
        """A chip that lost its power has no pull-ups any more, which is noticed."""
        if (self._chip.get(GPPU) & self._mask != 0) != self._pull_up:
            raise CorruptData("the pull-ups are not as they were set: reset meanwhile")
        return decode(self._chip.get(GPIO), self._pins, self._closed)

    def close(self) -> None:
        pass


def check_pins(pins: Mapping[str, int], count: int) -> None:
    """OptionError for no pin, a pin twice, or one that the chip does not have."""
    if not pins:
        raise OptionError("pins: name at least one")
    if len(set(pins.values())) < len(pins):
        raise OptionError("pins: one of them is there twice")
    for name, pin in pins.items():
        if not CHANNEL_NAME.fullmatch(name):
            raise OptionError(f"pins: {name}: small letters, digits and _, as back_door")
        if not 0 <= pin < count:
            raise OptionError(f"pins: {name} = {pin}, but they go from 0 to {count - 1}")


def decode(port: int, pins: Mapping[str, int], closed: bool) -> list[Reading]:
    """Bit n is pin n. With closed, a low level is true."""
    return [Reading(name, bool(port >> pin & 1) != closed) for name, pin in pins.items()]


DRIVER = Mcp23017
