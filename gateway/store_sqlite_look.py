"""The SQLite journal, only looked at (`journal_look.py`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.journal import Damage, JournalFault, JournalUsage, Record
from gateway.model import Key, Klass
from gateway.store_sqlite import COLUMNS, SEQ_BITS


class SqliteLook:
    """A connection that cannot write."""

    def __init__(self, path: Path, size: int) -> None:
        """size: bytes that the journal may have, 0 if unknown. JournalFault."""
        self._path = path
        self._size = size
        with self._faults():
            self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
            self._db.execute("SELECT count(*) FROM mark")

    def read(self, after: Key | None, limit: int, low: Klass = Klass.TELEMETRY) -> list[Record]:
        ident = -1 if after is None else (after.epoch << SEQ_BITS) + after.seq
        query = (
            f"SELECT {COLUMNS} FROM record WHERE id > ? AND klass >= ? ORDER BY id LIMIT {limit}"
        )
        with self._faults():
            return [_record(*row) for row in self._db.execute(query, (ident, low))]

    def damages(self) -> list[Damage]:
        """Of the database as such: SQLite has no check of a row."""
        with self._faults():
            rows = self._db.execute("PRAGMA quick_check(10)").fetchall()
        said = [str(row[0]) for row in rows if row[0] != "ok"]
        return [Damage(Key(0, 0), None, 0, f"journal: {text}") for text in said]

    def usage(self) -> JournalUsage:
        query = "SELECT count(*), min(nullif(wall, 0.0)) FROM record"
        with self._faults():
            kept, oldest = self._db.execute(query).fetchone()
            files = (self._path, self._path.with_name(self._path.name + "-wal"))
            used = sum(file.stat().st_size for file in files if file.exists())
        return JournalUsage(kept, used, self._size, 0, False, oldest)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise JournalFault(f"{self._path}: cannot be read: {error}") from error


def _record(ident: int, klass: int, wall: float, device: str, payload: bytes) -> Record:
    key = Key(ident >> SEQ_BITS, ident & ((1 << SEQ_BITS) - 1))
    return Record(key, Klass(klass), wall, device, payload)
