"""The ring's room: which segments hold records, which slots are free, where records are, and what
of them was found damaged."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from gateway.journal import Damage
from gateway.journal_cursor import ALL, Cursor
from gateway.journal_disk import Disk
from gateway.journal_format import DATA, TAIL, Header
from gateway.journal_fresh import Fresh
from gateway.journal_index import Index
from gateway.journal_recovery import Found
from gateway.journal_segment import Segment, name_of, read_all
from gateway.model import Key

INDEXES = 4
"""Segments whose index is kept: what is written, what is read, what is acknowledged."""

LEAST_FREE = 4
"""Free slots with which a ring works: two in reserve, one to merge into, one to write."""

QUARANTINE = "damaged-"
MOST_QUARANTINED = 4
"""Copies of damaged segments that are kept for whoever wants to know more."""


class Space:
    def __init__(self, disk: Disk, cursor: Cursor, size: int, found: Found) -> None:
        self.disk = disk
        self.cursor = cursor
        self.size = size
        self.segments = found.segments
        """In order of key."""
        self.free = sorted(found.free)
        """Slots, the next to be used first."""
        self.wrecked = found.wrecked
        self.active: Segment | None = None
        """Where records are written; None until the next one comes."""
        self.last: Key | None = None
        """The highest key that was ever written."""
        self.written = 0
        self._fresh = Fresh(disk, size, found.fresh)
        self._settled = found.settled
        """Free slots to the generation that is left there."""
        cursor.facts = self._facts
        self._ghosts = sorted(found.dead)
        """Slots with remains that must never count: see `bury`."""
        self._replaced = found.replaced
        """Segments that live on in another one: they must be known as settled before it goes."""
        self._generation = found.generation
        self._indexes: OrderedDict[int, Index] = OrderedDict()
        self._new: list[tuple[Damage, Segment | None, list[int]]] = [
            (damage, None, []) for damage in found.damages
        ]
        self._told: list[tuple[Segment, list[int]]] | None = None
        """Segments with ordinals, which are settled once the account of them is on disk."""

    @property
    def capacity(self) -> int:
        """Bytes of records that fit into one segment."""
        return self.size - DATA - TAIL

    # Slots

    def write(self, name: str, offset: int, data: bytes) -> None:
        self.disk.write(name, offset, data)
        self.written += len(data)

    def begin(
        self, previous: Key | None, replaces: tuple[int, ...] = (), level: int = 0
    ) -> Segment:
        """A free slot, used again; there must be one. OSError.

        What is settled goes to the disk first: nothing else keeps a slot that was freed by eviction
        from coming back to life once the segment that replaced it is gone. The header is on the
        medium before a record is: so no generation is used twice, and no record of a write that a
        cut undid can verify later.
        """
        self._settle_replaced()
        self.cursor.sync()
        slot = self.free.pop(0)
        segment = self._of_new_generation(slot, level, replaces, previous)
        try:
            if slot in self._fresh:
                self.written += self._fresh.fill(slot)
            else:
                self.disk.drop_cache(segment.name)  # nobody reads what is left there
            segment.write_header(self.disk)
            self.disk.sync(segment.name)
        except OSError:
            self.free.append(slot)
            raise
        self._settled.pop(slot, None)
        self.remember(segment, Index())
        return segment

    def _of_new_generation(
        self,
        slot: int,
        level: int = 0,
        replaces: tuple[int, ...] = (),
        previous: Key | None = None,
    ) -> Segment:
        self._generation += 1
        return Segment(slot, Header(self._generation, level, replaces, previous), self.size)

    def prepare(self) -> bool:
        """Fill one free segment that was never used; False when there is none. OSError."""
        slot = next((slot for slot in self.free if slot in self._fresh), None)
        if slot is not None:
            self.written += self._fresh.fill(slot)
        return slot is not None

    def _settle_replaced(self) -> None:
        while self._replaced:
            self._replaced[-1].settle(0, self._replaced[-1].count)
            self._replaced[-1].write_bits(self.cursor)
            self._replaced.pop()
        for segment in self.segments:
            if segment.cut is not None:
                segment.write_bits(self.cursor)

    def replace(self, segments: Iterable[Segment]) -> None:
        """All that counts of them is in another segment now, durably, or nowhere."""
        for segment in segments:
            self._replaced.append(segment)
            self.release(segment)
        try:
            self._settle_replaced()
        except OSError:
            return  # tried again before a slot is used again

    def give_up(self, segment: Segment) -> None:
        """What was to replace others could not be written, or the system says so."""
        self._ghosts.append(segment.slot)
        self.release(segment)
        del self._settled[segment.slot]

    def bury(self) -> None:
        """Before anything else is written: what was to replace others, and was given up, may look
        whole at the next start, or once those others are gone. OSError."""
        while self._ghosts:
            slot = self._ghosts[-1]
            empty = self._of_new_generation(slot)
            try:
                empty.write_header(self.disk)
                self.disk.sync(empty.name)
            except OSError:
                if not self._replace_file(slot):
                    raise
                self.free.remove(slot)
            self._ghosts.pop()

    def release(self, segment: Segment) -> None:
        """Nothing in it is kept: its slot is free, and used again after those free before it."""
        if segment in self.segments:
            self.segments.remove(segment)
        self.drop_index(segment)
        self.free.append(segment.slot)
        self._settled[segment.slot] = segment.generation

    def release_if_settled(self, segment: Segment) -> None:
        if not segment.kept and segment is not self.active and segment in self.segments:
            self.write_bits(segment)
            self.release(segment)

    def write_bits(self, segment: Segment) -> None:
        """Lazily: what cannot be noted now is delivered twice at worst."""
        try:
            segment.write_bits(self.cursor)
        except OSError:
            return

    def _facts(self) -> Iterator[tuple[int, int, bytes]]:
        """For a new cursor file: what is settled, of every segment."""
        for segment in self.segments:
            yield segment.slot, segment.generation, bytes(segment.bits)
        for slot, generation in self._settled.items():
            yield slot, generation, ALL

    # Places

    def index(self, segment: Segment) -> Index:
        """Built by a scan; what the scan misses is damage. OSError."""
        index = self._indexes.get(segment.generation)
        if index is None:
            index = segment.index(self.disk)
            self.look_over(segment, index)
            self.remember(segment, index)
        self._indexes.move_to_end(segment.generation)
        return index

    def remember(self, segment: Segment, index: Index) -> None:
        self._indexes[segment.generation] = index
        active = self.active.generation if self.active else None
        while len(self._indexes) > INDEXES:
            del self._indexes[next(g for g in self._indexes if g != active)]

    def drop_index(self, segment: Segment) -> None:
        self._indexes.pop(segment.generation, None)

    # Damage

    def look_over(self, segment: Segment, index: Index) -> None:
        """Note the records that should be in the index and are not."""
        known = {o for _, s, ordinals in self._new if s is segment for o in ordinals}
        known |= {o for s, ordinals in self._told or () if s is segment for o in ordinals}
        for damage, ordinals in segment.lost(index):
            new = [ordinal for ordinal in ordinals if ordinal not in known]
            if new:
                self._quarantine(segment)
                self._new.append((damage, segment, new))
                segment.kept -= len(new)

    def _quarantine(self, segment: Segment) -> None:
        """A copy as it is now, if there is room: it is for people, nothing depends on it."""
        name = f"{QUARANTINE}{segment.generation}"
        try:
            there = [n for n in self.disk.names() if n.startswith(QUARANTINE)]
            if name not in there and len(there) < MOST_QUARANTINED:
                data = read_all(self.disk, segment.name, self.size)
                self.disk.create(name, self.size)
                self.disk.write(name, 0, data)
        except OSError:
            return

    def damages(self) -> list[Damage]:
        """What is new. What was told before is on disk now, so it is settled and set aside."""
        if self._told is not None:
            self._settle_told(self._told)
            self._set_wrecks_aside()
        self._told = [(segment, ordinals) for _, segment, ordinals in self._new if segment]
        found = [damage for damage, _, _ in self._new]
        self._new = []
        return found

    def _settle_told(self, told: Iterable[tuple[Segment, list[int]]]) -> None:
        for segment, ordinals in told:
            for ordinal in ordinals:
                segment.settle(ordinal, ordinal + 1)
            self.release_if_settled(segment)

    def make_room(self) -> None:
        """Where nearly all is wrecked, the account of that needs room too. One wreck stays: as long
        as there is one, the next start tells it again."""
        if len(self.free) < LEAST_FREE:
            self._set_wrecks_aside(1)

    def _set_wrecks_aside(self, but: int = 0) -> None:
        while len(self.wrecked) > but:
            if not self._replace_file(self.wrecked[-1]):
                return  # tried again with the next
            self.wrecked.pop()

    def _replace_file(self, slot: int) -> bool:
        """The slot's file is set aside, and a new one is free for use. False when that cannot be;
        where it only cannot be made, as on a full disk, the ring does without until it is opened
        again."""
        name = name_of(slot)
        try:
            if name in self.disk.names():
                self.disk.rename(name, f"{QUARANTINE}slot-{slot}")
            self.disk.sync_directory()
        except OSError:
            return False
        try:
            self.disk.create(name, self.size)
        except OSError:
            return True
        self.free.append(slot)
        self._fresh.add(slot)
        return True
