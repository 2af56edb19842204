"""The ring's room, to the byte and to the slot: what fits, what is refused, what a group costs."""

from __future__ import annotations

import pytest

from gateway.journal import JournalFull, Record
from gateway.journal_files import layout
from gateway.journal_format import RECORD
from gateway.journal_open import open_ring
from gateway.journal_ring import RESERVE, SPARE, Ring
from gateway.model import Key, Klass
from tests.gateway.fake_disk import SimulatedDisk
from tests.gateway.journal_contract import fill, keys

SIZE = 128 << 10
SLOTS, SEGMENT = layout(SIZE)
CAPACITY = SEGMENT - 3 * 512
"""Without two headers and a seal."""


def silent(_: str) -> None:
    """Nothing is reported in these tests."""


def opened(disk: SimulatedDisk) -> Ring:
    return open_ring(disk, SIZE, 0, silent)


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk()


@pytest.fixture
def ring(disk: SimulatedDisk) -> Ring:
    return opened(disk)


def sized(seq: int, size: int, klass: Klass = Klass.TELEMETRY) -> Record:
    """A record of so many bytes in all."""
    return Record(Key(1, seq), klass, 1.0, "", bytes(size - RECORD.size))


def segments(ring: Ring) -> int:
    return ring.usage().bytes_used // SEGMENT


def test_a_segment_is_filled_to_its_last_byte(disk: SimulatedDisk, ring: Ring) -> None:
    ring.append([sized(1, CAPACITY - 100)])
    ring.append([sized(2, 100)])
    assert segments(ring) == 1
    ring.append([sized(3, 100), sized(4, CAPACITY - 99)])
    assert segments(ring) == 3
    ring.append([sized(5, CAPACITY)])
    assert segments(ring) == 4
    assert keys(opened(disk).read(None, 10)) == [1, 2, 3, 4, 5]


def test_a_record_larger_than_a_segment_is_a_mistake(ring: Ring) -> None:
    ring.append([sized(1, 100)])
    with pytest.raises(ValueError, match="do not fit into a segment"):
        ring.append([sized(2, 100), sized(3, CAPACITY + 1)])
    assert keys(ring.read(None, 10)) == [1]


def test_a_group_costs_one_sync_and_a_new_segment_one_more(disk: SimulatedDisk, ring: Ring) -> None:
    while ring.prepare():
        continue  # until every segment was written to once
    ring.append([sized(1, 100)])
    before = disk.syncs
    ring.append([sized(seq, 100) for seq in range(2, 12)])
    assert disk.syncs == before + 1
    ring.append([sized(12, CAPACITY)])  # the header before the record
    assert disk.syncs == before + 3


