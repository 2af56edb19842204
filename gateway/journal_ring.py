"""The ring: fixed segments, recycled; one write and one sync a group of records.

All the room is taken when the ring is made, so a disk that others fill does not matter, and a
segment is written over and over in place, so the file system has no metadata to write. Room comes
back by whole segments, when all of their records are settled.

After an error nothing is written to that segment any more: the kernel calls the pages of a failed
sync clean, and a second sync would lie. The group is written again, in another segment.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from gateway.journal import Chunk, Damage, JournalFault, JournalFull, JournalUsage, Mark, Record
from gateway.journal_cursor import Cursor
from gateway.journal_disk import Disk
from gateway.journal_format import DATA, pack_record, seed_of, size_of
from gateway.journal_index import Index
from gateway.journal_recovery import recover
from gateway.journal_segment import Segment
from gateway.journal_space import Space
from gateway.journal_write import GroupWriter
from gateway.model import Key, Klass

SPARE = 1
"""A free segment that only eviction uses, to write what is left of others."""

RESERVE = 2
"""Free segments that telemetry does not get."""


class Ring:
    def __init__(self, disk: Disk, slots: int, segment: int) -> None:
        """slots files of `segment` bytes are there. JournalFault; NewerFormat."""
        self._disk = disk
        self._slots = slots
        with self._faults("read"):
            self._cursor = Cursor(disk, slots)
            self._space = Space(disk, self._cursor, segment, recover(disk, self._cursor, segment))
            self._writing = GroupWriter(self._space)
            mark = self._cursor.mark()
            keys = [s.last for s in self._space.segments]
            keys.append(mark.written if mark else None)
            self._space.last = max((key for key in keys if key is not None), default=None)
            self._go_on()

    @property
    def wrecked(self) -> int:
        """Segment files of which nothing could be made."""
        return len(self._space.wrecked)

    def _go_on(self) -> None:
        """Write on where the last run ended. What eviction left is not written on: should the old
        segments be there yet, it counts only as what it was made as."""
        for newest in self._space.segments[-1:]:
            if not newest.sealed and not newest.header.replaces:
                self._space.active = newest
                self._space.index(newest)

    # Writing

    def append(self, records: Sequence[Record]) -> None:
        last = self._space.last
        for record in records:
            if last is not None and record.key <= last:
                raise ValueError(f"{record.key} does not come after {last}")
            last = record.key
        if not records:
            return
        cheap = min(record.klass for record in records) == Klass.TELEMETRY
        floor = SPARE + (RESERVE if cheap else 0)
        with self._faults("write"):
            self._space.bury()
            self._space.make_room()
        try:
            self._writing.write(records, floor)
        except OSError as first:
            try:
                self._writing.write(records, SPARE)
            except (OSError, JournalFull) as second:
                raise JournalFault(f"journal: cannot write: {first}; then: {second}") from second
        self._space.last = last

    # Reading

    def read(self, after: Key | None, limit: int, low: Klass = Klass.TELEMETRY) -> list[Record]:
        found: list[Record] = []
        for segment in list(self._space.segments):
            passed = after is not None and segment.last is not None and segment.last <= after
            if passed or not segment.kept or (low >= Klass.ALARM and not segment.urgent):
                continue
            found += self._read(segment, after, limit - len(found), low)
            if len(found) >= limit:
                break
        return found

    def _read(self, segment: Segment, after: Key | None, limit: int, low: Klass) -> list[Record]:
        with self._faults(f"read {segment.name}"):
            index = self._space.index(segment)
            places = segment.wanted(index, after, low, limit)
            if low == Klass.TELEMETRY:
                got = segment.load(self._disk, index, places)
            else:
                got = self._one_by_one(segment, index, places)
            if None in got:  # damaged since the scan: scanned again, which tells
                self._space.drop_index(segment)
                index = self._space.index(segment)
                places = segment.wanted(index, after, low, limit)
                got = self._one_by_one(segment, index, places)
            return [record for record in got if record is not None]

    def _one_by_one(
        self, segment: Segment, index: Index, places: Sequence[int]
    ) -> Sequence[Record | None]:
        return [r for place in places for r in segment.load(self._disk, index, [place])]

    # Settling

    def forget(self, keys: Iterable[Key]) -> None:
        ordered, at = sorted(dict.fromkeys(keys)), 0
        with self._faults("read"):
            for segment in list(self._space.segments):
                if at == len(ordered):
                    return
                if segment.last is not None:
                    start, at = at, bisect_right(ordered, segment.last, at)
                    if at > start and segment.kept:
                        self._settle(segment, ordered[start:at])

    def _settle(self, segment: Segment, keys: list[Key]) -> None:
        index = self._space.index(segment)
        for first, stop in index.ordinals_of(keys):
            segment.kept -= segment.settle(first, stop)
        self._space.release_if_settled(segment)

    def settle(self, sync: bool) -> None:
        with self._faults("write"):
            self._space.bury()
            for segment in self._space.segments:
                segment.write_bits(self._cursor)
            if sync:
                self._cursor.sync()

    # Eviction

    def chunks(self) -> list[Chunk]:
        with self._faults("read"):
            closed = [s for s in self._space.segments if s is not self._space.active and s.kept]
            return [s.chunk(self._space.index(s) if s.kept < s.count else None) for s in closed]

    def records(self, chunks: Sequence[Chunk]) -> list[Record]:
        inside = self._of(chunks)
        return [r for s in inside for r in self._read(s, None, s.count, Klass.TELEMETRY)]

    def evict(self, chunks: Sequence[Chunk], going: Collection[Key], level: int) -> list[Key]:
        old, inside = self._of(chunks), self.records(chunks)
        if not old:
            return []
        stay = [record for record in inside if record.key not in going]
        if sum(map(size_of, stay)) > self._space.capacity:
            raise ValueError("what stays does not fit into one chunk")
        space = self._space
        with self._faults("write"):
            space.bury()
            new = self._rewrite(old, stay, level) if stay else None
            at = space.segments.index(old[0])
            space.replace(old)
            if new is not None:
                space.segments.insert(at, new)
        return [record.key for record in inside if record.key in going]

    def _rewrite(self, old: list[Segment], stay: list[Record], level: int) -> Segment:
        """One segment that replaces the old ones from the moment that its seal is on disk: the
        records were before."""
        if not self._space.free:
            raise JournalFull("no segment is free to write what stays")
        new = self._space.begin(None, tuple(segment.generation for segment in old), level)
        self._space.drop_index(new)
        try:
            seed, packed = seed_of(new.generation), []
            for record in stay:
                packed.append(pack_record(record, seed, new.count, DATA))
                new.note(record, len(packed[-1]))
            self._space.write(new.name, DATA, b"".join(packed))
            self._disk.sync(new.name)
            new.write_seal(self._disk)
            self._disk.sync(new.name)
        except OSError:
            self._space.give_up(new)
            raise
        return new

    def _of(self, chunks: Sequence[Chunk]) -> list[Segment]:
        """The segments; they may have lost a record at an end since."""
        found = []
        for s in self._space.segments:
            if s is not self._space.active and s.first is not None and s.last is not None:
                first, last = s.first, s.last
                if any(first <= chunk.last and chunk.first <= last for chunk in chunks):
                    found.append(s)
        return found

    # The rest

    def damages(self) -> list[Damage]:
        return self._space.damages()

    def mark(self) -> Mark | None:
        return self._cursor.mark()

    def set_mark(self, mark: Mark) -> None:
        with self._faults("write the mark"):
            self._space.bury()
            self._cursor.set_mark(mark)

    def last(self) -> Key | None:
        return self._space.last

    def usage(self) -> JournalUsage:
        space = self._space
        return JournalUsage(
            kept=sum(segment.kept for segment in space.segments),
            bytes_used=(self._slots - len(space.free)) * space.size,
            bytes_limit=self._slots * space.size,
            written=space.written + self._cursor.written,
            crowded=len(space.free) <= SPARE + RESERVE + 1,
            oldest=next((s.oldest for s in space.segments if s.kept), 0.0) or None,
            room=self._room(),
            mean=self._mean(),
        )

    def _room(self) -> int:
        """It is crowded as soon as the last of the segments that telemetry may have is begun."""
        space, active = self._space, self._space.active
        whole = (len(space.free) - SPARE - RESERVE - 2) * space.capacity
        return max(0, whole + (DATA + space.capacity - active.end if active else 0))

    def _mean(self) -> float:
        segments = self._space.segments
        count = sum(segment.count for segment in segments)
        return sum(segment.end - DATA for segment in segments) / count if count else 0.0

    def prepare(self) -> bool:
        with self._faults("fill a segment"):
            return self._space.prepare()

    def close(self) -> None:
        try:
            self.settle(sync=True)
        finally:
            self._disk.close()

    @contextmanager
    def _faults(self, verb: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise JournalFault(f"journal: cannot {verb}: {error}") from error
