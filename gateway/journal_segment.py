"""One segment of the ring: its file, and what is known of its records.

Little of it stays in memory: the span of keys, the counts, a bit for each settled record. The index
of places is built when records are read, by a scan that also finds damage, and kept for the few
segments that are in use (`journal_ring.py`).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from gateway.journal import Chunk, Damage, Record
from gateway.journal_cursor import BYTES, Cursor
from gateway.journal_disk import Disk, read_around
from gateway.journal_format import (
    DATA,
    SECTOR,
    TAIL,
    Header,
    Seal,
    pack_header,
    pack_seal,
    seed_of,
    unpack_records,
)
from gateway.journal_index import Index, scan, spans
from gateway.model import Key, Klass

PAGE = 4096


def name_of(slot: int) -> str:
    return f"{slot:04d}.seg"


def _ones(count: int) -> int:
    return (1 << count) - 1


def read_all(disk: Disk, name: str, size: int) -> bytes:
    """The whole segment; what the medium cannot read comes as zeros, which never verify."""
    data, _ = read_around(disk, name, size, PAGE)
    return data


@dataclass(slots=True, eq=False)
class Segment:
    """count: ordinals used. end: where the next record goes. oldest, newest: wall seconds, 0.0 when
    not known. cut: records from this key on are elsewhere, the write that held them had failed.
    As it was found: sealed, nothing more is written to it; told, its seal has verified."""

    slot: int
    header: Header
    size: int
    count: int = 0
    end: int = DATA
    first: Key | None = None
    last: Key | None = None
    dear: int = 0
    urgent: int = 0
    oldest: float = 0.0
    newest: float = 0.0
    sealed: bool = False
    told: bool = False
    cut: Key | None = None
    kept: int = 0
    bits: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set)
    """Parts of the bits that the cursor file does not have yet."""

    @property
    def name(self) -> str:
        return name_of(self.slot)

    @property
    def generation(self) -> int:
        return self.header.generation

    @property
    def capacity(self) -> int:
        return self.size - TAIL - DATA

    # Settled bits

    def is_settled(self, ordinal: int) -> bool:
        at = ordinal >> 3
        return at < len(self.bits) and bool(self.bits[at] >> (ordinal & 7) & 1)

    def settle(self, first: int, stop: int) -> int:
        """The ordinals from first to before stop; how many of them were not before."""
        start, end = first >> 3, (stop + 7) >> 3
        self.bits.extend(bytes(max(0, end - len(self.bits))))
        known = int.from_bytes(self.bits[start:end], "little")
        settled = known | _ones(stop - first) << (first & 7)
        if settled != known:
            self.bits[start:end] = settled.to_bytes(end - start, "little")
            self.dirty.update(range(start // BYTES, (end - 1) // BYTES + 1))
        return settled.bit_count() - known.bit_count()

    def write_bits(self, cursor: Cursor) -> None:
        if self.dirty:
            cursor.write(self.slot, self.generation, self.bits, self.dirty)
            self.dirty = set()

    def unsettled(self) -> int:
        """Of the ordinals used, by the bits."""
        used = int.from_bytes(self.bits, "little") & _ones(self.count)
        return self.count - used.bit_count()

    def is_settled_beyond(self) -> bool:
        """Whether a bit is set for an ordinal that no record has."""
        return bool(int.from_bytes(self.bits, "little") >> self.count)

    # What is in it

    def note(self, record: Record, size: int) -> None:
        """One more record at the end."""
        self.oldest = min(self.oldest, record.wall) if self.count else record.wall
        self.newest = max(self.newest, record.wall) if self.oldest else 0.0
        self.first = self.first or record.key
        self.last = record.key
        self.count += 1
        self.kept += 1
        self.end += size
        self.dear += size if record.klass > Klass.TELEMETRY else 0
        self.urgent += record.klass >= Klass.ALARM

    def know(self, index: Index) -> None:
        """What a scan found, where no seal tells."""
        self.count = index.ordinals[-1] + 1 if len(index) else 0
        self.end = index.end
        self.first = index.key(0) if len(index) else None
        self.last = index.key(len(index) - 1) if len(index) else None
        dear = [place for place, klass in enumerate(index.klasses) if klass > Klass.TELEMETRY]
        self.dear = sum(index.stop(place) - index.offsets[place] for place in dear)
        self.urgent = sum(klass >= Klass.ALARM for klass in index.klasses)
        self.oldest = min(index.walls, default=0.0)
        self.newest = max(index.walls) if self.oldest else 0.0

    def trust(self, seal: Seal) -> None:
        """The segment was found with it."""
        self.sealed = self.told = True
        self.holds(seal)

    def holds(self, seal: Seal) -> None:
        self.count, self.end = seal.count, seal.end
        self.first, self.last = seal.first, seal.last
        self.dear, self.urgent = seal.dear, seal.urgent
        self.oldest, self.newest = seal.oldest, seal.newest

    def summary(self) -> Seal | None:
        """None where nothing is in it."""
        if not self.count:
            return None
        assert self.first is not None and self.last is not None
        span = self.first, self.last
        return Seal(self.count, self.end, *span, self.dear, self.urgent, self.oldest, self.newest)

    def write_header(self, disk: Disk) -> None:
        """Both copies, not synced."""
        header = pack_header(self.header)
        disk.write(self.name, 0, header)
        disk.write(self.name, self.size - TAIL, header)

    def write_seal(self, disk: Disk) -> None:
        """Not synced: a seal that is lost costs a scan."""
        summary = self.summary()
        assert summary is not None
        disk.write(self.name, self.size - SECTOR, pack_seal(summary, self.generation))

    # Reading

    def index(self, disk: Disk) -> Index:
        found = scan(read_all(disk, self.name, self.size), self.generation)
        if self.cut is not None:
            found.cut(found.behind(Key(self.cut.epoch, self.cut.seq - 1)))
        return found

    def wanted(self, index: Index, after: Key | None, low: Klass, limit: int) -> Sequence[int]:
        """Places of kept records behind a key."""
        start = index.behind(after) if after else 0
        next_ones = range(start, min(start + limit, len(index)))
        if low == Klass.TELEMETRY and self._all_kept(index, next_ones):
            return next_ones
        places = range(start, len(index))
        klasses, ordinals = index.klasses, index.ordinals
        found = (p for p in places if klasses[p] >= low and not self.is_settled(ordinals[p]))
        return list(islice(found, limit))

    def _all_kept(self, index: Index, places: range) -> bool:
        """Nothing of these places is settled, nor between them."""
        if not places:
            return True
        first, last = index.ordinals[places[0]], index.ordinals[places[-1]]
        bits = int.from_bytes(self.bits[first >> 3 : (last >> 3) + 1], "little")
        return not (bits >> (first & 7) & _ones(last + 1 - first))

    def load(self, disk: Disk, index: Index, places: Sequence[int]) -> Sequence[Record | None]:
        """The records at these places; None for what has been damaged since the scan."""
        if not places:
            return []
        start, stop = index.offsets[places[0]], index.stop(places[-1])
        try:
            data = disk.read(self.name, start, stop - start)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = read_all(disk, self.name, self.size)[start:stop]
        ats = [index.offsets[place] - start for place in places]
        return unpack_records(data, ats, seed_of(self.generation))

    def lost(self, index: Index) -> Iterable[tuple[Damage, list[int]]]:
        """Runs of records that were there and were not found, with their unsettled ordinals."""
        if list(spans(index.ordinals)) == [(0, self.count)]:
            return
        ends = [-1, *index.ordinals, self.count]
        for place in range(len(index) + 1):
            missing = range(ends[place] + 1, ends[place + 1])
            ordinals = [ordinal for ordinal in missing if not self.is_settled(ordinal)]
            if ordinals:
                yield self._damage(index, place, len(ordinals)), ordinals

    def _damage(self, index: Index, place: int, count: int) -> Damage:
        """Before the record at `place`, or behind the last."""
        first, last = self._behind(index, place), self.last
        if place < len(index):
            following = index.key(place)
            last = Key(following.epoch, following.seq - 1)
        text = f"journal: {count} records in {self.name} are damaged, from {first} to {last}"
        return Damage(first, last, count, text)

    def _behind(self, index: Index, place: int) -> Key:
        """The first key that may be missing before the record at `place`."""
        if place:
            before = index.key(place - 1)
            return Key(before.epoch, before.seq + 1)
        assert self.first is not None  # of nothing nothing can be missing
        if not len(index) or self.first < index.key(0):
            return self.first
        previous = self.header.previous
        if previous is not None:
            return Key(previous.epoch, previous.seq + 1)
        return Key(index.epochs[0], 1)

    # Eviction

    def chunk(self, index: Index | None) -> Chunk:
        """index: exact figures for a segment of which some is settled."""
        assert self.first is not None and self.last is not None
        first, last, size, dear = self.first, self.last, self.end - DATA, self.dear
        if index is not None:
            places = self.wanted(index, None, Klass.TELEMETRY, len(index))
            sizes = [(index.stop(p) - index.offsets[p], index.klasses[p]) for p in places]
            size = sum(length for length, _ in sizes)
            dear = sum(length for length, klass in sizes if klass)
            first, last = (index.key(places[0]), index.key(places[-1])) if places else (first, last)
        level, newest = self.header.level, self.newest
        return Chunk(first, last, level, self.kept, size, dear, newest, self.capacity)
