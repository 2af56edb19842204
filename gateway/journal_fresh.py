"""Segments that were never used. They are filled with zeros once, before their first record.

Room that is only reserved costs the file system a change of its own tables, and the card a second
flush, with every group that is written to it. Zeros make it room like any other. All of them are
filled soon after the ring was made, while the writer has nothing else to do, and marked as filled,
so that it happens once in the life of a ring and not in the middle of an outage.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from gateway.journal_disk import Disk
from gateway.journal_format import CRC, SECTOR
from gateway.journal_segment import name_of

MAGIC = b"TIDEZERO"
FILLED = (MAGIC + CRC.pack(zlib.crc32(MAGIC))).ljust(SECTOR, b"\0")
"""The first sector of a segment that was filled and never used; a header is written over it."""

ZEROS = bytes(64 << 10)
"""Written again and again: no block of a whole segment has to be found in memory."""


def is_filled(disk: Disk, slot: int, size: int) -> bool:
    """Whether the segment, which has no header, was filled."""
    try:
        first = disk.read(name_of(slot), 0, SECTOR)
    except OSError:
        return False  # it is looked at as a whole
    return first == FILLED and disk.size(name_of(slot)) >= size


class Fresh:
    """The slots of which nothing but the name was made."""

    def __init__(self, disk: Disk, size: int, slots: Iterable[int]) -> None:
        self._disk = disk
        self._size = size
        self._slots = set(slots)
        self._named = False
        """The directory was synced since the files were made."""

    def __contains__(self, slot: int) -> bool:
        return slot in self._slots

    def add(self, slot: int) -> None:
        """Its file is new."""
        self._slots.add(slot)
        self._named = False

    def fill(self, slot: int) -> int:
        """Durable when it returns, the file's name too. Gives the bytes written. OSError.

        The page cache is told to forget the zeros: nobody reads them.
        """
        if not self._named:
            self._disk.sync_directory()
            self._named = True
        name = name_of(slot)
        for at in range(0, self._size, len(ZEROS)):
            self._disk.write(name, at, ZEROS[: self._size - at])
        self._disk.write(name, 0, FILLED)
        self._disk.sync(name)
        self._disk.drop_cache(name)
        self._slots.discard(slot)
        return self._size + SECTOR
