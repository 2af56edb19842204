"""Opening a ring: what is there after a kill is on the medium, what failed is not written on, what
is settled takes no room, and other files do not matter."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

from gateway.journal import JournalFault, Mark
from gateway.journal_disk import RealDisk
from gateway.journal_format import DATA, SEAL_MAGIC
from gateway.journal_open import open_ring
from gateway.journal_recovery import LEAST, layout, slots_of
from gateway.model import Key
from tests.gateway.fake_disk import Failing, SimulatedDisk, copy_of
from tests.gateway.journal_contract import fill, fill_up, keys, record
from tests.gateway.small_ring import SIZE, kept, opened, silent

SLOTS, SEGMENT = layout(SIZE)


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk()


class Killed(Exception):
    """Ends the process in the middle of a call."""


def kill_at_the_sync(call: str, name: str) -> None:
    if call == "sync":
        raise Killed


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, (LEAST, 8192)),
        (128 << 10, (16, 8192)),
        (1 << 20, (16, 65536)),
        (10 << 20, (16, 655360)),
        (64 << 20, (64, 1 << 20)),
        (1000 << 20, (1000, 1 << 20)),
    ],
)
def test_a_ring_has_sixteen_segments_or_more_of_a_megabyte(
    size: int, expected: tuple[int, int]
) -> None:
    assert layout(size) == expected


def test_case_1_what_is_read_after_a_kill_outlives_a_power_cut(disk: SimulatedDisk) -> None:
    """The page cache had it; that it is read makes it a promise."""
    ring = opened(disk)
    fill(ring, 1, 10, size=100)
    disk.before = kill_at_the_sync
    with pytest.raises(Killed):
        ring.append([record(seq, size=300) for seq in range(11, 16)])
    disk.before = lambda *_: None
    there = kept(opened(disk))
    assert there == list(range(1, 16))
    assert kept(opened(disk.cut(random.Random(1)))) == there


def test_case_14_what_a_failed_sync_left_in_the_page_cache_is_not_believed(
    disk: SimulatedDisk,
) -> None:
    """The process dies right behind the error; the system calls the pages clean."""
    ring = opened(disk)
    fill(ring, 1, 10, size=100)
    disk.before = Failing("sync", errno.EIO)
    with pytest.raises(JournalFault):
        ring.append([record(seq, size=300) for seq in range(11, 16)])
    disk.before = lambda *_: None
    there = kept(opened(disk))
    assert there[:10] == list(range(1, 11))
    assert kept(opened(disk.cut(random.Random(1)))) == there


@pytest.mark.parametrize("call", ["sync", "drop"])
def test_a_segment_that_cannot_be_brought_to_the_medium_is_not_written_on(
    disk: SimulatedDisk, call: str
) -> None:
    fill(opened(disk), 1, 10, size=100)
    disk.before = Failing(call, errno.EIO, times=1)
    ring = opened(disk)
    disk.before = lambda *_: None
    assert kept(ring) == list(range(1, 11))
    before = bytes(disk.files["0000.seg"][: SEGMENT - 512])
    ring.append([record(11)])
    assert bytes(disk.files["0000.seg"][: SEGMENT - 512]) == before
    assert kept(opened(disk)) == list(range(1, 12))


@pytest.mark.parametrize("call", ["write", "sync"])
def test_case_14_a_kill_behind_a_repeated_write_brings_nothing_twice(
    disk: SimulatedDisk, call: str
) -> None:
    ring = opened(disk)
    fill(ring, 1, 10, size=100)
    disk.before = Failing(call, errno.EIO, times=1)
    ring.append([record(seq, size=300) for seq in range(11, 16)])
    ring.append([record(16)])
    disk.before = lambda *_: None
    for again in (opened(disk), opened(disk.cut(random.Random(2)))):
        assert kept(again) == list(range(1, 17))
        assert again.usage().kept == 16
        again.forget([Key(1, seq) for seq in range(1, 17)])
        assert again.read(None, 10) == []
        again.append([record(17)])
        assert kept(again) == [17]
        assert again.damages() == []


def test_what_is_settled_takes_no_room(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    seq = fill_up(ring)
    ring.forget([Key(1, s) for s in range(1, seq)])
    ring.close()
    again = opened(disk)
    assert again.usage().kept == 0
    assert again.usage().bytes_used <= SEGMENT
    assert again.last() == Key(1, seq - 1)
    fill(again, seq, 50)
    assert kept(opened(disk)) == list(range(seq, seq + 50))


def test_what_is_settled_in_the_middle_takes_no_room(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill_up(ring)
    used = ring.usage().bytes_used
    inside = keys(ring.records(ring.chunks()[2:4]))
    ring.forget([Key(1, s) for s in inside])
    ring.close()
    again = opened(disk)
    assert again.usage().bytes_used == used - 2 * SEGMENT
    assert set(kept(again)).isdisjoint(inside)
    assert again.damages() == []


def test_case_9_the_newest_segment_without_headers_is_found(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill(ring, 1, 40)
    newest = max(s.slot for s in ring._space.segments)
    for at in (0, SEGMENT - 1024):
        disk.files[f"{newest:04d}.seg"][at : at + 512] = bytes(512)
    again = opened(disk)
    assert kept(again) == list(range(1, 41))
    fill(again, 41, 10)
    assert kept(opened(disk)) == list(range(1, 51))


def test_a_slot_with_nothing_but_a_broken_header_is_free(disk: SimulatedDisk) -> None:
    opened(disk)
    disk.files["0002.seg"][:DATA] = b"\xa5" * DATA
    said: list[str] = []
    ring = open_ring(disk, SIZE, 0, said.append)
    assert said == []
    assert ring.usage().bytes_used == 0
    for seq in range(1, 14):
        ring.append([record(seq, size=6000)])
    assert kept(opened(disk)) == list(range(1, 14))


def test_case_9_a_file_that_was_cut_short_costs_what_was_behind(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill_up(ring)
    ring.close()
    before = kept(ring)
    inside = keys(ring.records(ring.chunks()[1:2]))
    for files in (disk.files, disk._medium):
        del files["0001.seg"][4000:]
    again = opened(disk)
    lost = set(before) - set(kept(again))
    assert lost < set(inside)
    assert min(inside) not in lost
    [damage] = again.damages()
    assert (damage.first, damage.last) == (Key(1, min(lost)), Key(1, max(lost)))


def test_only_numbered_segments_are_segments(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path)
    for name in ("0003.seg", "0011.seg", "copy.seg", "0004.seg.bak", "0005", "cursor"):
        disk.create(name, 8192)
    assert slots_of(disk) == [3, 11]


def test_what_cannot_be_made_is_said_with_its_number() -> None:
    disk = SimulatedDisk()
    disk.before = Failing("create", errno.ENOSPC, first=11)
    said: list[str] = []
    ring = open_ring(disk, SIZE, 0, said.append)
    assert len(said) == 1
    assert said[0].startswith("journal: 6 segments could not be made")
    assert ring.usage().bytes_limit == 10 * SEGMENT


def test_what_shall_stay_free_stays_free_to_the_byte() -> None:
    room = 20 * SEGMENT
    for more, slots in ((0, 12), (-1, 12), (1, 11)):
        disk = SimulatedDisk(room=room)
        ring = open_ring(disk, SIZE, 8 * SEGMENT + more, silent)
        assert ring.usage().bytes_limit == slots * SEGMENT, more


def test_a_mark_that_knows_of_later_records_tells_that_they_are_gone(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill(ring, 1, 10, size=100)
    ring.set_mark(Mark(1, 20, True, Key(1, 20)))
    again = opened(disk)
    [damage] = again.damages()
    assert (damage.first, damage.last, damage.torn) == (Key(1, 11), Key(1, 20), False)
    assert again.last() == Key(1, 20)


def test_case_12_a_cursor_that_fails_is_made_anew_on_a_disk_that_others_have_filled(
    disk: SimulatedDisk,
) -> None:
    ring = opened(disk)
    ring.append([record(1), record(2)])
    ring.set_mark(Mark(1, 0, False))
    ring.forget([Key(1, 1)])
    ring.close()
    disk.remove("cursor.new")
    ring = opened(disk)  # takes the room again
    disk.room = sum(map(len, disk.files.values()))
    disk.before = Failing("write", errno.EIO, times=1)
    with pytest.raises(JournalFault):
        ring.set_mark(Mark(1, 2, True))
    disk.before = lambda *_: None
    ring.set_mark(Mark(1, 2, True))
    again = opened(disk.cut(random.Random(1)))
    assert again.mark() == Mark(1, 2, True)
    assert kept(again) == [2]


def test_what_a_failed_write_left_stays_settled_when_what_replaced_it_is_used_again(
    disk: SimulatedDisk,
) -> None:
    """The first segment keeps its first ten; what was to follow them is elsewhere, and settled."""
    ring = opened(disk)
    fill(ring, 1, 10, size=100)
    disk.before = Failing("sync", errno.EIO, times=1)
    ring.append([record(seq, size=300) for seq in range(11, 16)])
    disk.before = lambda *_: None
    for seq in range(16, 16 + 2 * SLOTS):
        ring.forget([Key(1, s) for s in range(11, seq)])
        ring.append([record(seq, size=6000)])
    for seed in range(5):
        assert kept(opened(copy_of(disk).cut(random.Random(seed))))[:10] == list(range(1, 11))
        assert not set(kept(opened(copy_of(disk).cut(random.Random(seed))))) & set(range(11, 16))


def test_an_eviction_that_failed_at_its_last_sync_never_counts_later(disk: SimulatedDisk) -> None:
    """Its remains look whole; they are made unreadable before anything else is written."""
    ring = opened(disk)
    seq = fill_up(ring)
    pair = ring.chunks()[:2]
    inside = ring.records(pair)
    there = {name for name, data in disk.files.items() if data[-512:-504] == SEAL_MAGIC}

    def fail(call: str, name: str) -> None:
        new = name not in there and name.endswith(".seg")
        if call == "sync" and new and disk.files[name][-512:-504] == SEAL_MAGIC:
            raise OSError(errno.EIO, "EIO", name)

    disk.before = fail
    with pytest.raises(JournalFault):
        ring.evict(pair, {r.key for r in inside if r.key.seq % 2}, 1)
    disk.before = lambda *_: None
    ring.forget([r.key for r in inside])
    for more in range(seq, seq + SLOTS):
        ring.forget([r.key for r in ring.read(None, 12)])
        ring.append([record(more, size=6000)])
    ring.settle(sync=True)
    expected = kept(ring)
    for seed in range(5):
        assert kept(opened(copy_of(disk).cut(random.Random(seed)))) == expected


def test_case_7_what_is_damaged_while_the_ring_is_open_is_told_when_it_is_read(
    disk: SimulatedDisk,
) -> None:
    ring = opened(disk)
    fill(ring, 1, 20, size=100)
    assert kept(ring) == list(range(1, 21))
    place = disk.files["0000.seg"].index(b"1/7:")
    disk.files["0000.seg"][place] ^= 1
    assert kept(ring) == [seq for seq in range(1, 21) if seq != 7]
    [damage] = ring.damages()
    assert (damage.first, damage.last, damage.count) == (Key(1, 7), Key(1, 7), 1)
    assert ring.usage().kept == 19
    assert ring.damages() == []


def test_a_cursor_made_anew_knows_what_is_settled_in_every_segment(disk: SimulatedDisk) -> None:
    """Segments that were used again are not in the order of their slots."""
    ring = opened(disk)
    seq = fill_up(ring)
    ring.forget([Key(1, s) for s in range(1, seq // 2)])
    seq = fill(ring, seq, 20)
    ring.forget([Key(1, s) for s in range(seq // 2, seq, 3)])
    disk.before = Failing("write", errno.EIO, times=1)
    with pytest.raises(JournalFault):
        ring.set_mark(Mark(1, 0, False))
    disk.before = lambda *_: None
    ring.settle(sync=True)
    size = disk.size("cursor")
    expected = kept(ring)
    assert kept(opened(disk.cut(random.Random(1)))) == expected
    assert disk.size("cursor.new") == size


def test_a_mark_outlives_a_power_cut(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    for epoch in range(1, 5):
        ring.set_mark(Mark(epoch, epoch * 7, True))
        for seed in range(8):
            again = opened(copy_of(disk).cut(random.Random(seed)))
            assert again.mark() == Mark(epoch, epoch * 7, True)
