"""A journal in memory: for tests, and what the other two are measured against. Nothing survives."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from gateway.journal import Chunk, Damage, JournalFull, JournalUsage, Mark, Record
from gateway.model import Key, Klass

OVERHEAD = 64
"""Bytes a record is counted for beyond its payload and device."""


def weight(record: Record) -> int:
    return OVERHEAD + len(record.payload) + len(record.device)


@dataclass(slots=True)
class _Part:
    """A chunk's records, in order of key."""

    level: int = 0
    filled: int = 0
    """Bytes ever appended: settled records give their room back only with the whole part."""
    records: dict[Key, Record] = field(default_factory=dict)

    def summary(self, capacity: int) -> Chunk:
        kept = list(self.records.values())
        walls = [record.wall for record in kept]
        return Chunk(
            first=kept[0].key,
            last=kept[-1].key,
            level=self.level,
            kept=len(kept),
            bytes=sum(map(weight, kept)),
            dear=sum(weight(r) for r in kept if r.klass > Klass.TELEMETRY),
            newest=0.0 if 0.0 in walls else max(walls),
            capacity=capacity,
        )


class MemoryJournal:
    """Room for `size` bytes in parts of `chunk` bytes, two of them for what is dearer."""

    def __init__(self, size: int, chunk: int = 1 << 20) -> None:
        self._size = size
        self._chunk = min(chunk, size // 16)
        self._parts: list[_Part] = [_Part()]
        self._last: Key | None = None
        self._mark: Mark | None = None

    def append(self, records: Sequence[Record]) -> None:
        reserve = 0 if all(r.klass > Klass.TELEMETRY for r in records) else 2 * self._chunk
        if self._filled() + sum(map(weight, records)) > self._size - reserve:
            raise JournalFull(f"{self._size} bytes are full")
        for record in records:
            if self._last is not None and record.key <= self._last:
                raise ValueError(f"{record.key} does not come after {self._last}")
            self._last = record.key
            if self._parts[-1].filled + weight(record) > self._chunk:
                self._parts.append(_Part())
            self._parts[-1].records[record.key] = record
            self._parts[-1].filled += weight(record)

    def read(self, after: Key | None, limit: int, low: Klass = Klass.TELEMETRY) -> list[Record]:
        found = [
            record
            for part in self._parts
            for record in part.records.values()
            if record.klass >= low and (after is None or record.key > after)
        ]
        return found[:limit]

    def forget(self, keys: Iterable[Key]) -> None:
        for key in keys:
            for part in self._parts:
                part.records.pop(key, None)
        self._parts = [p for p in self._parts[:-1] if p.records] + self._parts[-1:]

    def chunks(self) -> list[Chunk]:
        return [part.summary(self._chunk) for part in self._parts[:-1] if part.records]

    def records(self, chunks: Sequence[Chunk]) -> list[Record]:
        return [record for part in self._of(chunks) for record in part.records.values()]

    def evict(self, chunks: Sequence[Chunk], going: Collection[Key], level: int) -> list[Key]:
        parts = self._of(chunks)
        merged = _Part(level)
        gone: list[Key] = []
        for record in self.records(chunks):
            if record.key in going:
                gone.append(record.key)
            else:
                merged.records[record.key] = record
                merged.filled += weight(record)
        if merged.filled > self._chunk:
            raise ValueError(f"{merged.filled} bytes do not fit into one chunk")
        at = self._parts.index(parts[0])
        self._parts[at : at + len(parts)] = [merged] if merged.records else []
        return gone

    def damages(self) -> list[Damage]:
        return []

    def mark(self) -> Mark | None:
        return self._mark

    def set_mark(self, mark: Mark) -> None:
        self._mark = mark

    def last(self) -> Key | None:
        return self._last

    def settle(self, sync: bool) -> None:
        """Memory has nothing to write down."""

    def prepare(self) -> bool:
        return False

    def usage(self) -> JournalUsage:
        kept = self.read(None, 1 << 62)
        filled = self._filled()
        return JournalUsage(
            kept=len(kept),
            bytes_used=filled,
            bytes_limit=self._size,
            written=0,
            crowded=filled > self._size - 4 * self._chunk,
            oldest=(kept[0].wall or None) if kept else None,
            room=max(0, self._size - 4 * self._chunk - filled),
            mean=filled / len(kept) if kept else 0.0,
        )

    def close(self) -> None:
        """Left readable: a test may open an outbox over the same journal again."""

    def _of(self, chunks: Sequence[Chunk]) -> list[_Part]:
        firsts = {chunk.first for chunk in chunks}
        return [p for p in self._parts[:-1] if p.records and next(iter(p.records)) in firsts]

    def _filled(self) -> int:
        return sum(part.filled for part in self._parts)
