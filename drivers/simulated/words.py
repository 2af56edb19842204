"""A simulated chip of 16-bit registers with a pointer that stays, as TI's and others' are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal


class Words:
    """`registers`: number -> value. A read gives the register that was last pointed at."""

    BYTE_ORDER: Literal["big", "little"] = "big"

    def __init__(self, registers: Mapping[int, int]) -> None:
        self.registers = dict(registers)
        self._pointer = 0

    def write(self, data: bytes) -> None:
        if not data:
            return
        self._pointer = data[0]
        if len(data) >= 3:
            self.written(data[0], int.from_bytes(data[1:3], self.BYTE_ORDER))

    def read(self, count: int) -> bytes:
        data = (self.value(self._pointer) & 0xFFFF).to_bytes(2, self.BYTE_ORDER)
        return (data * count)[:count]

    def written(self, register: int, value: int) -> None:
        """What a write to this register does; here: it keeps the value."""
        self.registers[register] = value

    def value(self, register: int) -> int:
        """What a read of this register gives."""
        return self.registers.get(register, 0)
