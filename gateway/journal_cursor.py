"""What is settled, and how the run stands: the one file of the ring that is written in place.

Two sectors hold the mark, in turn. Then each segment has eight sectors of bits, one bit a record.
Every sector carries its own check and its segment's generation, so a torn write loses no more than
the bits of one sector, and with them only the knowledge that something was delivered already.

After an error the file is not trusted any more: a new one takes its place, from what memory knows.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable

from gateway.journal import Mark
from gateway.journal_disk import Disk, read_around
from gateway.journal_format import SECTOR
from gateway.model import Key

NAME, SPARE = "cursor", "cursor.new"
"""SPARE: room for the next file, taken as long as there is some."""

MARKS = 2
SECTORS = 8
"""Sectors of bits for each segment: enough for all records that the largest, of 1 MiB, can hold."""

MARK = struct.Struct("<8sQIQBIQ")
BITS = struct.Struct("<4sIQHxx")
MARK_MAGIC, BITS_MAGIC = b"TIDEMARK", b"TGb1"
BYTES = SECTOR - BITS.size
"""Bytes of bits in one sector."""


Facts = Callable[[], Iterable[tuple[int, int, bytes]]]
"""Slot, generation and bits of every segment that may be met again."""

ALL = b"\xff" * (SECTORS * BYTES)
"""The bits of a segment of which nothing is kept."""


def size_for(slots: int) -> int:
    return SECTOR * (MARKS + SECTORS * slots)


def _sealed(head: bytes, body: bytes) -> bytes:
    """A sector with its check in the four bytes behind the magic of four."""
    crc = zlib.crc32(head[8:] + body, zlib.crc32(head[:4]))
    return (head[:4] + struct.pack("<I", crc) + head[8:] + body).ljust(SECTOR, b"\0")


def _mark_sector(turn: int, mark: Mark) -> bytes:
    written = mark.written or Key(0, 0)
    fields = mark.epoch, mark.last_seq, mark.clean, written.epoch, written.seq
    return _sealed(MARK_MAGIC, MARK.pack(MARK_MAGIC, turn, *fields))


def _bits_sector(generation: int, part: int, bits: bytes | bytearray) -> bytes:
    body = bytes(bits[part * BYTES : (part + 1) * BYTES]).ljust(BYTES, b"\0")
    return _sealed(BITS.pack(BITS_MAGIC, 0, generation, part), body)


def _verifies(sector: bytes, size: int) -> bool:
    (crc,) = struct.unpack_from("<I", sector, 4)
    return bool(crc == zlib.crc32(sector[8:size], zlib.crc32(sector[:4])))


class Cursor:
    def __init__(self, disk: Disk, slots: int) -> None:
        """The file is made anew when it is missing, too small or in part unreadable. OSError only
        where nothing can be read."""
        self._disk = disk
        self._mark: Mark | None = None
        self._turn = 0
        self._unsynced = False
        self._bits: dict[tuple[int, int], bytearray] = {}
        """(slot, generation) -> bits, as found on disk; handed out once."""
        self.written = 0
        self._slots = slots
        self._broken = False
        self.facts: Facts = tuple
        names = disk.names()
        data = self._read() if NAME in names else b""
        self._missing = len(data) < size_for(slots)
        self._load(data)
        self._take_spare(names)

    def _read(self) -> bytes:
        """A block that cannot be read costs what is in it, as one that is damaged does."""
        data, whole = read_around(self._disk, NAME, self._disk.size(NAME), SECTOR)
        self._broken = not whole
        return data

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
        before = self._bits.get((slot, generation), bytearray())  # the parts come in their order
        self._bits[slot, generation] = before.ljust(part * BYTES, b"\0") + sector[BITS.size :]

    def bits(self, slot: int, generation: int) -> bytearray:
        """What was known as settled at the start: bit n of byte n // 8, for ordinal n."""
        return self._bits.pop((slot, generation), bytearray())

    def knows(self, slot: int, generation: int) -> bool:
        """Whether something was known as settled of this use of the slot; before `bits`."""
        return (slot, generation) in self._bits

    def mark(self) -> Mark | None:
        return self._mark

    def set_mark(self, mark: Mark) -> None:
        """Durable when it returns. OSError."""
        self._make()
        turn = self._turn + 1
        self._write(turn % MARKS, _mark_sector(turn, mark))
        self._sync()
        self._turn, self._mark = turn, mark

    def write(self, slot: int, generation: int, bits: bytearray, parts: set[int]) -> None:
        """These parts of a segment's bits, lazily. OSError."""
        self._make()
        for part in parts:
            self._write(MARKS + SECTORS * slot + part, _bits_sector(generation, part, bits))
        self._unsynced = True

    def sync(self) -> None:
        if self._broken:
            self._make()
        if self._unsynced:
            self._sync()

    def _write(self, number: int, sector: bytes) -> None:
        try:
            self._disk.write(NAME, SECTOR * number, sector)
        except OSError:
            self._broken = True
            raise
        self.written += SECTOR

    def _sync(self) -> None:
        try:
            self._disk.sync(NAME)
        except OSError:
            self._broken = True
            raise
        self._unsynced = False

    def _make(self) -> None:
        """The file, of all that is known. A failed step leaves the old one in place."""
        if not self._missing and not self._broken:
            return
        image = self._image()
        if SPARE not in self._disk.names():
            self._disk.create(SPARE, len(image))
        try:
            self._disk.write(SPARE, 0, image)
            self._disk.sync(SPARE)
            self._disk.rename(SPARE, NAME)
            self._disk.sync_directory()
        except OSError:
            self._broken = True
            self._drop_spare()
            raise
        self.written += len(image)
        self._missing = self._broken = self._unsynced = False
        self._take_spare(self._disk.names())

    def _take_spare(self, names: Iterable[str]) -> None:
        size = size_for(self._slots)
        try:
            if SPARE in names and self._disk.size(SPARE) != size:
                self._disk.remove(SPARE)
            elif SPARE in names:
                return
            self._disk.create(SPARE, size)
        except OSError:
            return  # a full or read-only disk: room is asked for when it is needed

    def _drop_spare(self) -> None:
        """What failed is not tried again on the same file."""
        try:
            self._disk.remove(SPARE)
        except OSError:
            return

    def _image(self) -> bytes:
        image = bytearray(size_for(self._slots))
        if self._mark is not None:
            at = self._turn % MARKS * SECTOR
            image[at : at + SECTOR] = _mark_sector(self._turn, self._mark)
        for slot, generation, bits in self.facts():
            for part in range(-(-len(bits) // BYTES)):
                at = SECTOR * (MARKS + SECTORS * slot + part)
                image[at : at + SECTOR] = _bits_sector(generation, part, bits)
        return bytes(image)
