"""PCF8574: one byte, quasi-bidirectional pins (TI SCPS068J, 8.3)."""

from __future__ import annotations


class Pcf8574:
    """`grounded`: pins that a contact outside pulls to ground; may be changed at any time."""

    def __init__(self) -> None:
        self.latch = 0xFF
        self.grounded: set[int] = set()

    def write(self, data: bytes) -> None:
        if data:
            self.latch = data[-1]

    def read(self, count: int) -> bytes:
        pins = self.latch & ~sum(1 << pin for pin in self.grounded)
        return bytes([pins & 0xFF]) * count


CHIP = Pcf8574
