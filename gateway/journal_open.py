"""Which journal there is to be, and what becomes of one that cannot be used: it is set aside, never
removed, and the gateway starts with an empty one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from gateway.journal import Journal, JournalFault
from gateway.journal_disk import Disk, RealDisk
from gateway.journal_files import allocate
from gateway.journal_format import NewerFormat
from gateway.journal_move import is_left, move, path_of
from gateway.journal_ring import Ring

Report = Callable[[str], None]

LEAST_SQLITE = 2 << 20
"""Bytes without which there is no journal, however short the disk."""


def open_journal(
    state: Path, *, size: int, store: str = "ring", keep_free: int = 0, report: Report
) -> Journal:
    """The journal in the state directory: `journal/` for a ring, `journal.db` for SQLite. What one
    of the other kind holds is moved first.

    size, keep_free: bytes. JournalFault when the storage fails.
    """

    def open_as(kind: str) -> Journal:
        path = path_of(state, kind)
        if kind == "sqlite":
            return _sqlite(path, _affordable(path, size, keep_free), report)
        return _ring(path, size, keep_free, report)

    try:
        if is_left(state, store):
            return move(state, store, open_as, report)
        return open_as(store)
    except OSError as error:
        if isinstance(error, JournalFault):
            raise
        raise JournalFault(f"journal: cannot be opened: {error}") from error


def open_ring(disk: Disk, size: int, keep_free: int, report: Report) -> Ring:
    """On any disk. JournalFault, NewerFormat, OSError."""
    slots, segment = allocate(disk, size, keep_free, report)
    ring = Ring(disk, slots, segment)
    if ring.wrecked:
        report(f"journal: {ring.wrecked} segments cannot be read, and are set aside")
    return ring


def _ring(directory: Path, size: int, keep_free: int, report: Report) -> Journal:
    try:
        return open_ring(RealDisk(directory), size, keep_free, report)
    except NewerFormat as newer:
        report(f"{newer}; it is kept as {_set_aside(directory, f'format-{newer.version}')}")
    except (NotADirectoryError, FileExistsError) as error:
        report(f"journal: {error}; it is kept as {_set_aside(directory, 'unreadable')}")
    return open_ring(RealDisk(directory), size, keep_free, report)


def _affordable(path: Path, size: int, keep_free: int) -> int:
    """Bytes that a database may grow to, so that keep_free stay free."""
    path.parent.mkdir(parents=True, exist_ok=True)
    there = path.stat().st_size if path.is_file() else 0
    room = RealDisk(path.parent).free() - keep_free
    return min(size, max(LEAST_SQLITE, there + room))


def _sqlite(path: Path, size: int, report: Report) -> Journal:
    from gateway.store_sqlite import SqliteJournal

    try:
        return SqliteJournal(path, size)
    except JournalFault as fault:
        damaged = isinstance(fault.__cause__, sqlite3.DatabaseError)
        if not damaged or isinstance(fault.__cause__, sqlite3.OperationalError):
            raise
        report(f"{fault}; it is kept as {_set_aside(path, 'unreadable')}")
    return SqliteJournal(path, size)


def _set_aside(path: Path, why: str) -> Path:
    """With the -wal and -shm of a database: either is worthless without the other."""
    number = 1
    while (target := path.with_name(f"{path.name}.{why}-{number}")).exists():
        number += 1
    path.rename(target)
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(target.with_name(target.name + suffix))
    return target
