"""What is known of a segment: the same from its seal and from a scan; which records may be missing
where some are damaged; what a settled bit costs."""

from __future__ import annotations

import pytest

from gateway.journal import Record
from gateway.journal_format import DATA, TAIL, size_of
from gateway.journal_ring import Ring
from gateway.model import Key, Klass
from tests.gateway.fake_disk import SimulatedDisk
from tests.gateway.journal_contract import keys, record
from tests.gateway.small_ring import kept, opened

SEGMENT = 8192
CAPACITY = SEGMENT - DATA - TAIL


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk()


def filled(ring: Ring, *groups: list[Record]) -> None:
    """One segment for each group: the last record of it takes the rest, but for the last group."""
    for group in groups:
        if group is not groups[-1]:
            room = CAPACITY - sum(map(size_of, group))
            group[-1] = replace_payload(group[-1], room)
        ring.append(group)


def replace_payload(given: Record, more: int) -> Record:
    return given._replace(payload=given.payload + bytes(more))


def without_seals(disk: SimulatedDisk) -> None:
    for files in (disk.files, disk._medium):
        for name, content in files.items():
            if name.endswith(".seg"):
                content[-512:] = bytes(512)


def test_without_its_seals_a_ring_is_what_it_was(disk: SimulatedDisk) -> None:
    """A power cut takes them: nothing of what is evicted, found or shown may change by that."""
    ring = opened(disk)
    filled(
        ring,
        [record(1), record(2, klass=Klass.RESULT), record(3, klass=Klass.ALARM), record(4)],
        [record(5)],
        [record(6, wall=0.0), record(7), record(8)],
        [record(9, wall=50.0), record(10, wall=0.0), record(11, klass=Klass.COUNTER, wall=90.0)],
        [record(12, wall=7000.0), record(13, wall=3.0), record(14, klass=Klass.GAP, wall=8.0)],
        [record(15)],
    )
    chunks = ring.chunks()
    assert [chunk.dear for chunk in chunks[:2]] == [size_of(record(2)) + size_of(record(3)), 0]
    assert [chunk.newest for chunk in chunks] == [1004.0, 1005.0, 0.0, 0.0, 7000.0]
    assert all(chunk.bytes == chunk.capacity == CAPACITY for chunk in chunks)
    without_seals(disk)
    again = opened(disk)
    assert again.chunks() == chunks
    for twin in (ring, again):
        assert keys(twin.read(None, 99, Klass.ALARM)) == [3, 14]
        assert twin.usage().oldest == 1001.0
    again.append([record(16)])
    assert kept(opened(disk)) == list(range(1, 17))


def test_the_oldest_time_is_that_of_the_oldest_segment_with_its_seal_and_without(
    disk: SimulatedDisk,
) -> None:
    filled(opened(disk), [record(1, wall=20.0), record(2, wall=10.0), record(3)], [record(4)])
    assert opened(disk).usage().oldest == 10.0
    without_seals(disk)
    assert opened(disk).usage().oldest == 10.0


def test_a_chunk_begins_and_ends_with_what_is_kept(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    filled(ring, [record(seq) for seq in range(1, 11)], [record(11)])
    ring.forget([Key(1, 1), Key(1, 2), Key(1, 5), Key(1, 10)])
    [chunk] = ring.chunks()
    assert (chunk.first, chunk.last, chunk.kept) == (Key(1, 3), Key(1, 9), 6)
    assert chunk.bytes == sum(size_of(record(seq)) for seq in (3, 4, 6, 7, 8, 9))


def test_a_chunk_of_which_all_that_was_kept_is_damaged_counts_nothing(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    filled(ring, [record(1), record(2), record(3)], [record(4)])
    ring.forget([Key(1, 1)])
    ring.close()
    again = opened(disk)
    flip(disk, 2, 3)
    assert [(chunk.kept, chunk.bytes) for chunk in again.chunks()] == [(0, 0)]
    assert [damage.count for damage in again.damages()] == [2]


# Damage


def flip(disk: SimulatedDisk, *seqs: int) -> None:
    """One bit of each of these records, wherever it is; on the medium, and so in the cache."""
    for seq in seqs:
        for content in disk.files.values():
            if (at := content.find(b"1/%d:" % seq)) >= 0:
                content[at] ^= 1
    disk._medium = {name: bytearray(content) for name, content in disk.files.items()}


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        ([11], [(11, 11, 1)]),
        ([11, 12, 13], [(11, 13, 3)]),
        ([20], [(20, 20, 1)]),
        ([18, 19, 20], [(18, 20, 3)]),
        ([11, 15, 20], [(11, 11, 1), (15, 15, 1), (20, 20, 1)]),
        (list(range(11, 21)), [(11, 20, 10)]),
    ],
)
def test_case_7_damage_is_told_to_the_record_wherever_it_is(
    disk: SimulatedDisk, damaged: list[int], told: list[tuple[int, int, int]]
) -> None:
    """In a segment with others before and behind it: its first, its last, all of it."""
    ring = opened(disk)
    groups = [[record(seq) for seq in range(first, first + 10)] for first in (1, 11, 21)]
    filled(ring, *groups)
    ring.close()
    flip(disk, *damaged)
    again = opened(disk)
    assert kept(again) == [seq for seq in range(1, 31) if seq not in damaged]
    found = [(d.first.seq, d.last and d.last.seq, d.count) for d in again.damages()]
    assert found == told


