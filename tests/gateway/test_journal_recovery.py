"""Opening a ring: what is there after a kill is on the medium, what failed is not written on, what
is settled takes no room, and other files do not matter."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

from gateway.journal import JournalFault, Mark
from gateway.journal_disk import RealDisk
from gateway.journal_files import LEAST, layout, slots_of
from gateway.journal_format import DATA
from gateway.journal_open import open_ring
from gateway.journal_ring import Ring
from gateway.model import Key, Klass
from tests.gateway.fake_disk import Failing, SimulatedDisk, copy_of
from tests.gateway.journal_contract import fill, fill_up, keys, record
from tests.gateway.small_ring import SIZE, failed_at_its_last_sync, kept, opened, silent

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
    for name in ("0003.seg", "0011.seg", "copy.seg", "007b.seg", "0004.seg.bak", "0005", "cursor"):
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
    assert damage.count == 0  # nobody knows
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
    ring.set_mark(Mark(1, 0, False))  # the cursor is there
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
    inside = failed_at_its_last_sync(disk, ring)
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
    seq = fill(ring, seq, 30)
    ring.forget([Key(1, s) for s in range(seq // 2, seq, 3)])
    ring.settle(sync=True)
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


# Files that are not as they should be


def shorten(disk: SimulatedDisk, name: str, size: int) -> None:
    for files in (disk.files, disk._medium):
        del files[name][size:]


@pytest.mark.parametrize("size", [0, 100, 4000])
def test_case_9_the_first_file_cut_short_costs_only_what_was_in_it(
    disk: SimulatedDisk, size: int
) -> None:
    """It does not change where the records of the others are looked for."""
    ring = opened(disk)
    fill_up(ring)
    ring.close()
    before, inside = kept(ring), keys(ring.records(ring.chunks()[:1]))
    shorten(disk, "0000.seg", size)
    again = opened(disk)
    assert set(before) - set(kept(again)) <= set(inside)
    assert again.usage().bytes_limit == SIZE


def test_a_ring_of_which_a_power_cut_left_empty_files_is_made(tmp_path: Path) -> None:
    for slot, size in ((0, 0), (3, 3 * 512)):  # no room for a record
        (tmp_path / f"{slot:04d}.seg").write_bytes(bytes(size))
    ring = open_ring(RealDisk(tmp_path), SIZE, 0, silent)
    seq = fill_up(ring)
    ring.close()
    again = open_ring(RealDisk(tmp_path), SIZE, 0, silent)
    assert kept(again) == list(range(1, seq))
    assert again.damages() == []
    again.close()


def test_a_newest_segment_cut_short_behind_its_last_record_opens(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    ring.append([record(1, size=500)])
    for more in (1, 10, 43, 44, 45):
        twin = copy_of(disk)
        shorten(twin, "0000.seg", twin.files["0000.seg"].index(b"1/1:") + 500 + more)
        again = opened(twin)
        assert kept(again) == [1]
        assert again.damages() == []


@pytest.mark.parametrize("at", [0, SEGMENT - 1024])
def test_case_9_one_header_is_enough_to_know_what_was_thinned(disk: SimulatedDisk, at: int) -> None:
    ring = opened(disk)
    fill_up(ring)
    pair = ring.chunks()[:2]
    going = {r.key for r in ring.records(pair) if r.key.seq % 2}
    ring.evict(pair, going, 2)
    name = ring._space.segments[0].name
    for files in (disk.files, disk._medium):
        files[name][at : at + 512] = b"\xff" * 512
    again = opened(disk)
    assert [chunk.level for chunk in again.chunks()[:2]] == [2, 0]
    assert kept(again) == kept(ring)


@pytest.mark.parametrize("lost", [[0], [0, 1, 2], [-2, -1]])
def test_case_9_segments_without_headers_are_found_by_what_they_may_have_been(
    disk: SimulatedDisk, lost: list[int]
) -> None:
    ring = opened(disk)
    seq = fill(ring, 1, 40)
    names = [segment.name for segment in ring._space.segments]
    for number in lost:
        for at in (0, SEGMENT - 1024):
            disk.files[names[number]][at : at + 512] = bytes(512)
    again = opened(disk)
    assert kept(again) == list(range(1, seq))
    fill(again, seq, 10)
    assert kept(again) == list(range(1, seq + 10))
    generations = [segment.generation for segment in again._space.segments]
    assert len(generations) == len(set(generations))


@pytest.mark.parametrize("epoch", [1, 3])
def test_case_9_a_wreck_that_was_all_there_was_may_have_held_anything_up_to_the_mark(
    disk: SimulatedDisk, epoch: int
) -> None:
    """Also of the run before."""
    ring = opened(disk)
    ring.append([record(seq, epoch=epoch) for seq in range(1, 11)])
    ring.set_mark(Mark(epoch, 10, True, Key(epoch, 10)))
    ring.close()
    disk.files["0000.seg"][:] = random.Random(1).randbytes(SEGMENT)
    [damage] = opened(disk).damages()
    assert (damage.first, damage.last) == (Key(max(1, epoch - 1), 1), Key(epoch, 10))
    assert (damage.count, damage.torn) == (0, False)
    assert "0000.seg cannot be read" in damage.text


def wrecked(disk: SimulatedDisk, free: int) -> Ring:
    """A ring of which only so many segments can be used."""
    opened(disk)
    for slot in range(free, SLOTS):
        disk.files[f"{slot:04d}.seg"][:] = random.Random(slot).randbytes(SEGMENT)
    return opened(disk)


def test_wrecks_are_left_alone_until_they_are_told_while_there_is_room(disk: SimulatedDisk) -> None:
    ring = wrecked(disk, 4)
    assert ring.wrecked == SLOTS - 4
    ring.append([record(1)])
    assert ring.wrecked == SLOTS - 4
    assert not [name for name in disk.files if name.startswith("damaged-")]


def test_where_nearly_all_is_wrecked_one_wreck_stays_until_it_is_told(disk: SimulatedDisk) -> None:
    ring = wrecked(disk, 3)
    ring.append([record(1)])
    assert ring.wrecked == 1
    assert opened(disk).wrecked == 1
    assert kept(opened(disk)) == [1]
    ring.damages()
    ring.damages()
    assert ring.wrecked == 0
    assert opened(disk).wrecked == 0
    small = wrecked(SimulatedDisk(), SLOTS - 2)
    small.append([record(seq, size=6000) for seq in range(1, 12)])
    assert small.usage().bytes_used == 13 * SEGMENT
    assert small.wrecked == 2
    small.append([record(12, klass=Klass.RESULT, size=6000)])
    assert small.wrecked == 1


# Damage


def damage(disk: SimulatedDisk, name: str, at: int = DATA + 2000) -> None:
    """On the medium, and so in the cache."""
    for files in (disk.files, disk._medium):
        files[name][at] ^= 1


def test_case_7_of_damaged_segments_four_are_copied_as_they_were_found(
    disk: SimulatedDisk,
) -> None:
    fill_up(opened(disk))
    for slot in range(6):
        damage(disk, f"{slot:04d}.seg")
    ring = opened(disk)
    kept(ring)
    assert len(ring.damages()) == 6
    copies = [data for name, data in disk.files.items() if name.startswith("damaged-")]
    assert copies == [disk.files[f"{slot:04d}.seg"] for slot in range(4)]


def test_case_7_what_is_damaged_is_told_once_however_often_it_is_looked_at(
    disk: SimulatedDisk,
) -> None:
    fill_up(opened(disk))
    damage(disk, "0001.seg")
    ring = opened(disk)
    for _ in range(3):
        there = kept(ring)  # more segments than are remembered
    assert len(ring.damages()) == 1
    assert ring.usage().kept == len(there)
    kept(ring)
    assert ring.damages() == []


def test_an_open_ring_has_written_nothing_yet(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    ring.append([record(1)])
    ring.close()
    assert opened(disk).usage().written == 0


def test_case_7_a_segment_of_which_nothing_is_left_gives_its_room_back_once_that_is_told(
    disk: SimulatedDisk,
) -> None:
    ring = opened(disk)
    fill_up(ring)
    ring.close()
    used = ring.usage().bytes_used
    for at in range(DATA, SEGMENT - 1024, 256):
        damage(disk, "0001.seg", at)
    again = opened(disk)
    kept(again)
    assert len(again.damages()) == 1
    assert again.usage().bytes_used == used
    assert again.damages() == []
    assert again.usage().bytes_used == used - SEGMENT


def test_case_14_a_record_damaged_before_a_write_that_failed_is_told(disk: SimulatedDisk) -> None:
    """The last one that had been written well: no seal and no record behind it in its segment
    tells that it was there, but the next segment does."""
    ring = opened(disk)
    ring.set_mark(Mark(1, 0, False))
    fill(ring, 1, 10, size=100)
    disk.before = Failing("sync", errno.EIO, times=1)
    ring.append([record(seq, size=300) for seq in range(11, 16)])
    disk.before = lambda *_: None
    ring.append([record(16)])
    start = disk.files["0000.seg"].index(b"1/10:")
    for files in (disk.files, disk._medium):
        files["0000.seg"][start:] = bytes(SEGMENT - start)
    again = opened(disk)
    assert kept(again) == [*range(1, 10), *range(11, 17)]
    [lost] = again.damages()
    assert (lost.first, lost.last) == (Key(1, 10), Key(1, 10))


def test_case_3_a_write_that_was_not_completed_is_told_as_such(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill(ring, 1, 10, size=100)
    end = ring._space.segments[0].end
    disk.before = kill_at_the_sync
    with pytest.raises(Killed):
        ring.append([record(11, size=900)])
    disk.before = lambda *_: None
    damage(disk, "0000.seg", end + 700)
    again = opened(disk)
    [torn] = again.damages()
    assert torn.torn
    assert (torn.first, torn.last, torn.count) == (Key(0, 0), None, 0)
    assert "0000.seg" in torn.text
    assert kept(again) == list(range(1, 11))


def test_case_3_what_is_left_from_an_earlier_use_is_no_torn_write(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    for seq in range(1, 4 * SLOTS, 3):
        ring.append([record(s, size=2000) for s in range(seq, seq + 3)])
        ring.forget([Key(1, s) for s in range(seq, seq + 3)])
    ring.append([record(4 * SLOTS, size=2000)])
    assert kept(opened(disk)) == [4 * SLOTS]
    assert opened(disk).damages() == []
    ring.append([record(4 * SLOTS + 1, size=700)])  # behind it is the middle of an old one
    assert opened(disk).damages() == []


# What is settled, or stands elsewhere too


def test_a_segment_begun_and_never_written_to_takes_no_room(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    calls: list[str] = []

    def kill(call: str, name: str) -> None:
        if call == "write" and name == "0000.seg" and calls[-1:] == ["sync"] and len(calls) > 2:
            raise Killed
        calls.append(call)

    while ring.prepare():
        continue
    disk.before = kill
    with pytest.raises(Killed):
        ring.append([record(1)])
    disk.before = lambda *_: None
    again = opened(disk)
    assert again.usage().bytes_used == 0
    again.append([record(1)])
    assert kept(opened(disk)) == [1]


def test_a_settled_segment_that_is_not_written_on_takes_no_room(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    ring.append([record(1)])
    ring.forget([Key(1, 1)])
    ring.close()
    disk.before = Failing("sync", errno.EIO, times=1)
    assert opened(disk).usage().bytes_used == 0


def test_a_segment_that_a_dead_disk_left_as_the_newest_is_not_written_on(
    disk: SimulatedDisk,
) -> None:
    """What was to be written to it counts as settled, and so would what is written there now."""
    ring = opened(disk)
    ring.set_mark(Mark(1, 0, False))
    fill(ring, 1, 10, size=100)

    def fail(call: str, name: str) -> None:
        if (call, name) == ("sync", "0000.seg") or (call == "write" and name == "0001.seg"):
            raise OSError(errno.EIO, "EIO", name)

    disk.before = fail
    with pytest.raises(JournalFault):
        ring.append([record(seq, size=1000) for seq in range(11, 15)])
    disk.before = lambda *_: None
    again = opened(disk)
    again.append([record(seq) for seq in range(21, 31)])
    assert kept(again) == kept(opened(disk)) == [*range(1, 11), *range(21, 31)]


def test_what_earlier_runs_settled_is_known_to_a_cursor_made_anew(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    seq = fill_up(ring)
    ring.forget([Key(1, s) for s in range(1, seq // 2)])
    ring.close()
    again = opened(disk)
    disk.before = Failing("write", errno.EIO, times=1)
    with pytest.raises(JournalFault):
        again.set_mark(Mark(1, 0, False))
    disk.before = lambda *_: None
    again.settle(sync=True)
    assert kept(opened(disk)) == kept(again) == list(range(seq // 2, seq))


def repeated(disk: SimulatedDisk, first: int, count: int) -> Ring:
    """Keys 1 to 10 in the first segment. Then a group whose sync failed, though all of it came to
    the medium, and which is in the second segment too. That it does not count in the first one is
    lost with a sector of the cursor."""
    ring = opened(disk)
    ring.set_mark(Mark(1, 0, False))
    if first > 1:
        ring.append([record(seq, size=100) for seq in range(1, first)])

    def fail(call: str, name: str) -> None:
        if (call, name) == ("sync", "0000.seg") and b"1/%d:" % first in disk.files[name]:
            disk._flush(name)
            raise OSError(errno.EIO, "EIO", name)

    disk.before = fail
    ring.append([record(seq, size=100) for seq in range(first, first + count)])
    disk.before = lambda *_: None
    damage(disk, "cursor", 2 * 512 + 20)
    return opened(disk)


@pytest.mark.parametrize(("first", "count"), [(11, 5), (11, 1), (1, 5)])
def test_case_14_what_stands_in_two_segments_counts_once(
    disk: SimulatedDisk, first: int, count: int
) -> None:
    ring = repeated(disk, first, count)
    assert kept(ring) == list(range(1, first + count))
    assert ring.usage().kept == first + count - 1
    assert ring.usage().bytes_used == (2 if first > 1 else 1) * SEGMENT
    assert ring.damages() == []


def test_case_14_of_two_segments_the_earlier_does_not_come_back_when_the_later_is_used_again(
    disk: SimulatedDisk,
) -> None:
    ring = repeated(disk, 11, 5)
    for seq in range(16, 16 + 2 * SLOTS):
        ring.append([record(seq, size=6000)])
        ring.forget([Key(1, s) for s in range(11, seq + 1)])
    ring.settle(sync=True)
    assert kept(opened(disk)) == list(range(1, 11))


def test_case_14_nor_does_it_where_its_file_cannot_be_written_to(disk: SimulatedDisk) -> None:
    ring = repeated(disk, 1, 5)

    def fail(call: str, name: str) -> None:
        if (call, name) == ("drop", "0000.seg"):  # before any of it is written over
            raise OSError(errno.EIO, "EIO", name)

    disk.before = fail
    for seq in range(6, 6 + 2 * SLOTS):
        ring.append([record(seq, size=6000)])
        ring.forget([Key(1, s) for s in range(1, seq + 1)])
    disk.before = lambda *_: None
    ring.close()
    assert kept(opened(disk)) == []


def test_what_eviction_left_counts_once_though_nothing_tells_what_it_replaced(
    disk: SimulatedDisk,
) -> None:
    """Both of its headers are damaged, and the cursor is gone: what went may be back, for once."""
    ring = opened(disk)
    seq = fill_up(ring)
    pair = ring.chunks()[:2]
    last = pair[1].first
    ring.evict(pair, {r.key for r in ring.records(pair) if r.key != last}, 1)
    name = ring._space.segments[0].name
    for at in (0, SEGMENT - 1024):
        disk.files[name][at : at + 512] = bytes(512)
    for file in ("cursor", "cursor.new"):
        if file in disk.files:
            disk.remove(file)
    there = kept(opened(disk))
    assert there == sorted(set(there))
    assert there[-1] == seq - 1
    assert last.seq in there


def test_an_eviction_that_a_kill_ended_does_not_come_back_when_the_old_is_settled(
    disk: SimulatedDisk,
) -> None:
    ring = opened(disk)
    ring.set_mark(Mark(1, 0, False))
    fill_up(ring)
    pair = ring.chunks()[:2]
    inside = ring.records(pair)

    def kill(call: str, name: str) -> None:
        if call == "sync" and name.endswith(".seg") and b"1/2:" in disk.files[name]:
            raise Killed

    disk.before = kill
    with pytest.raises(Killed):
        ring.evict(pair, {r.key for r in inside if r.key.seq % 2}, 1)
    disk.before = lambda *_: None
    again = opened(disk)
    assert set(keys(inside)) <= set(kept(again))
    again.forget([r.key for r in inside])
    again.settle(sync=True)
    assert not set(keys(inside)) & set(kept(opened(disk)))
