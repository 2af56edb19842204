"""The cursor: marks and settled bits through damage, errors and power cuts, and what they cost."""

from __future__ import annotations

import errno
import random

import pytest

from gateway.journal import Mark
from gateway.journal_cursor import BYTES, NAME, SECTORS, SPARE, Cursor, size_for
from gateway.journal_format import SECTOR
from gateway.model import Key
from tests.gateway.fake_disk import Failing, SimulatedDisk, copy_of
from tests.gateway.journal_contract import record
from tests.gateway.small_ring import kept, opened

SLOTS = 4
BITS = bytearray(random.Random(1).randbytes(SECTORS * BYTES))
"""Of a segment that is full of the smallest records."""

ALL_PARTS = set(range(SECTORS))


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk()


def made(disk: SimulatedDisk) -> Cursor:
    """One of which the file is there."""
    cursor = Cursor(disk, SLOTS)
    cursor.set_mark(Mark(1, 0, False))
    return cursor


def sector_of(slot: int, part: int) -> int:
    return (2 + SECTORS * slot + part) * SECTOR


def broken(disk: SimulatedDisk, call: str = "write", times: int = 1) -> None:
    disk.before = Failing(call, errno.EIO, times=times)


def mended(disk: SimulatedDisk) -> None:
    disk.before = lambda *_: None


# Marks


def test_of_two_marks_the_later_counts_and_the_earlier_is_left_when_it_is_damaged(
    disk: SimulatedDisk,
) -> None:
    cursor = made(disk)
    for epoch in range(2, 6):
        cursor.set_mark(Mark(epoch, 7, True, Key(epoch, 7)))
        assert Cursor(disk, SLOTS).mark() == Mark(epoch, 7, True, Key(epoch, 7))
        twin = copy_of(disk)
        twin.files[NAME][epoch % 2 * SECTOR + 20] ^= 1
        there = Cursor(twin, SLOTS).mark()
        assert there is not None
        assert there.epoch == epoch - 1


def test_a_mark_whose_write_fails_leaves_the_one_before(disk: SimulatedDisk) -> None:
    """Also when the file was made anew meanwhile: it never is written over the newest."""
    cursor = made(disk)
    for epoch in range(2, 8):
        broken(disk, "write" if epoch % 3 else "sync")
        with pytest.raises(OSError, match="EIO"):
            cursor.set_mark(Mark(epoch, 0, True))
        mended(disk)
        found = Cursor(copy_of(disk).cut(random.Random(epoch)), SLOTS).mark()
        assert found in (cursor.mark(), Mark(epoch, 0, True))
        cursor.sync()  # made anew
        assert Cursor(disk, SLOTS).mark() == cursor.mark() == Mark(epoch - 1, 0, epoch > 2)
        twin = copy_of(disk)
        twin.files[NAME][(cursor._turn + 1) % 2 * SECTOR + 20] ^= 1  # where the next goes
        assert Cursor(twin, SLOTS).mark() == cursor.mark()
        cursor.set_mark(Mark(epoch, 0, True))
        assert Cursor(disk, SLOTS).mark() == Mark(epoch, 0, True)


# Bits


@pytest.mark.parametrize("parts", [ALL_PARTS, {0}, {1}, {5}, {2, 3, 7}, {6, 7}])
def test_bits_of_every_part_are_given_back_at_their_place(
    disk: SimulatedDisk, parts: set[int]
) -> None:
    cursor = made(disk)
    for slot in range(SLOTS):
        cursor.write(slot, slot + 5, BITS, parts)
    again = Cursor(disk, SLOTS)
    expected = b"".join(
        BITS[part * BYTES : (part + 1) * BYTES] if part in parts else bytes(BYTES)
        for part in range(max(parts) + 1)
    )
    for slot in range(SLOTS):
        assert again.bits(slot, slot + 5) == expected
        assert again.bits(slot, slot + 6) == b""


def test_a_damaged_sector_costs_the_bits_in_it(disk: SimulatedDisk) -> None:
    cursor = made(disk)
    cursor.write(2, 9, BITS, ALL_PARTS)
    disk.files[NAME][sector_of(2, 3) + 100] ^= 4
    there = Cursor(disk, SLOTS).bits(2, 9)
    assert there[: 3 * BYTES] == BITS[: 3 * BYTES]
    assert there[3 * BYTES : 4 * BYTES] == bytes(BYTES)
    assert there[4 * BYTES :] == BITS[4 * BYTES :]


class BadBlock:
    """A `read` of which a part of the cursor cannot be had."""

    def __init__(self, disk: SimulatedDisk, at: int, number: int = errno.EIO) -> None:
        self.at, self.number, self.read = at, number, disk.read
        disk.read = self  # type: ignore[method-assign]

    def __call__(self, name: str, offset: int, count: int) -> bytes:
        if name == NAME and offset <= self.at < offset + count:
            raise OSError(self.number, errno.errorcode[self.number])
        return self.read(name, offset, count)


