"""The ring keeps the contract of a journal; what a read of it costs; what an eviction that failed
must never do."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.journal import JournalFault, Mark
from gateway.journal_disk import RealDisk
from gateway.journal_open import open_ring
from gateway.journal_ring import Ring
from gateway.model import Key, Klass
from tests.gateway.fake_disk import Failing, SimulatedDisk, copy_of
from tests.gateway.journal_contract import SIZE, JournalContract, fill, fill_up, keys, record
from tests.gateway.small_ring import failed_at_its_last_sync, kept, opened, silent


class TestRing(JournalContract):
    @pytest.fixture(autouse=True)
    def _storage(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "journal"

    def open(self) -> Ring:
        return open_ring(RealDisk(self.directory), SIZE, 0, silent)


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk()


# What a read costs


class Reads:
    """A `before` for SimulatedDisk that notes which files are read."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self.names: list[str] = []
        disk.before = self

    def __call__(self, call: str, name: str) -> None:
        if call == "read":
            self.names.append(name)


def test_what_is_behind_a_key_is_not_looked_for_before_it(disk: SimulatedDisk) -> None:
    """A drain asks so again and again: it shall not scan the whole ring each time."""
    ring = opened(disk)
    seq = fill_up(ring)
    last = ring.chunks()[2].last
    reads = Reads(disk)
    assert keys(ring.read(last, 3)) == [last.seq + 1, last.seq + 2, last.seq + 3]
    assert set(reads.names) == {"0003.seg"}
    assert ring.read(Key(1, seq - 1), 3) == []
    assert set(reads.names) == {"0003.seg"}