def test_case_7_what_is_settled_is_not_told_when_it_is_damaged(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    filled(ring, [record(seq) for seq in range(1, 11)], [record(11)])
    ring.forget([Key(1, 4), Key(1, 6)])
    ring.close()
    flip(disk, 4, 5, 6)
    again = opened(disk)
    assert kept(again) == [1, 2, 3, 7, 8, 9, 10, 11]
    [damage] = again.damages()
    assert (damage.first, damage.last, damage.count) == (Key(1, 4), Key(1, 6), 1)


def test_case_7_the_first_of_all_records_may_be_missing(disk: SimulatedDisk) -> None:
    """What was before it, nobody knows: from the beginning of the run of which the next one is."""
    opened(disk).append([record(5, epoch=3), record(6, epoch=3), record(1, epoch=4)])
    content = disk.files["0000.seg"]
    content[content.index(b"3/5:")] ^= 1
    disk._medium["0000.seg"][:] = content
    again = opened(disk)
    [damage] = again.damages()
    assert (damage.first, damage.last, damage.count) == (Key(3, 1), Key(3, 5), 1)
    assert [r.key for r in again.read(None, 9)] == [Key(3, 6), Key(4, 1)]


def test_case_7_the_first_of_a_segment_without_a_seal_follows_what_was_before_it(
    disk: SimulatedDisk,
) -> None:
    filled(opened(disk), [record(1), record(2)], [record(3), record(4), record(5)])
    flip(disk, 3)
    again = opened(disk)
    [damage] = again.damages()
    assert (damage.first, damage.last, damage.count) == (Key(1, 3), Key(1, 3), 1)
    assert kept(again) == [1, 2, 4, 5]


def test_case_9_a_file_cut_short_while_it_is_open_costs_what_was_behind(
    disk: SimulatedDisk,
) -> None:
    """In the middle of a record's head, and behind none."""
    ring = opened(disk)
    ring.append([record(seq) for seq in range(1, 11)])
    at = disk.files["0000.seg"].index(b"1/7:") - len("boiler") - 20
    del disk.files["0000.seg"][at:]
    assert kept(ring) == [1, 2, 3, 4, 5, 6]
    [damage] = ring.damages()
    assert (damage.first, damage.last, damage.count) == (Key(1, 7), Key(1, 10), 4)


# Settled bits


def test_what_is_noted_as_settled_is_not_written_again(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    ring.append([record(seq) for seq in range(1, 11)])
    ring.forget([Key(1, 2)])
    ring.settle(sync=True)
    written = ring.usage().written
    ring.settle(sync=True)
    ring.forget([Key(1, 2)])
    ring.settle(sync=True)
    assert ring.usage().written == written


@pytest.mark.parametrize("settled", [[1], [8], [9], [16], [1, 2, 3, 4, 5, 6, 7, 8], [3, 12, 17]])
def test_a_segment_of_which_some_is_settled_is_written_on_when_it_is_opened(
    disk: SimulatedDisk, settled: list[int]
) -> None:
    ring = opened(disk)
    ring.append([record(seq, size=10) for seq in range(1, 18)])
    ring.forget([Key(1, seq) for seq in settled])
    ring.close()
    again = opened(disk)
    assert again.usage().kept == 17 - len(settled)
    again.append([record(18)])
    assert again.usage().bytes_used == SEGMENT
    assert kept(opened(disk)) == [seq for seq in range(1, 19) if seq not in settled]


def test_only_what_is_there_is_settled(disk: SimulatedDisk) -> None:
    """Keys before, between and behind the records of a segment, and of other epochs."""
    ring = opened(disk)
    given = [Key(1, 5), Key(1, 6), Key(1, 9), Key(3, 2), Key(3, 5)]
    ring.append([record(key.seq, epoch=key.epoch) for key in given])
    ring.forget([Key(0, 5), Key(1, 4), Key(1, 7), Key(2, 5), Key(2, 6), Key(3, 1), Key(3, 3)])
    assert [r.key for r in ring.read(None, 99)] == given
    for at, key in enumerate(given):
        assert [r.key for r in ring.read(key, 99)] == given[at + 1 :]
    ring.forget([Key(1, 6), Key(3, 2)])
    assert [r.key for r in ring.read(None, 99)] == [Key(1, 5), Key(1, 9), Key(3, 5)]
