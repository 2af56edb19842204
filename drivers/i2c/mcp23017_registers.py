"""The registers of the MCP23017 that its inputs and outputs share (Microchip DS20001952C).

After a reset IOCON.BANK is 0: the registers of both ports lie side by side, port A first, so 16
bits are read and written at once. Nothing here sets BANK.
"""

from __future__ import annotations

from drivers.base import CorruptData, I2CBus

IODIR = 0x00
"""1: input, the state after a reset (3.5.1)."""
IPOL = 0x02
GPINTEN = 0x04
IOCON = 0x0A
GPPU = 0x0C
GPIO = 0x12
OLAT = 0x14

IOCON_BANK = 0x80
PINS = 16
"""GPA0 to GPA7 are 0 to 7, GPB0 to GPB7 are 8 to 15."""


class Mcp23017Registers:
    """16-bit access; bit n is pin n."""

    def __init__(self, bus: I2CBus, address: int) -> None:
        self._bus = bus
        self._address = address

    def check(self) -> None:
        """The chip has no id. IOCON is readable at two addresses and must be the same at both."""
        a, b = self._bus.write_read(self._address, bytes([IOCON]), 2)
        if a != b or a & (IOCON_BANK | 0x01):
            raise CorruptData(
                f"IOCON at 0x{self._address:02x} reads 0x{a:02x} and 0x{b:02x}: another chip (a "
                'PCF8574? driver = "pcf8574"), or a program set IOCON.BANK'
            )

    def get(self, register: int) -> int:
        return int.from_bytes(self._bus.write_read(self._address, bytes([register]), 2), "little")

    def put(self, register: int, value: int) -> None:
        self._bus.write(self._address, bytes([register]) + value.to_bytes(2, "little"))

    def change(self, register: int, bits: int, on: bool) -> None:
        """Set or clear these bits and leave the others. Devices on one bus take turns, so nothing
        comes in between."""
        now = self.get(register)
        wanted = now | bits if on else now & ~bits
        if wanted != now:
            self.put(register, wanted)
