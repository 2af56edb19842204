"""Writing a group of records: one write and one sync, over more segments where it does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from gateway.journal import JournalFull, Record
from gateway.journal_format import DATA, Seal, pack_record, seed_of, size_of
from gateway.journal_segment import Segment
from gateway.journal_space import Space


class GroupWriter:
    def __init__(self, space: Space) -> None:
        self._space = space

    def _parts(self, records: Sequence[Record], floor: int) -> list[list[Record]]:
        """What goes into the active segment, into the next, and so on. JournalFull."""
        active = self._space.active
        room = self._space.capacity - (active.end - DATA) if active else 0
        parts: list[list[Record]] = [[]]
        for record in records:
            size = size_of(record)
            if size > self._space.capacity:
                raise ValueError(f"{record.key}: {size} bytes do not fit into a segment")
            if size > room:
                parts.append([])
                room = self._space.capacity
            parts[-1].append(record)
            room -= size
        if len(parts) > 1 and len(self._space.free) - (len(parts) - 1) < floor:
            raise JournalFull(f"only {len(self._space.free)} segments are free")
        return parts

    def write(self, records: Sequence[Record], floor: int) -> None:
        """All of them, or the segments written to are left alone from now on.

        floor: slots that must stay free. JournalFull, OSError, and ValueError for a record that
        does not fit into a segment.
        """
        parts = self._parts(records, floor)
        touched: list[tuple[Segment, Seal | None, Sequence[Record]]] = []
        try:
            for number, part in enumerate(parts):
                active = self._advance() if number else self._space.active
                if part and active is not None:
                    touched.append((active, active.summary(), part))
                    self._write_group(active, part)
        except OSError:
            self._abandon(touched)
            raise

    def _write_group(self, segment: Segment, records: list[Record]) -> None:
        seed, start = seed_of(segment.generation), segment.end
        index = self._space.index(segment)
        packed = [
            pack_record(record, seed, segment.count + place, start)
            for place, record in enumerate(records)
        ]
        self._space.write(segment.name, start, b"".join(packed))
        self._space.disk.sync(segment.name)
        for record, data in zip(records, packed, strict=True):
            at = segment.end
            segment.note(record, len(data))
            key = record.key
            index.add(at, segment.end, segment.count - 1, record.klass, *key, record.wall)

    def _advance(self) -> Segment:
        """Seal the active segment and begin the next, which is synced with its first group."""
        space, full = self._space, self._space.active
        space.active = None
        if full is not None:
            with suppress(OSError):  # without a seal the next start scans it
                full.write_seal(self._space.disk)
            space.release_if_settled(full)
        previous = full.last if full is not None and full.last else space.last
        segment = space.begin(previous)
        space.segments.append(segment)
        space.active = segment
        return segment

    def _abandon(self, touched: list[tuple[Segment, Seal | None, Sequence[Record]]]) -> None:
        """Nothing more is written to these. What was in them before is looked at again, from the
        medium; what the failed write left there does not count, now or later."""
        self._space.active = None
        for segment, before, part in touched:
            count = before.count if before else 0
            segment.settle(count, count + len(part))
            if before is None:
                self._space.replace([segment])
                continue
            segment.cut = part[0].key
            segment.kept -= segment.count - count
            segment.holds(before)
            self._look_again(segment)

    def _look_again(self, segment: Segment) -> None:
        self._space.drop_index(segment)
        with suppress(OSError):  # reading it later tells
            self._space.disk.drop_cache(segment.name)
            self._space.index(segment)
        self._space.release_if_settled(segment)