def test_case_8_a_block_of_the_cursor_that_cannot_be_read_costs_what_is_in_it(
    disk: SimulatedDisk,
) -> None:
    cursor = made(disk)
    cursor.write(1, 9, BITS, ALL_PARTS)
    cursor.write(2, 5, BITS, {0})
    original = disk.read
    BadBlock(disk, sector_of(1, 0))
    again = Cursor(disk, SLOTS)
    bits = {(1, 9): bytes(again.bits(1, 9)), (2, 5): bytes(again.bits(2, 5))}
    assert bits[1, 9] == bytes(BYTES) + BITS[BYTES:]
    assert bits[2, 5] == BITS[:BYTES]
    assert again.mark() == Mark(1, 0, False)
    again.facts = lambda: [(slot, generation, b) for (slot, generation), b in bits.items()]
    again.sync()  # a file in other blocks
    disk.read = original  # type: ignore[method-assign]
    assert Cursor(disk, SLOTS).bits(1, 9) == bits[1, 9]
    assert Cursor(disk, SLOTS).mark() == Mark(1, 0, False)


def test_case_8_a_ring_with_such_a_cursor_opens(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    ring.append([record(1), record(2)])
    ring.set_mark(Mark(1, 2, True))
    ring.forget([Key(1, 1)])
    ring.close()
    BadBlock(disk, sector_of(0, 0))
    assert kept(opened(disk)) == [1, 2]


def test_a_cursor_that_may_not_be_read_is_no_bad_block(disk: SimulatedDisk) -> None:
    made(disk)
    BadBlock(disk, 0, errno.EACCES)
    with pytest.raises(OSError, match="EACCES"):
        Cursor(disk, SLOTS)


# After an error


@pytest.mark.parametrize("call", ["write", "sync"])
def test_after_an_error_another_file_takes_its_place(disk: SimulatedDisk, call: str) -> None:
    cursor = made(disk)
    cursor.facts = lambda: [(1, 9, bytes(BITS)), (3, 4, b"\x05")]
    cursor.write(1, 9, BITS, {0})
    broken(disk, call)
    with pytest.raises(OSError, match="EIO"):
        cursor.set_mark(Mark(2, 0, False))
    mended(disk)
    before = cursor.written
    cursor.sync()
    assert cursor.written == before + size_for(SLOTS)
    again = Cursor(disk.cut(random.Random(1)), SLOTS)
    assert again.mark() == Mark(1, 0, False)
    assert again.bits(1, 9) == BITS
    assert again.bits(3, 4) == b"\x05".ljust(BYTES, b"\0")
    before, syncs = cursor.written, disk.syncs
    cursor.set_mark(Mark(2, 0, False))
    cursor.sync()
    assert (cursor.written, disk.syncs) == (before + SECTOR, syncs + 1)


def test_a_file_that_could_not_be_made_is_made_by_the_next_sync(disk: SimulatedDisk) -> None:
    """Whoever asks for it to be durable gets that, or an error."""
    cursor = Cursor(disk, SLOTS)
    cursor.facts = lambda: [(0, 3, b"\x01")]
    broken(disk, times=2)
    for again in range(2):
        with pytest.raises(OSError, match="EIO"):
            cursor.write(0, 3, bytearray(b"\x01"), {0}) if not again else cursor.sync()
    assert SPARE not in disk.files  # what failed is not tried again
    mended(disk)
    cursor.sync()
    assert Cursor(disk.cut(random.Random(1)), SLOTS).bits(0, 3)[:1] == b"\x01"


# What it costs


def test_a_cursor_that_is_whole_is_written_in_place(disk: SimulatedDisk) -> None:
    made(disk)
    again = Cursor(disk, SLOTS)
    assert again.written == 0
    again.write(0, 1, BITS, {0, 4})
    assert again.written == 2 * SECTOR
    syncs = disk.syncs
    again.sync()
    again.sync()
    assert disk.syncs == syncs + 1


def test_a_cursor_for_fewer_segments_is_made_anew_with_what_it_knows(disk: SimulatedDisk) -> None:
    made(disk)
    larger = Cursor(disk, 2 * SLOTS)
    larger.facts = lambda: [(6, 2, b"\x03")]
    larger.sync()
    assert larger.written == 0  # there is nothing to note
    larger.write(0, 1, bytearray(b"\x01"), {0})
    assert disk.size(NAME) == size_for(2 * SLOTS)
    again = Cursor(disk, 2 * SLOTS)
    assert again.mark() == Mark(1, 0, False)
    assert again.bits(6, 2)[:1] == b"\x03"


def test_room_for_the_next_file_is_taken_in_its_size(disk: SimulatedDisk) -> None:
    made(disk)
    disk.write(SPARE, 0, b"mine")
    Cursor(disk, SLOTS)
    assert disk.files[SPARE][:4] == b"mine"
    Cursor(disk, 2 * SLOTS)
    assert disk.size(SPARE) == size_for(2 * SLOTS)