def test_alarms_are_not_looked_for_where_none_are(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    seq = fill_up(ring)
    ring.append([record(seq, klass=Klass.ALARM)])
    reads = Reads(disk)
    assert keys(ring.read(None, 10, Klass.ALARM)) == [seq]
    assert len(set(reads.names)) == 1


def test_neighbours_are_read_at_once_and_what_is_dear_among_them_alone(
    disk: SimulatedDisk,
) -> None:
    ring = opened(disk)
    klasses = {1: Klass.RESULT, 40: Klass.RESULT}
    ring.append([record(s, klass=klasses.get(s, Klass.TELEMETRY)) for s in range(1, 41)])
    sizes: list[int] = []
    original = disk.read

    def read(name: str, offset: int, count: int) -> bytes:
        sizes.append(count)
        return original(name, offset, count)

    disk.read = read  # type: ignore[method-assign]
    assert len(ring.read(None, 40)) == 40
    assert len(sizes) == 1
    sizes.clear()
    assert keys(ring.read(None, 40, Klass.RESULT)) == [1, 40]
    assert sum(sizes) < 400


def test_writing_reads_nothing(disk: SimulatedDisk) -> None:
    """Neither in a segment's first use nor in a later one."""
    ring = opened(disk)
    seq = fill_up(ring)
    ring.forget([Key(1, s) for s in range(1, seq)])
    reads = Reads(disk)
    fill(ring, seq, 60)
    assert reads.names == []


def test_what_is_used_again_and_again_is_looked_through_once(disk: SimulatedDisk) -> None:
    """What is acknowledged, while others are read: and no more than four indexes take memory."""
    ring = opened(disk)
    seq = fill_up(ring)
    chunks = ring.chunks()
    first, second, third = (chunk.first.seq for chunk in chunks[:3])
    ring.forget([Key(1, first), Key(1, second), Key(1, third), Key(1, seq - 1)])
    reads = Reads(disk)
    ring.forget([Key(1, first + 1), Key(1, second + 1), Key(1, third + 1), Key(1, seq - 2)])
    assert reads.names == []
    for chunk in chunks[3:]:
        ring.forget([Key(1, first + 1)])
        ring.records([chunk])
    assert "0000.seg" not in reads.names
    assert len(ring._space._indexes) == 4
    ring.forget([Key(1, s) for s in range(1, seq)])
    assert len(ring._space._indexes) == 1


def test_settling_reads_only_the_segments_that_it_concerns(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill_up(ring)
    second = ring.chunks()[1]
    reads = Reads(disk)
    ring.forget([second.first])
    assert set(reads.names) == {"0001.seg"}


def test_what_may_be_evicted_is_known_without_a_read(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill_up(ring)
    reads = Reads(disk)
    assert len(ring.chunks()) > 8
    assert reads.names == []


# Opening and closing


def test_damage_in_the_newest_segment_is_told_before_anything_is_read(disk: SimulatedDisk) -> None:
    fill(opened(disk), 1, 10, size=100)
    at = disk.files["0000.seg"].index(b"1/5:")
    for files in (disk.files, disk._medium):
        files["0000.seg"][at] ^= 1
    [damage] = opened(disk).damages()
    assert (damage.first, damage.last, damage.count) == (Key(1, 5), Key(1, 5), 1)


def test_only_the_newest_segment_is_written_on(disk: SimulatedDisk) -> None:
    """The first lost its seal in a power cut, the second cannot be brought to the medium: what
    comes next must not stand in the first, before the second."""
    ring = opened(disk)
    ring.append([record(1, size=3000)])
    ring.append([record(2, size=6000)])
    disk.files["0000.seg"][-512:] = bytes(512)
    disk.before = Failing("sync", errno.EIO, first=2, times=1)
    again = opened(disk)
    disk.before = lambda *_: None
    again.append([record(3)])
    assert kept(again) == [1, 2, 3]
    assert kept(opened(disk)) == [1, 2, 3]


def test_what_was_settled_before_it_was_closed_is_settled_after_a_power_cut(
    disk: SimulatedDisk,
) -> None:
    ring = opened(disk)
    ring.set_mark(Mark(1, 0, False))  # the cursor is there, and written in place
    ring.append([record(seq) for seq in range(1, 11)])
    ring.forget([Key(1, seq) for seq in range(1, 6)])
    ring.close()
    for seed in range(8):
        assert kept(opened(copy_of(disk).cut(random.Random(seed)))) == [6, 7, 8, 9, 10]


# Eviction


def test_a_chunk_of_which_one_record_is_left_gives_it(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill_up(ring)
    one, two, *_ = ring.chunks()
    first, *rest = keys(ring.records([one]))
    *others, last = keys(ring.records([two]))
    ring.forget([Key(1, seq) for seq in (*rest, *others)])
    one, two, *_ = ring.chunks()
    assert keys(ring.records([one])) == [first]
    assert keys(ring.records([two])) == [last]


def test_what_is_being_written_is_never_evicted(disk: SimulatedDisk) -> None:
    """Whatever span is asked for."""
    ring = opened(disk)
    seq = fill_up(ring)
    newest = ring.chunks()[-1]
    inside = keys(ring.records([newest]))
    everything = replace(newest, last=Key(1, seq))
    gone = ring.evict([everything], {Key(1, s) for s in range(1, seq)}, 0)
    assert [key.seq for key in gone] == inside
    assert kept(ring) == [s for s in range(1, seq) if s not in inside]


def test_of_nothing_nothing_is_evicted(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill(ring, 1, 10)
    assert ring.evict([], {Key(1, 1)}, 0) == []
    assert kept(ring) == list(range(1, 11))


WRITES: Sequence[Callable[[Ring], None]] = (
    lambda ring: ring.append([record(1, epoch=2)]),
    lambda ring: ring.set_mark(Mark(1, 0, False)),
    lambda ring: ring.settle(sync=True),
)


@pytest.mark.parametrize("write", WRITES, ids=["append", "mark", "settle"])
def test_after_an_eviction_that_failed_what_is_kept_is_kept_as_soon_as_something_is_written(
    disk: SimulatedDisk, write: Callable[[Ring], None]
) -> None:
    ring = opened(disk)
    fill_up(ring)
    failed_at_its_last_sync(disk, ring)
    write(ring)
    for seed in range(8):
        assert kept(opened(copy_of(disk).cut(random.Random(seed)))) == kept(ring)


def test_what_is_settled_after_an_eviction_that_failed_does_not_come_back_from_its_remains(
    disk: SimulatedDisk,
) -> None:
    ring = opened(disk)
    fill_up(ring)
    inside = failed_at_its_last_sync(disk, ring)
    ring.forget([r.key for r in inside])
    ring.settle(sync=True)
    assert kept(opened(disk)) == kept(ring)
    assert not set(kept(ring)) & set(keys(inside))


def test_the_remains_of_an_eviction_that_failed_harm_nothing_that_is_written_over_them(
    disk: SimulatedDisk,
) -> None:
    """Evictions alone use all that is free once more, and with it the slot of the remains."""
    ring = opened(disk)
    seq = fill_up(ring)
    failed_at_its_last_sync(disk, ring)
    for chunk in ring.chunks()[:6]:
        ring.evict([chunk], {chunk.first}, 0)
    ring.append([record(seq)])
    assert kept(opened(disk)) == kept(ring)


def test_the_remains_of_an_eviction_that_failed_are_not_settled_by_a_cursor_made_then(
    disk: SimulatedDisk,
) -> None:
    """Else they would count as complete, and what was to stay would be gone with the old ones."""
    ring = opened(disk)
    fill_up(ring)
    inside = failed_at_its_last_sync(disk, ring)
    others = ring.records(ring.chunks()[3:4])
    ring.forget([r.key for r in others])  # of a whole segment: it is noted
    assert "cursor" in disk.files
    there = set(kept(opened(disk)))
    assert {r.key.seq for r in inside if r.key.seq % 2 == 0} <= there


def slot_of_the_remains(ring: Ring) -> str:
    [slot] = ring._space._ghosts
    return f"{slot:04d}.seg"


def test_remains_in_a_file_that_cannot_be_written_to_are_set_aside(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    seq = fill_up(ring)
    while ring.prepare():
        continue
    failed_at_its_last_sync(disk, ring)
    broken, used = slot_of_the_remains(ring), ring.usage().bytes_used
    there = set(disk.files)
    calls: list[tuple[str, str]] = []

    def fail(call: str, name: str) -> None:
        calls.append((call, name))
        if (call, name) == ("write", broken) and set(disk.files) == there:
            raise OSError(errno.EIO, "EIO", name)

    disk.before = fail
    ring.append([record(seq)])
    disk.before = lambda *_: None
    assert f"damaged-slot-{int(broken[:4])}" in disk.files
    done = [call for call in calls if call[0] in ("rename", "sync", "write")]
    assert done[:3] == [("write", broken), ("rename", broken), ("sync", "")]  # then the record
    assert ring.usage().bytes_used == used
    assert ring.prepare()  # the new file
    assert not ring.prepare()
    for more in range(1, 6):
        ring.append([record(seq + more, size=6000, klass=Klass.RESULT)])
        ring.forget([r.key for r in ring.read(None, 12)])
    assert kept(opened(disk)) == kept(ring)


def test_remains_are_set_aside_where_there_is_no_room_for_another_file(
    disk: SimulatedDisk,
) -> None:
    """The ring goes on with a segment less, and makes it when it is opened again."""
    ring = opened(disk)
    seq = fill_up(ring)
    failed_at_its_last_sync(disk, ring)
    broken, room = slot_of_the_remains(ring), disk.room

    def fail(call: str, name: str) -> None:
        if (call, name) == ("write", broken):
            raise OSError(errno.EIO, "EIO", name)

    disk.before, disk.room = fail, 0
    for more in range(5):
        ring.append([record(seq + more, size=6000, klass=Klass.RESULT)])
        ring.forget([r.key for r in ring.read(None, 12)])
    disk.before, disk.room = lambda *_: None, room
    assert broken not in disk.files
    assert kept(opened(disk)) == kept(ring)
    assert broken in disk.files


@pytest.mark.parametrize("call", ["rename", "sync"])
def test_while_remains_can_neither_be_undone_nor_set_aside_nothing_is_written(
    disk: SimulatedDisk, call: str
) -> None:
    ring = opened(disk)
    seq = fill_up(ring)
    failed_at_its_last_sync(disk, ring)
    before, broken = kept(ring), slot_of_the_remains(ring)

    def fail(called: str, name: str) -> None:
        if (called, name) == ("write", broken) or called == call:
            raise OSError(errno.EIO, "EIO", name)

    disk.before = fail
    with pytest.raises(JournalFault):
        ring.append([record(seq)])
    disk.before = lambda *_: None
    ring.append([record(seq)])
    assert kept(ring) == kept(opened(disk)) == [*before, seq]


# Room


def test_segments_that_cannot_be_begun_are_not_lost_to_the_ring(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill(ring, 1, 10, size=100)
    used = ring.usage().bytes_used

    def fail(call: str, name: str) -> None:
        if call == "write" and name.endswith(".seg"):
            raise OSError(errno.EIO, "EIO", name)

    for seq in range(11, 41):
        disk.before = fail
        with pytest.raises(JournalFault):
            ring.append([record(seq)])
    disk.before = lambda *_: None
    assert ring.usage().bytes_used == used
    ring.append([record(41)])
    assert kept(ring) == kept(opened(disk)) == [*range(1, 11), 41]


def test_what_is_left_in_a_segment_used_again_is_dropped_from_the_page_cache(
    disk: SimulatedDisk,
) -> None:
    """Nobody reads it, and the memory is wanted elsewhere."""
    ring = opened(disk)
    seq = fill_up(ring)
    ring.forget([Key(1, s) for s in range(1, seq)])
    while ring.prepare():
        continue
    dropped: list[str] = []
    disk.before = lambda call, name: dropped.append(name) if call == "drop" else None
    for more in range(4):
        ring.append([record(seq + more, size=6000)])
    assert len(dropped) == len(set(dropped)) == 4
