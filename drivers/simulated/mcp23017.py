"""MCP23017 at register level: directions, pull-ups, latches, pins (Microchip DS20001952C)."""

from __future__ import annotations

from drivers.simulated.bus import Registers

IODIR, IPOL, IOCON, GPPU, GPIO, OLAT = 0x00, 0x02, 0x0A, 0x0C, 0x12, 0x14


class Mcp23017(Registers):
    """`outside`: pin -> level that something outside drives; an open input is at its pull-up.

    driven: every level that a pin was driven to, in turn, for tests of glitches.
    """

    def __init__(self) -> None:
        super().__init__({IODIR: b"\xff\xff"})
        self.outside: dict[int, bool] = {}
        self.driven: list[tuple[int, bool]] = []

    def written(self, register: int, value: int) -> None:
        if register in (IOCON, IOCON + 1):
            self.memory[IOCON] = self.memory[IOCON + 1] = value & 0x7E
        elif register in (GPIO, GPIO + 1):
            self.memory[register + 2] = value
        direction, latch = self._word(IODIR), self._word(OLAT)
        for pin in range(16):
            if not direction >> pin & 1:
                level = (pin, bool(latch >> pin & 1))
                if level not in self.driven[-1:]:
                    self.driven.append(level)

    def refresh(self) -> None:
        direction, latch, pulled = self._word(IODIR), self._word(OLAT), self._word(GPPU)
        pins = latch & ~direction
        for pin in range(16):
            if direction >> pin & 1 and self.outside.get(pin, bool(pulled >> pin & 1)):
                pins |= 1 << pin
        pins ^= self._word(IPOL) & direction
        self.memory[GPIO : GPIO + 2] = pins.to_bytes(2, "little")

    def _word(self, register: int) -> int:
        return int.from_bytes(self.memory[register : register + 2], "little")


CHIP = Mcp23017
