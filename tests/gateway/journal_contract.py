"""What every journal must do. A store's test module subclasses `JournalContract` and opens it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.journal import Journal, JournalFull, Mark, Record
from gateway.model import Key, Klass

SIZE = 256 << 10


def record(
    seq: int,
    *,
    epoch: int = 1,
    klass: Klass = Klass.TELEMETRY,
    size: int = 100,
    device: str = "boiler",
    wall: float | None = None,
) -> Record:
    payload = f"{epoch}/{seq}:".encode().ljust(size, b"x")
    return Record(Key(epoch, seq), klass, 1000.0 + seq if wall is None else wall, device, payload)


def keys(records: list[Record]) -> list[int]:
    return [r.key.seq for r in records]


def fill(journal: Journal, first: int, count: int, size: int = 1000) -> int:
    """Append groups of ten until `count` are in; the next number."""
    for start in range(first, first + count, 10):
        journal.append([record(seq, size=size) for seq in range(start, start + 10)])
    return first + count


def fill_up(journal: Journal, seq: int = 1) -> int:
    """Append from a number on until it says that it is crowded; the next number."""
    while not journal.usage().crowded:
        seq = fill(journal, seq, 10)
    return seq


def fill_till_refused(journal: Journal) -> int:
    """Append until it refuses; the number that it refused."""
    seq = 1
    while seq < 1000:
        try:
            seq = fill(journal, seq, 10)
        except JournalFull:
            return seq
    raise AssertionError("it never is full")


class JournalContract:
    def open(self) -> Journal:
        """The journal of this test: the same storage at every call, with room for SIZE bytes."""
        raise NotImplementedError

    @pytest.fixture
    def journal(self) -> Journal:
        return self.open()

    def test_gives_back_what_was_appended(self, journal: Journal) -> None:
        given = [
            Record(Key(3, 7), Klass.ALARM, 12.5, "", b""),
            Record(Key(3, 9), Klass.TELEMETRY, 0.0, "h\u00e4hnchen/9", bytes(range(256))),
            Record(Key(4, 1), Klass.GAP, 1e9 + 0.123456, "a" * 63, b"[]" * 500),
        ]
        journal.append(given[:1])
        journal.append(given[1:])
        assert journal.read(None, 10) == given

    def test_an_empty_journal_has_nothing(self, journal: Journal) -> None:
        journal.append([])
        assert journal.read(None, 10) == []
        assert journal.last() is None
        assert journal.mark() is None
        assert journal.chunks() == []
        assert journal.usage().kept == 0
        assert journal.usage().oldest is None

    def test_reads_after_a_key_and_up_to_a_limit(self, journal: Journal) -> None:
        journal.append([record(seq) for seq in (1, 2, 5, 9)])
        assert keys(journal.read(Key(1, 2), 10)) == [5, 9]
        assert keys(journal.read(Key(1, 3), 10)) == [5, 9]
        assert keys(journal.read(Key(0, 99), 2)) == [1, 2]
        assert keys(journal.read(Key(2, 0), 10)) == []

    def test_reads_only_what_is_dear_enough(self, journal: Journal) -> None:
        journal.append(
            [
                record(1),
                record(2, klass=Klass.ALARM),
                record(3, klass=Klass.RESULT),
                record(4, klass=Klass.GAP),
            ]
        )
        assert keys(journal.read(None, 10, Klass.ALARM)) == [2, 4]
        assert keys(journal.read(None, 1, Klass.ALARM)) == [2]
        assert keys(journal.read(Key(1, 2), 10, Klass.RESULT)) == [3, 4]

    def test_a_key_that_does_not_grow_is_a_mistake(self, journal: Journal) -> None:
        journal.append([record(5)])
        for wrong in ([record(5)], [record(4)], [record(7), record(6)]):
            with pytest.raises(ValueError, match="does not come after"):
                journal.append(wrong)

    def test_what_is_forgotten_is_not_read_again(self, journal: Journal) -> None:
        journal.append([record(seq) for seq in range(1, 6)])
        journal.forget([Key(1, 2), Key(1, 4), Key(1, 77), Key(9, 1)])
        journal.forget([Key(1, 2)])
        assert keys(journal.read(None, 10)) == [1, 3, 5]
        assert journal.usage().kept == 3

    def test_it_lasts(self, journal: Journal) -> None:
        journal.append([record(seq) for seq in range(1, 6)])
        journal.forget([Key(1, 2)])
        journal.close()
        again = self.open()
        assert keys(again.read(None, 10)) == [1, 3, 4, 5]
        assert again.last() == Key(1, 5)
        assert again.usage().kept == 4
        again.append([record(1, epoch=2)])
        assert again.read(None, 10)[-1].key == Key(2, 1)

    def test_the_last_key_is_known_when_all_is_forgotten(self, journal: Journal) -> None:
        journal.append([record(seq) for seq in range(1, 6)])
        journal.forget(Key(1, seq) for seq in range(1, 6))
        journal.set_mark(Mark(1, 5, True, Key(1, 5)))
        journal.close()
        again = self.open()
        assert again.read(None, 10) == []
        assert again.last() == Key(1, 5)

    def test_the_mark_lasts(self, journal: Journal) -> None:
        journal.set_mark(Mark(6, 0, clean=False))
        journal.set_mark(Mark(7, 12, clean=True, written=Key(7, 11)))
        assert journal.mark() == Mark(7, 12, True, Key(7, 11))
        journal.close()
        assert self.open().mark() == Mark(7, 12, True, Key(7, 11))

    def test_settling_writes_down_what_was_forgotten(self, journal: Journal) -> None:
        journal.append([record(1), record(2)])
        journal.settle(sync=True)
        journal.forget([Key(1, 1)])
        journal.settle(sync=False)
        journal.settle(sync=True)
        journal.close()
        assert keys(self.open().read(None, 10)) == [2]

    def test_it_says_that_it_is_crowded_before_it_is_full(self, journal: Journal) -> None:
        seq = fill_up(journal)
        fill(journal, seq, 10)
        usage = journal.usage()
        assert usage.kept == seq - 1 + 10
        assert usage.bytes_limit <= SIZE
        assert SIZE // 4 < usage.bytes_used <= SIZE
        assert usage.oldest == 1001.0

    def test_its_room_shrinks_until_it_is_crowded(self, journal: Journal) -> None:
        room, seq = journal.usage().room, 1
        assert SIZE // 4 < room < SIZE
        while not journal.usage().crowded:
            assert journal.usage().room <= room
            room, seq = journal.usage().room, fill(journal, seq, 10)
        usage = journal.usage()
        assert usage.room == 0
        assert room < 20 * usage.mean  # the last ten filled it
        assert usage.mean == pytest.approx(usage.bytes_used / usage.kept, rel=0.5)

    def test_a_full_journal_refuses_and_keeps_what_it_has(self, journal: Journal) -> None:
        seq = fill_till_refused(journal)
        assert keys(journal.read(None, 1000)) == list(range(1, seq))
        assert journal.usage().bytes_used <= SIZE

    def test_what_is_dear_has_a_reserve(self, journal: Journal) -> None:
        seq = fill_till_refused(journal)
        journal.append([record(seq, klass=Klass.RESULT, size=1000)])
        journal.append([record(seq + 1, klass=Klass.GAP, size=2000)])

        def fill_the_reserve() -> None:
            for more in range(2, 1000):
                journal.append([record(seq + more, klass=Klass.ALARM, size=1000)])

        with pytest.raises(JournalFull):
            fill_the_reserve()

    def test_room_comes_back_when_the_oldest_is_forgotten(self, journal: Journal) -> None:
        seq = fill_up(journal)
        for _ in range(5):
            journal.forget([r.key for r in journal.read(None, 100)])
            seq = fill(journal, seq, 50)
        assert keys(journal.read(None, 1000)) == list(range(seq - journal.usage().kept, seq))

    def test_chunks_cover_what_is_kept_but_the_newest(self, journal: Journal) -> None:
        fill_up(journal)
        journal.forget([Key(1, 3)])
        chunks = journal.chunks()
        assert len(chunks) > 2
        inside = journal.records(chunks)
        assert keys(inside) == [1, 2, *range(4, chunks[-1].last.seq + 1)]
        assert [c.first for c in chunks] == sorted(c.first for c in chunks)
        assert all(one.last < two.first for one, two in pairwise(chunks))
        assert sum(c.kept for c in chunks) == len(inside)
        assert all(c.level == 0 and c.dear == 0 for c in chunks)
        assert all(c.kept * 1000 < c.bytes <= c.capacity * 1.1 for c in chunks)
        assert chunks[0].newest == 1000.0 + chunks[0].last.seq

    def test_a_chunk_knows_what_is_dear_and_what_has_no_time(self, journal: Journal) -> None:
        journal.append([record(1, klass=Klass.RESULT, size=1000), record(2, wall=0.0)])
        fill(journal, 3, 100)
        first = journal.chunks()[0]
        assert 1000 < first.dear < 1300
        assert first.newest == 0.0

    def test_eviction_takes_what_goes_and_merges_the_rest(self, journal: Journal) -> None:
        seq = fill_up(journal)
        one, two, *rest = journal.chunks()
        going = {r.key for r in journal.records([one, two]) if r.key.seq % 2}
        before = journal.usage()
        assert set(journal.evict([one, two], going, 1)) == going
        merged, *others = journal.chunks()
        assert merged.level == 1
        assert [c.first for c in others] == [c.first for c in rest]
        assert keys(journal.records([merged])) == list(range(2, two.last.seq + 1, 2))
        expected = [s for s in range(1, seq) if s > two.last.seq or s % 2 == 0]
        assert keys(journal.read(None, 1000)) == expected
        assert journal.usage().kept == before.kept - len(going)
        journal.close()
        again = self.open()
        assert keys(again.read(None, 1000)) == expected

    def test_eviction_of_whole_chunks_makes_room(self, journal: Journal) -> None:
        seq = fill_up(journal)
        for _ in range(10):
            if journal.usage().crowded:
                chunk = journal.chunks()[0]
                gone = journal.evict([chunk], {r.key for r in journal.records([chunk])}, 0)
                assert len(gone) == chunk.kept
            seq = fill(journal, seq, 10)
        kept = journal.read(None, 1000)
        assert keys(kept) == list(range(kept[0].key.seq, seq))

    def test_what_does_not_fit_is_not_merged(self, journal: Journal) -> None:
        fill_up(journal)
        chunks = journal.chunks()[:2]
        before = journal.read(None, 1000)
        with pytest.raises(ValueError, match="fit"):
            journal.evict(chunks, set(), 1)
        assert journal.read(None, 1000) == before

    def test_what_was_merged_can_be_forgotten_and_evicted(self, journal: Journal) -> None:
        fill_up(journal)
        one, two, *_ = journal.chunks()
        journal.evict([one, two], {r.key for r in journal.records([one, two]) if r.key.seq % 2}, 1)
        journal.forget([Key(1, 2), Key(1, 4)])
        merged = journal.chunks()[0]
        assert merged.first >= Key(1, 2)
        assert keys(journal.records([merged]))[:2] == [6, 8]
        gone = journal.evict([merged], {r.key for r in journal.records([merged])}, 0)
        assert len(gone) == merged.kept
        assert journal.read(None, 1)[0].key > two.last

    def test_nothing_is_damaged(self, journal: Journal) -> None:
        fill_up(journal)
        journal.read(None, 1000)
        assert journal.damages() == []

    def test_preparing_changes_nothing_that_is_kept_and_ends(self, journal: Journal) -> None:
        seq = fill(journal, 1, 20)
        rounds = 0
        while journal.prepare():
            rounds += 1
            assert rounds <= 1000
        assert keys(journal.read(None, 1000)) == list(range(1, seq))
        seq = fill(journal, seq, 20)
        assert not journal.prepare()
        assert keys(journal.read(None, 1000)) == list(range(1, seq))
