"""The ring's files: how many there are and of which size, and making those that are missing."""

from __future__ import annotations

from collections.abc import Callable

from gateway.journal import JournalFault
from gateway.journal_disk import Disk
from gateway.journal_format import DATA, TAIL
from gateway.journal_segment import name_of

LEAST = 8
"""Segments without which there is no ring: two as a reserve, one to merge into, one to write."""


def layout(size: int) -> tuple[int, int]:
    """Bytes of a new ring: how many segments, and their size; 1 MiB where that makes 16 of them."""
    segment = min(1 << 20, max(8192, size // 16 // 4096 * 4096))
    return max(LEAST, size // segment), segment


def size_of_segments(disk: Disk, slots: list[int]) -> int:
    """Bytes of each, 0 where there are none. A power cut or a broken file system may have left some
    of the files short, or empty: the largest counts."""
    sizes = [disk.size(name_of(slot)) for slot in slots]
    return max((size for size in sizes if size > DATA + TAIL), default=0)


def allocate(
    disk: Disk, size: int, keep_free: int, report: Callable[[str], None]
) -> tuple[int, int]:
    """Make the files that are missing; how many slots there are, and their bytes.

    All room is taken at the start, so that a disk that fills up later does not matter. Nothing is
    synced here, so that no slow disk holds a start back: a file whose name a power cut takes is
    made again. A ring that was made with another size keeps the size of its segments; it grows, and
    does not shrink. JournalFault when there are too few.
    """
    try:
        there = slots_of(disk)
        wanted, segment = layout(size)
        if used := size_of_segments(disk, there):
            wanted, segment = max(LEAST, size // used), used
        _make(disk, [s for s in range(wanted) if s not in there], segment, keep_free, report)
        there = slots_of(disk)
    except OSError as error:
        raise JournalFault(f"journal: cannot be made: {error}") from error
    if len(there) < LEAST:
        raise JournalFault(f"journal: only {len(there)} of {wanted} segments could be made")
    return max(there) + 1, segment


def _make(
    disk: Disk, slots: list[int], size: int, keep_free: int, report: Callable[[str], None]
) -> None:
    made = 0
    try:
        for slot in slots:
            if slot >= LEAST and disk.free() - size < keep_free:
                report(f"journal: only {slot} segments, so that {keep_free} bytes stay free")
                break
            disk.create(name_of(slot), size)
            made += 1
    except OSError as error:
        report(f"journal: {len(slots) - made} segments could not be made: {error}")


def slots_of(disk: Disk) -> list[int]:
    return sorted(int(n[:-4]) for n in disk.names() if n.endswith(".seg") and n[:-4].isdigit())
