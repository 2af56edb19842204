"""Which requests read a set of registers: neighbours in one, within what the device takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.serial.modbus_frame import (
    READ_COILS,
    READ_DISCRETE_INPUTS,
    READ_HOLDING_REGISTERS,
    READ_INPUT_REGISTERS,
)
from drivers.serial.modbus_map import BITS, Register

FUNCTIONS = {
    "coil": READ_COILS,
    "discrete": READ_DISCRETE_INPUTS,
    "holding": READ_HOLDING_REGISTERS,
    "input": READ_INPUT_REGISTERS,
}


@dataclass(frozen=True, slots=True)
class Block:
    """One request: `count` registers (or coils) from `address`, and the channels in them."""

    table: str
    address: int
    count: int
    members: tuple[tuple[str, Register], ...]
    optional: bool

    @property
    def function(self) -> int:
        return FUNCTIONS[self.table]

    def part(self, body: bytes, register: Register) -> bytes:
        """A register's bytes in the body of the answer, which begins with a count of bytes."""
        place = register.address - self.address
        if self.table in BITS:
            return bytes([body[1 + place // 8] >> place % 8 & 1])
        return body[1 + 2 * place : 1 + 2 * (place + register.words)]

    def told(self) -> str:
        names = ", ".join(name for name, _ in self.members[:3])
        more = ", ..." if len(self.members) > 3 else ""
        return f"{self.table} {self.address} to {self.address + self.count - 1} ({names}{more})"


def plan(registers: Mapping[str, Register], longest: int, gap: int) -> list[Block]:
    """longest, gap: as in `DeviceMap`. A register longer than `longest` gets a request alone.

    An optional register is asked for by itself, so that a device without it refuses it alone.
    """
    blocks: list[Block] = []
    inorder = sorted(registers.items(), key=lambda one: (one[1].table, one[1].address, one[0]))
    for name, register in inorder:
        last = blocks[-1] if blocks else None
        end = register.address + register.words
        if last is not None and _joins(last, register, end, longest, gap):
            count = max(last.count, end - last.address)
            members = (*last.members, (name, register))
            blocks[-1] = Block(last.table, last.address, count, members, False)
        else:
            alone = ((name, register),)
            blocks.append(
                Block(register.table, register.address, register.words, alone, register.optional)
            )
    return blocks


def _joins(last: Block, register: Register, end: int, longest: int, gap: int) -> bool:
    return (
        last.table == register.table
        and not last.optional
        and not register.optional
        and register.address - (last.address + last.count) <= gap
        and end - last.address <= longest
    )