def test_a_group_goes_over_as_many_segments_as_it_needs(disk: SimulatedDisk, ring: Ring) -> None:
    ring.append([sized(seq, CAPACITY // 2) for seq in range(1, 10)])
    assert segments(ring) == 5
    assert keys(opened(disk).read(None, 10)) == list(range(1, 10))


def test_what_is_refused_leaves_no_trace(disk: SimulatedDisk, ring: Ring) -> None:
    most = SLOTS - SPARE - RESERVE
    with pytest.raises(JournalFull):
        ring.append([sized(seq, CAPACITY) for seq in range(1, most + 2)])
    assert segments(ring) == 0
    ring.append([sized(seq, CAPACITY) for seq in range(1, most + 1)])
    assert segments(ring) == most
    with pytest.raises(JournalFull):
        ring.append([sized(99, 100)])
    with pytest.raises(JournalFull):
        ring.append([sized(seq, CAPACITY, Klass.ALARM) for seq in range(100, 101 + RESERVE)])
    ring.append([sized(seq, CAPACITY, Klass.ALARM) for seq in range(100, 100 + RESERVE)])
    assert segments(ring) == SLOTS - SPARE
    assert keys(opened(disk).read(None, 99)) == [*range(1, most + 1), *range(100, 100 + RESERVE)]


def test_what_fits_into_the_segment_being_written_needs_no_free_one(ring: Ring) -> None:
    """Not even telemetry, of which the reserve is kept free."""
    for seq in range(1, SLOTS - SPARE - RESERVE + 1):
        ring.append([sized(seq, CAPACITY)])
    ring.append([sized(98, CAPACITY - 100, Klass.RESULT)])  # takes one of the reserve
    ring.append([sized(99, 100)])
    with pytest.raises(JournalFull):
        ring.append([sized(100, 100)])
    assert keys(ring.read(Key(1, 97), 10)) == [98, 99]


def test_the_dearest_class_of_a_group_does_not_open_the_reserve_for_the_rest(ring: Ring) -> None:
    for seq in range(1, SLOTS - SPARE - RESERVE + 1):
        ring.append([sized(seq, CAPACITY)])
    with pytest.raises(JournalFull):
        ring.append([sized(98, 100), sized(99, 100, Klass.ALARM)])
    ring.append([sized(99, 100, Klass.ALARM)])


def test_all_that_is_settled_at_once_takes_no_more_than_two_segments(
    disk: SimulatedDisk, ring: Ring
) -> None:
    """The healthy link, for ever: a segment that is full and settled is free again."""
    for first in range(1, 400, 10):
        fill(ring, first, 10)
        ring.forget([Key(1, seq) for seq in range(first, first + 10)])
        assert segments(ring) <= 2
    assert ring.usage().kept == 0
    assert ring.chunks() == []


def test_slots_are_used_in_turn(disk: SimulatedDisk, ring: Ring) -> None:
    """So that the card wears evenly."""
    for first in range(1, 10 * SLOTS + 1):
        ring.append([sized(first, CAPACITY)])
        ring.forget([Key(1, first)])
    generations = sorted(s.generation for s in opened(disk)._space.segments)
    written = [
        int.from_bytes(disk.files[f"{slot:04d}.seg"][16:24], "little") for slot in range(SLOTS)
    ]
    assert max(written) == max(generations) == 10 * SLOTS
    assert max(written) - min(written) <= SLOTS


def test_it_is_crowded_while_one_more_segment_may_be_used(ring: Ring) -> None:
    crowded = []
    for number in range(1, SLOTS - SPARE - RESERVE + 1):
        ring.append([sized(number, CAPACITY)])
        crowded.append(ring.usage().crowded)
    assert crowded.index(True) == len(crowded) - 2
    assert all(crowded[-2:])


def test_it_tells_what_it_wrote_to_the_disk(disk: SimulatedDisk, ring: Ring) -> None:
    ring.append([sized(1, 100)])  # fills the segment
    before = ring.usage().written
    assert before == SEGMENT + 512 + 100
    ring.append([sized(2, 100), sized(3, 250)])
    assert ring.usage().written == before + 350
    ring.forget([Key(1, 1)])
    ring.settle(sync=False)  # makes the cursor
    before = ring.usage().written
    ring.forget([Key(1, 2)])
    ring.settle(sync=False)
    assert ring.usage().written == before + 512


def test_a_chunk_counts_to_the_byte_what_of_it_is_kept(ring: Ring) -> None:
    for seq in range(1, 11, 2):
        ring.append([sized(seq, 500, Klass.RESULT), sized(seq + 1, 700)])
    ring.append([sized(11, CAPACITY)])
    whole, *_ = ring.chunks()
    assert (whole.kept, whole.bytes, whole.dear) == (10, 6000, 2500)
    ring.forget([Key(1, seq) for seq in (1, 2, 3, 10)])
    part, *_ = ring.chunks()
    assert (part.kept, part.bytes, part.dear) == (6, 3600, 1500)
    assert (part.first, part.last) == (Key(1, 4), Key(1, 9))


def test_what_stays_may_fill_a_segment_to_its_last_byte(disk: SimulatedDisk, ring: Ring) -> None:
    for first in (1, 3):
        ring.append([sized(first, CAPACITY // 2), sized(first + 1, CAPACITY - CAPACITY // 2)])
    ring.append([sized(5, 100)])
    assert ring.evict(ring.chunks(), {Key(1, 1), Key(1, 4)}, 1) == [Key(1, 1), Key(1, 4)]
    assert keys(opened(disk).read(None, 10)) == [2, 3, 5]


def test_its_room_is_what_fits_in_to_the_byte_before_it_is_crowded(ring: Ring) -> None:
    before_crowded = SLOTS - SPARE - RESERVE - 2
    assert (ring.usage().room, ring.usage().mean) == (before_crowded * CAPACITY, 0.0)
    ring.append([sized(1, 100)])
    ring.append([sized(2, 300)])
    assert (ring.usage().room, ring.usage().mean) == (before_crowded * CAPACITY - 400, 200.0)
    ring.append([sized(3, CAPACITY - 400)])
    for seq in range(4, 3 + before_crowded):
        ring.append([sized(seq, CAPACITY)])
    assert (ring.usage().room, ring.usage().crowded) == (0, False)
    ring.append([sized(99, 100)])
    assert (ring.usage().room, ring.usage().crowded) == (0, True)
