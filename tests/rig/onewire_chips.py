"""A DS2482-100 on the I2C bus, and what hangs on its 1-Wire line, for the kernel's w1 drivers.

Maxim DS2482-100: commands, read pointer, status register, as Linux drivers/w1/masters/ds2482.c has
them. DS18B20 19-7487 and DS2413 19-4916: their function commands, byte by byte. The line is as fast
as its master asks; only a conversion takes its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

SEARCH, MATCH, SKIP, RESUME = 0xF0, 0x55, 0xCC, 0xA5
CONVERT, READ_SCRATCHPAD, WRITE_SCRATCHPAD, POWER = 0x44, 0xBE, 0x4E, 0xB4
PIO_READ, PIO_WRITE, WRITTEN = 0xF5, 0x5A, 0xAA
CONVERSION_S = 0.75


def crc8(data: bytes) -> int:
    """x^8 + x^5 + x^4 + 1, bits in the order of the line (19-7487, figure 11)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


class Slave:
    """A chip with a ROM code. `functions` is told the bytes after its selection, and answers."""

    def __init__(self, family: int, serial: int) -> None:
        rom = bytes([family]) + serial.to_bytes(6, "little")
        self.rom = rom + bytes([crc8(rom)])
        self.name = f"{family:02x}-{serial:012x}"
        self.heard = bytearray()
        self.selected = self.resumes = self.searched = False
        self.there = True

    def reset(self) -> None:
        self.heard.clear()
        self.selected = self.searched = False

    def write(self, byte: int) -> None:
        self.heard.append(byte)
        if self.selected:
            self.function(bytes(self.heard))
        elif self.heard[0] == SKIP or (self.heard[0] == RESUME and self.resumes):
            self._select()
        elif self.heard[0] == SEARCH:
            self.searched = True
        elif self.heard[0] == MATCH and len(self.heard) == 9:
            self.resumes = bytes(self.heard[1:]) == self.rom
            if self.resumes:
                self._select()

    def _select(self) -> None:
        self.selected = True
        self.heard.clear()

    def bit(self, index: int) -> int:
        return self.rom[index // 8] >> index % 8 & 1

    def function(self, heard: bytes) -> None:
        """A byte of a function command has come."""

    def read(self) -> int:
        return 0xFF


class Thermometer(Slave):
    """A DS18B20. powered: False for one that has no current to convert."""

    def __init__(self, serial: int, celsius: float, *, family: int = 0x28) -> None:
        super().__init__(family, serial)
        self.celsius = celsius
        self.powered = True
        self.conversions = 0
        self._scratchpad = bytes.fromhex("50054b467fff0c10")
        self._ready = 0.0
        self._pending: float | None = None
        self._out = b""

    def function(self, heard: bytes) -> None:
        if heard == bytes([CONVERT]):
            self.conversions += 1
            self._ready = time.monotonic() + CONVERSION_S
            self._pending = self.celsius
        elif heard == bytes([READ_SCRATCHPAD]):
            self._settle()
            self._out = self._scratchpad + bytes([crc8(self._scratchpad)])
        elif heard == bytes([POWER]):
            self._out = b"\xff"  # its own supply
        elif heard[0] == WRITE_SCRATCHPAD and len(heard) == 4:
            self._scratchpad = self._scratchpad[:2] + heard[1:] + self._scratchpad[5:]

    def _settle(self) -> None:
        if self._pending is not None and self.powered and time.monotonic() >= self._ready:
            raw = round(self._pending * 16)
            reserved = bytes([0x10 - (raw & 0x0F)])
            tail = self._scratchpad[2:6] + reserved + self._scratchpad[7:]
            self._scratchpad = raw.to_bytes(2, "little", signed=True) + tail
            self._pending = None

    def read(self) -> int:
        byte, self._out = (self._out[0], self._out[1:]) if self._out else (0xFF, b"")
        return byte


class Switch(Slave):
    """A DS2413. latches: A and B, True is off. closed: contacts to ground at its pins."""

    def __init__(self, serial: int) -> None:
        super().__init__(0x3A, serial)
        self.latches = [True, True]
        self.closed = [False, False]
        self._out = b""

    def _status(self) -> int:
        bits = 0
        for index, latch in enumerate(self.latches):
            level = latch and not self.closed[index]
            bits |= level << 2 * index | latch << 2 * index + 1
        return bits | (bits ^ 0x0F) << 4

    def function(self, heard: bytes) -> None:
        if heard == bytes([PIO_READ]):
            self._out = bytes([self._status()]) * 32
        elif heard[0] == PIO_WRITE and len(heard) == 3 and heard[1] ^ heard[2] == 0xFF:
            self.latches = [bool(heard[1] & 1), bool(heard[1] & 2)]
            self._out = bytes([WRITTEN, self._status()])

    def read(self) -> int:
        byte, self._out = (self._out[0], self._out[1:]) if self._out else (0xFF, b"")
        return byte


class Ds2482:
    """The I2C side. refuse: raised for what the chip does not acknowledge."""

    STATUS, DATA, CONFIG = 0xF0, 0xE1, 0xC3

    def __init__(self, slaves: Sequence[Slave], refuse: Callable[[], Exception]) -> None:
        self.slaves = list(slaves)
        self._refuse = refuse
        self._registers = {self.STATUS: 0x18, self.DATA: 0, self.CONFIG: 0}
        self._pointer = self.STATUS
        self._index = 0

    def write(self, data: bytes) -> None:
        command, parameter = data[0], data[1] if len(data) > 1 else 0
        self._pointer = self.STATUS
        match command:
            case 0xF0:
                self._registers[self.STATUS] = 0x18  # RST, and LL: the line is high
            case 0xE1:
                self._pointer = parameter
            case 0xD2:
                self._registers[self.CONFIG] = parameter & 0x0F
                self._registers[self.STATUS] &= ~0x10
                self._pointer = self.CONFIG
            case 0xB4:
                self._reset_line()
            case 0xA5:
                for slave in self._there():
                    slave.write(parameter)
                self._index = 0
            case 0x96:
                byte = 0xFF
                for slave in self._there():
                    byte &= slave.read() if slave.selected else 0xFF
                self._registers[self.DATA] = byte
            case 0x87:
                bit = min((s.read() & 1 for s in self._there() if s.selected), default=1)
                self._status(bit << 5)
            case 0x78:
                self._triplet(parameter >> 7)
            case _:  # channel select among them, which the DS2482-800 alone has
                raise self._refuse()

    def read(self, length: int) -> bytes:
        return bytes([self._registers.get(self._pointer, 0)]) * length

    def _there(self) -> list[Slave]:
        return [slave for slave in self.slaves if slave.there]

    def _status(self, bits: int) -> None:
        self._registers[self.STATUS] = self._registers[self.STATUS] & 0x1F | bits

    def _reset_line(self) -> None:
        for slave in self._there():
            slave.reset()
        present = 0x02 if self._there() else 0
        self._registers[self.STATUS] = self._registers[self.STATUS] & ~0xE2 | present

    def _triplet(self, wanted: int) -> None:
        """One step of a search: two reads, and the way that the master takes."""
        taking_part = [slave for slave in self._there() if slave.searched]
        bits = [slave.bit(self._index) for slave in taking_part]
        first, second = min(bits, default=1), min((1 - bit for bit in bits), default=1)
        way = wanted if not first and not second else first
        for slave, bit in zip(taking_part, bits, strict=True):
            slave.searched = bit == way
        self._index += 1
        self._status(first << 5 | second << 6 | way << 7)
