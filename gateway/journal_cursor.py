"""What is settled, and how the run stands: the one file of the ring that is written in place.

Two sectors hold the mark, in turn. Then each segment has eight sectors of bits, one bit a record.
Every sector carries its own check and its segment's generation, so a torn write loses no more than
the bits of one sector, and with them only the knowledge that something was delivered already.
"""

from __future__ import annotations

import struct
import zlib

from gateway.journal import Mark
from gateway.journal_disk import Disk
from gateway.journal_format import SECTOR
from gateway.model import Key

NAME = "cursor"
MARKS = 2
SECTORS = 8
"""Sectors of bits for each segment."""

MARK = struct.Struct("<8sQIQBIQ")
BITS = struct.Struct("<4sIQHxx")
MARK_MAGIC, BITS_MAGIC = b"TIDEMARK", b"TGb1"
BYTES = SECTOR - BITS.size
"""Bytes of bits in one sector."""

MOST = SECTORS * BYTES * 8
"""Records that a segment can have."""


def size_for(slots: int) -> int:
    return SECTOR * (MARKS + SECTORS * slots)


def _sealed(head: bytes, body: bytes) -> bytes:
    """A sector with its check in the four bytes behind the magic of four."""
    crc = zlib.crc32(head[8:] + body, zlib.crc32(head[:4]))
    return (head[:4] + struct.pack("<I", crc) + head[8:] + body).ljust(SECTOR, b"\0")


def _verifies(sector: bytes, size: int) -> bool:
    (crc,) = struct.unpack_from("<I", sector, 4)
    return bool(crc == zlib.crc32(sector[8:size], zlib.crc32(sector[:4])))


class Cursor:
    def __init__(self, disk: Disk, slots: int) -> None:
        """The file is made when it is missing or too small. OSError only from reading."""
        self._disk = disk
        self._mark: Mark | None = None
        self._turn = 0
        self._unsynced = False
        self._bits: dict[tuple[int, int], bytearray] = {}
        """(slot, generation) -> bits, as found on disk; handed out once."""
        self.written = 0
        self._slots = slots
        names = disk.names()
        data = disk.read(NAME, 0, disk.size(NAME)) if NAME in names else b""
        self._missing = len(data) < size_for(slots)
        self._old = data if self._missing else b""
        self._load(data)

    def _load(self, data: bytes) -> None:
        for number in range(len(data) // SECTOR):
            sector = data[number * SECTOR : (number + 1) * SECTOR]
            if number < MARKS:
                self._load_mark(sector)
            else:
                self._load_bits((number - MARKS) // SECTORS, sector)

    def _load_mark(self, sector: bytes) -> None:
        if sector[:4] != MARK_MAGIC[:4] or not _verifies(sector, 8 + MARK.size):
            return
        _, turn, epoch, last_seq, clean, written_epoch, written_seq = MARK.unpack_from(sector, 8)
        if turn >= self._turn:
            self._turn = turn
            written = Key(written_epoch, written_seq) if written_seq else None
            self._mark = Mark(epoch, last_seq, bool(clean), written)

    def _load_bits(self, slot: int, sector: bytes) -> None:
        if sector[:4] != BITS_MAGIC or not _verifies(sector, SECTOR):
            return
        _, _, generation, part = BITS.unpack_from(sector)
        bits = self._bits.setdefault((slot, generation), bytearray())
        if len(bits) < (part + 1) * BYTES:
            bits.extend(bytes((part + 1) * BYTES - len(bits)))
        bits[part * BYTES : (part + 1) * BYTES] = sector[BITS.size :]

    def bits(self, slot: int, generation: int) -> bytearray:
        """What was known as settled at the start: bit n of byte n // 8, for ordinal n."""
        return self._bits.pop((slot, generation), bytearray())

    def mark(self) -> Mark | None:
        return self._mark

    def set_mark(self, mark: Mark) -> None:
        """Durable when it returns. OSError."""
        self._make()
        written = mark.written or Key(0, 0)
        fields = mark.epoch, mark.last_seq, mark.clean, written.epoch, written.seq
        body = MARK.pack(MARK_MAGIC, self._turn + 1, *fields)
        sector = _sealed(MARK_MAGIC, body)
        self._disk.write(NAME, (self._turn + 1) % MARKS * SECTOR, sector)
        self._disk.sync(NAME)
        self._turn += 1
        self._mark = mark
        self._unsynced = False
        self.written += SECTOR

    def write(self, slot: int, generation: int, bits: bytearray, parts: set[int]) -> None:
        """These parts of a segment's bits, lazily. OSError."""
        self._make()
        for part in parts:
            body = bytes(bits[part * BYTES : (part + 1) * BYTES]).ljust(BYTES, b"\0")
            sector = _sealed(BITS.pack(BITS_MAGIC, 0, generation, part), body)
            self._disk.write(NAME, SECTOR * (MARKS + SECTORS * slot + part), sector)
            self.written += SECTOR
        self._unsynced = True

    def sync(self) -> None:
        if self._unsynced:
            self._disk.sync(NAME)
            self._unsynced = False

    def _make(self) -> None:
        """The file, with what a smaller one held. A failed step leaves the old one in place."""
        if not self._missing:
            return
        new, size = NAME + ".new", size_for(self._slots)
        if new in self._disk.names():
            self._disk.remove(new)
        self._disk.create(new, size)
        self._disk.write(new, 0, self._old.ljust(size, b"\0"))
        self._disk.sync(new)
        self._disk.rename(new, NAME)
        self._disk.sync_directory()
        self._missing, self._old = False, b""
