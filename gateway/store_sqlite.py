"""A journal in SQLite: what the ring is compared with, and a choice for those who want it.

WAL with synchronous FULL: NORMAL loses commits at a power cut. No AUTOINCREMENT, which costs a page
a commit; the keys are ours. The size is capped by max_page_count, because a queue that waits for
the disk to be full cannot delete any more: a large DELETE and the checkpoint need room themselves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gateway.journal import Chunk, Damage, JournalFault, JournalFull, JournalUsage, Mark, Record
from gateway.model import Key, Klass

PAGE = 4096
OVERHEAD = 64
"""Bytes a record takes in SQLite beyond its payload and device, rounded up."""

SEQ_BITS = 40
"""One integer is the key, for SQLite finds rows by it without an index. At 1,000 entries a second
an epoch lasts 34 years; 23 bits are left for epochs."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY, klass INTEGER, wall REAL, device TEXT, payload BLOB, chunk INTEGER
);
CREATE INDEX IF NOT EXISTS record_chunk ON record (chunk);
CREATE TABLE IF NOT EXISTS chunk (id INTEGER PRIMARY KEY, level INTEGER);
CREATE TABLE IF NOT EXISTS mark (
    one INTEGER PRIMARY KEY, epoch INTEGER, last_seq INTEGER, clean INTEGER, written INTEGER
);
"""
COLUMNS = "id, klass, wall, device, payload"
WEIGHT = f"(length(payload) + length(device) + {OVERHEAD})"


def _id(key: Key) -> int:
    return (key.epoch << SEQ_BITS) + key.seq


def _key(ident: int) -> Key:
    return Key(ident >> SEQ_BITS, ident & ((1 << SEQ_BITS) - 1))


def _record(row: tuple[int, int, float, str, bytes]) -> Record:
    ident, klass, wall, device, payload = row
    return Record(_key(ident), Klass(klass), wall, device, payload)


def _weight(record: Record) -> int:
    return OVERHEAD + len(record.payload) + len(record.device)


class SqliteJournal:
    """Room for `size` bytes in one database file; two chunks of it for what is dearer."""

    def __init__(self, path: Path, size: int, chunk: int = 1 << 20) -> None:
        """JournalFault when it cannot be opened, or is no database."""
        self._size = size
        self._chunk = min(chunk, size // 16)
        self._forgotten: list[Key] = []
        self._written = 0
        self._filled = 0
        with self._faults("open"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute(f"PRAGMA page_size = {PAGE}")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(f"PRAGMA max_page_count = {max(64, size // PAGE)}")
            self._db.executescript(SCHEMA)
            self._open_chunk = 1 + self._number("SELECT coalesce(max(id), 0) FROM chunk")
            self._last = self._highest()

    def append(self, records: Sequence[Record]) -> None:
        used = self._used()
        if records and min(r.klass for r in records) == Klass.TELEMETRY:
            used += 2 * self._chunk
        if used + sum(map(_weight, records)) > self._size:
            raise JournalFull(f"{self._size} bytes are full")
        last = self._last
        for record in records:
            if last is not None and record.key <= last:
                raise ValueError(f"{record.key} does not come after {last}")
            last = record.key
        with self._transaction("append"):
            self._insert(records)
        self._last = last

    def _insert(self, records: Sequence[Record]) -> None:
        rows = []
        for r in records:
            if self._filled + _weight(r) > self._chunk:
                self._open_chunk, self._filled = self._open_chunk + 1, 0
            self._filled += _weight(r)
            rows.append((_id(r.key), r.klass, r.wall, r.device, r.payload, self._open_chunk))
        chunks = {(row[-1],) for row in rows}
        self._db.executemany("INSERT OR IGNORE INTO chunk VALUES (?, 0)", chunks)
        self._db.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._written += sum(map(_weight, records))

    def read(self, after: Key | None, limit: int, low: Klass = Klass.TELEMETRY) -> list[Record]:
        with self._faults("read"):
            self._delete_again()
            rows = self._db.execute(
                f"SELECT {COLUMNS} FROM record WHERE id > ? AND klass >= ? ORDER BY id LIMIT ?",
                (_id(after) if after else -1, low, limit),
            )
            return [_record(row) for row in rows]

    def forget(self, keys: Iterable[Key]) -> None:
        """Deleted at once in a transaction that is left open; the next commit makes it last."""
        new = list(keys)
        self._forgotten.extend(new)
        with self._faults("forget"):
            self._begin()
            self._delete(new)

    def chunks(self) -> list[Chunk]:
        with self._faults("read"):
            rows = self._db.execute(
                "SELECT min(record.id), max(record.id), level, count(*), min(wall), max(wall),"
                f" sum({WEIGHT}), sum(iif(klass > 0, {WEIGHT}, 0))"
                " FROM record JOIN chunk ON chunk.id = record.chunk WHERE chunk < ?"
                " GROUP BY chunk ORDER BY 1",
                (self._open_chunk,),
            )
            return [self._summary(*row) for row in rows]

    def _summary(
        self,
        first: int,
        last: int,
        level: int,
        kept: int,
        oldest: float,
        newest: float,
        size: int,
        dear: int,
    ) -> Chunk:
        wall = newest if oldest else 0.0
        return Chunk(_key(first), _key(last), level, kept, size, dear, wall, self._chunk)

    def records(self, chunks: Sequence[Chunk]) -> list[Record]:
        span = _id(chunks[0].first), _id(chunks[-1].last)
        with self._faults("read"):
            rows = self._db.execute(
                f"SELECT {COLUMNS} FROM record WHERE id BETWEEN ? AND ? ORDER BY id", span
            )
            return [_record(row) for row in rows]

    def evict(self, chunks: Sequence[Chunk], going: Collection[Key], level: int) -> list[Key]:
        inside = self.records(chunks)
        stay = [record for record in inside if record.key not in going]
        if sum(map(_weight, stay)) > self._chunk:
            raise ValueError("what stays does not fit into one chunk")
        gone = [record.key for record in inside if record.key in going]
        with self._transaction("evict"):
            self._delete(gone)
            self._merge(stay, level)
        return gone

    def _merge(self, stay: Sequence[Record], level: int) -> None:
        """They become one chunk. A chunk's number orders nothing."""
        if not stay:
            return
        span = _id(stay[0].key), _id(stay[-1].key)
        between = "WHERE record.id BETWEEN ? AND ?"
        ident = self._number(f"SELECT min(chunk) FROM record {between}", *span)
        self._db.execute(f"UPDATE record SET chunk = ? {between}", (ident, *span))
        self._db.execute("UPDATE chunk SET level = ? WHERE id = ?", (level, ident))
        self._db.execute("DELETE FROM chunk WHERE id NOT IN (SELECT chunk FROM record)")

    def damages(self) -> list[Damage]:
        return []

    def mark(self) -> Mark | None:
        with self._faults("read"):
            row = self._db.execute("SELECT epoch, last_seq, clean, written FROM mark").fetchone()
        if row is None:
            return None
        epoch, last_seq, clean, written = row
        return Mark(epoch, last_seq, bool(clean), None if written is None else _key(written))

    def set_mark(self, mark: Mark) -> None:
        written = None if mark.written is None else _id(mark.written)
        row = (mark.epoch, mark.last_seq, mark.clean, written)
        with self._transaction("write the mark"):
            self._db.execute("INSERT OR REPLACE INTO mark VALUES (1, ?, ?, ?, ?)", row)

    def last(self) -> Key | None:
        return self._last

    def settle(self, sync: bool) -> None:
        """A commit is a sync here, so both are one."""
        if self._forgotten:
            with self._transaction("settle"):
                pass

    def prepare(self) -> bool:
        """SQLite makes its room as it goes."""
        return False

    def usage(self) -> JournalUsage:
        with self._faults("read"):
            kept = self._number("SELECT count(*) FROM record")
            oldest = self.read(None, 1)
            used = self._used()
        return JournalUsage(
            kept=kept,
            bytes_used=used,
            bytes_limit=self._size,
            written=self._written,
            crowded=used > self._size - 4 * self._chunk,
            oldest=(oldest[0].wall or None) if oldest else None,
            room=max(0, self._size - 4 * self._chunk - used),
            mean=used / kept if kept else 0.0,
        )

    def close(self) -> None:
        with self._faults("close"):
            try:
                self.settle(sync=True)
            finally:
                self._db.close()

    def _highest(self) -> Key | None:
        newest = self._db.execute("SELECT max(id) FROM record").fetchone()[0]
        mark = self.mark()
        known = [mark.written] if mark and mark.written else []
        return max([*known, *([] if newest is None else [_key(newest)])], default=None)

    def _number(self, query: str, *values: int) -> int:
        return int(self._db.execute(query, values).fetchone()[0])

    def _used(self) -> int:
        free = self._number("PRAGMA freelist_count")
        return (self._number("PRAGMA page_count") - free) * PAGE

    def _delete(self, keys: Iterable[Key]) -> None:
        self._db.executemany("DELETE FROM record WHERE id = ?", [(_id(key),) for key in keys])

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
            self._delete(self._forgotten)

    def _delete_again(self) -> None:
        """A failed commit undid what was forgotten; what is read must be without it."""
        if self._forgotten:
            self._begin()

    @contextmanager
    def _transaction(self, verb: str) -> Iterator[None]:
        with self._faults(verb):
            try:
                self._begin()
                yield
                self._db.execute("COMMIT")
                self._forgotten.clear()
            except sqlite3.Error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _faults(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL" and self._capped():
                raise JournalFull(f"{self._size} bytes are full") from error
            raise JournalFault(f"journal: cannot {verb}: {error}") from error

    def _capped(self) -> bool:
        """Full by our own cap, and not because the disk is."""
        try:
            return self._number("PRAGMA page_count") >= max(64, self._size // PAGE) - 1
        except sqlite3.Error:
            return False
