"""The state's file. Damaged, it is set aside; where it cannot be written, it is read, and what was
read of it is given back when it can.

The copy in memory is as good as the file for everything that is only looked up: the lock, the ids
of commands that ran, alarms, totals. A run's number tells whether a file that can be written by now
is the one that was read: no two runs have the same.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

PAGE_SIZE = 4096
PAGES = 4096
"""16 MiB at most: some 100,000 commands."""

SCHEMA = """
create table if not exists meta (key text primary key, value) without rowid;
create table if not exists ledger (
  number integer primary key,
  device text not null, id text not null,
  received real not null, boot real not null, boot_id text not null, deadline real,
  value text not null, source text not null, reply text not null,
  outcome text, result text,
  unique (device, id));
create index if not exists open_commands on ledger (number) where outcome is null;
create table if not exists notes (
  kind text not null, name text not null, note text not null,
  primary key (kind, name)) without rowid;
create table if not exists totals (
  device text not null, channel text not null, total real not null,
  primary key (device, channel)) without rowid;
create table if not exists anchors (boot_id text primary key, offset real not null) without rowid;
"""

TABLES = ("meta", "ledger", "notes", "totals", "anchors")
READ_ONLY = "mode=ro"
IMMUTABLE = "mode=ro&immutable=1"
"""https://www.sqlite.org/uri.html: without it, a WAL database wants to make its -shm file. What is
in a -wal file is passed over, so it is for a database with nothing there."""


def opened(path: Path) -> sqlite3.Connection:
    """Made where it is missing. sqlite3.OperationalError: it cannot be had; any other
    sqlite3.DatabaseError: it is damaged."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        db.execute(f"pragma page_size = {PAGE_SIZE}")
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = full")
        db.execute(f"pragma max_page_count = {PAGES}")
        verdict = db.execute("pragma quick_check").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(str(verdict))
        db.executescript(f"begin immediate; {SCHEMA} commit;")  # one sync, not one a table
    except BaseException:
        db.close()
        raise
    return db


def read(path: Path, into: sqlite3.Connection) -> int | None:
    """Everything in the file, as far as it can be read; the run that wrote it. None: there is no
    file, or nothing can be made of it, and `into` is as it was."""
    for options in (READ_ONLY, IMMUTABLE):
        try:
            if options == IMMUTABLE and _has_more(path):
                return None
            uri = f"{path.absolute().as_uri()}?{options}"
            with closing(sqlite3.connect(uri, uri=True)) as source:
                copy(source, into)
            return run_of(into)
        except (OSError, sqlite3.Error):
            continue
    return None


def _has_more(path: Path) -> bool:
    """Whether the newest is in the -wal file. Of a try on a full disk one is left that is empty."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


class AnotherRun(Exception):
    """The file has a state that nobody here has read: its commands, its lock and its numbers."""


def give_back(memory: sqlite3.Connection, file: sqlite3.Connection, before: int | None) -> None:
    """Everything to the file, or nothing. before: the run that had written what was read of it.
    AnotherRun, sqlite3.Error."""
    if run_of(file) not in (None, before):
        raise AnotherRun(
            "the state of another run was found; to take it up: systemctl restart tidegate"
        )
    copy(memory, file)


def copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """The target has what the source has and nothing else, or is as it was. sqlite3.Error."""
    target.execute("begin immediate")
    try:
        for table in TABLES:
            rows = source.execute(f"select * from {table}")
            target.execute(f"delete from {table}")
            marks = ", ".join("?" * len(rows.description))
            target.executemany(f"insert into {table} values ({marks})", rows)
        target.execute("commit")
    except BaseException:
        if target.in_transaction:
            target.execute("rollback")
        raise


def run_of(db: sqlite3.Connection) -> int | None:
    """The epoch of the newest run that the database knows. sqlite3.Error."""
    row = db.execute("select value from meta where key = 'epoch'").fetchone()
    return int(row[0]) if row else None


def set_aside(path: Path) -> None:
    """The file goes together with its -wal and -shm: one without the others is malformed."""
    mark = f"corrupt-{time.time_ns()}"
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(f"{path.name}.{mark}{suffix}"))
