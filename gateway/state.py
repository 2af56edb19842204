"""The small keyed state that must outlive the process: epoch, command ledger, outputs, totals.

SQLite in WAL mode with synchronous FULL, the only setting that keeps what it acknowledged through a
power cut, and a page cap of our own, because a database that meets a really full disk can no longer
delete either. Telemetry never comes here; the journal has it.

Every method commits before it returns, and any thread may call it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway import ledger, state_file
from gateway.ledger import Intent
from gateway.model import Command, Result, Stamp
from gateway.state_file import AnotherRun

log = logging.getLogger(__name__)

KEEP_SECONDS = 24 * 3600.0
KEEP_COMMANDS = 10_000
"""A command's id is known for KEEP_SECONDS at least, and among the newest KEEP_COMMANDS."""
PRUNE_EVERY = 200


class StateFault(Exception):
    """The state could not be read or written; the message says why. Nothing was changed."""


class Store:
    """One database file. It always opens: `reset` and `volatile` tell what it cost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._concluded = 0
        self.reset = ""
        """Why earlier commands are not known: the file was set aside; empty if all is well."""
        self.volatile = ""
        """Why nothing is kept: the disk takes no file; then no command may run."""
        self._before: int | None = None
        """While volatile: the run that had written what was read of the file."""
        try:
            self._db = self._open_or_anew(path)
        except (OSError, sqlite3.OperationalError) as error:
            self._db = self._in_memory(error)

    def _in_memory(self, error: BaseException) -> sqlite3.Connection:
        self.volatile = f"{self._path}: {error}"
        log.error("state cannot be kept: %s; commands are refused", self.volatile)
        db = state_file.opened(Path(":memory:"))
        self._before = state_file.read(self._path, db)
        return db

    def recover(self) -> bool:
        """Tries the file again while nothing is kept. True: everything is in it from now on.

        Where it has another run's state by then, `volatile` says so: that takes a restart.
        """
        try:
            file = self._open_or_anew(self._path)
        except (OSError, sqlite3.Error):
            return False  # `volatile` has said why not
        with self._lock:
            try:
                state_file.give_back(self._db, file, self._before)
            except (AnotherRun, sqlite3.Error) as error:
                file.close()
                if isinstance(error, AnotherRun):
                    self.volatile = f"{self._path}: {error}"
                return False
            self._db.close()
            self._db, self.volatile = file, ""
        return True

    def _open_or_anew(self, path: Path) -> sqlite3.Connection:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return state_file.opened(path)
        except sqlite3.OperationalError:
            raise  # locked, read-only, full: there is nothing wrong with the file
        except sqlite3.DatabaseError as error:
            self.reset = f"{path}: {error}"
            state_file.set_aside(path)
            log.error("state set aside: %s; the ids of earlier commands are unknown", self.reset)
            return state_file.opened(path)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def next_epoch(self) -> int:
        """A number larger than that of every run before, durable before anything is numbered.

        This is a run's first write: where it fails, nothing is kept, as if there were no file.
        """
        try:
            return self._next_epoch()
        except StateFault as fault:
            with self._lock:
                self._db.close()
                self._db = self._in_memory(fault.__cause__ or fault)
        return self._next_epoch()

    def _next_epoch(self) -> int:
        with self._transaction() as db:
            before = state_file.run_of(db)
            epoch = (before or 0) + 1
            # A lost file must not bring old numbers back: a new one starts at the clock. Nor must
            # one that this number does not get into.
            if before is None or self.volatile:
                epoch = max(epoch, int(time.time()) // 60 - EPOCH_ZERO)
            db.execute("insert or replace into meta values ('epoch', ?)", (epoch,))
        return epoch

    def last_epoch(self) -> int | None:
        """The newest run's number, None when no run is known."""
        with self._transaction() as db:
            return state_file.run_of(db)

    def raise_epoch(self, epoch: int) -> None:
        """The journal knew of a later run than this file did."""
        with self._transaction() as db:
            db.execute(
                "update meta set value = ? where key = 'epoch' and value < ?", (epoch, epoch)
            )

    def begin(self, command: Command, deadline: float | None) -> None:
        """The intent: from now on this id is known, and its act may have happened."""
        if self.volatile:
            raise StateFault(f"state cannot be kept: {self.volatile}")
        try:
            self._insert(command, deadline)
        except StateFault:
            if not self._make_room(command.received.wall):
                raise
            self._insert(command, deadline)

    def _insert(self, command: Command, deadline: float | None) -> None:
        when = command.received
        rest = [command.response_topic, command.correlation.hex(), when.synchronised]
        with self._transaction() as db:
            db.execute(
                "insert into ledger (device, id, received, boot, boot_id, deadline, value, source,"
                " reply) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(command.device, command.id, when.wall, when.boot, when.boot_id, deadline),
                    *(json.dumps(command.value), command.source, json.dumps(rest)),
                ),
            )

    def _make_room(self, wall: float) -> bool:
        """Whether a ledger that is full had commands that may be forgotten."""
        with self._transaction() as db:
            return _prune(db, wall) > 0

    def conclude(self, result: Result) -> None:
        """The end of a command that was begun."""
        text = json.dumps([result.reason, result.state])
        with self._transaction() as db:
            db.execute(
                "update ledger set outcome = ?, result = ? where device = ? and id = ?",
                (result.outcome, text, result.device, result.id),
            )
            self._concluded += 1
            if self._concluded % PRUNE_EVERY == 0:
                _prune(db, result.stamp.wall)

    def known(self, device: str, command_id: str, stamp: Stamp) -> Result | Intent | None:
        """What became of a command: its result, its intent while open, or None if never seen."""
        with self._reading() as db:
            row = db.execute(
                f"{ledger.SELECT} where device = ? and id = ?", (device, command_id)
            ).fetchone()
        return ledger.parse(row, stamp) if row else None

    def open_intents(self, stamp: Stamp) -> list[Intent]:
        with self._reading() as db:
            rows = db.execute(f"{ledger.SELECT} where outcome is null order by number").fetchall()
        return [row for row in (ledger.parse(r, stamp) for r in rows) if isinstance(row, Intent)]

    def remember(self, kind: str, name: str, note: Any) -> None:
        """Something small that a part keeps over restarts, as JSON: what it knows of an output."""
        with self._transaction() as db:
            db.execute(
                "insert or replace into notes values (?, ?, ?)", (kind, name, json.dumps(note))
            )

    def recall(self, kind: str) -> dict[str, Any]:
        """Everything of a kind that was remembered, by name."""
        with self._reading() as db:
            rows = db.execute("select name, note from notes where kind = ?", (kind,)).fetchall()
        return {name: json.loads(note) for name, note in rows}

    def remember_total(self, device: str, channel: str, total: float) -> None:
        with self._transaction() as db:
            db.execute("insert or replace into totals values (?, ?, ?)", (device, channel, total))

    def total(self, device: str, channel: str) -> float:
        """The sum of a counter channel over all runs, 0.0 if it is new."""
        with self._reading() as db:
            row = db.execute(
                "select total from totals where device = ? and channel = ?", (device, channel)
            ).fetchone()
        return float(row[0]) if row else 0.0

    def remember_anchor(self, boot_id: str, offset: float) -> None:
        """A boot's wall offset (`clock.offset_of`); the newest hundred boots are kept."""
        with self._transaction() as db:
            db.execute("insert or replace into anchors values (?, ?)", (boot_id, offset))
            db.execute(
                "delete from anchors where boot_id not in"
                " (select boot_id from anchors order by offset desc limit 100)"
            )

    def anchors(self) -> dict[str, float]:
        with self._reading() as db:
            return dict(db.execute("select boot_id, offset from anchors").fetchall())

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _as_state_fault():
            self._db.execute("begin immediate")
            try:
                yield self._db
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _as_state_fault():
            yield self._db


EPOCH_ZERO = 29_000_000
"""Minutes from 1970 to early 2025, so that epochs of a state made anew stay small numbers."""


@contextmanager
def _as_state_fault() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StateFault(f"state: {error}") from error


def _prune(db: sqlite3.Connection, now: float) -> int:
    """How many commands were forgotten."""
    return db.execute(
        "delete from ledger where outcome is not null and received < ? and number <="
        " (select max(number) from ledger) - ?",
        (now - KEEP_SECONDS, KEEP_COMMANDS),
    ).rowcount
