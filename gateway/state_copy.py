"""Copies of the small state, for backup and restore: consistent beside a gateway that runs."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from gateway.state import EPOCH_ZERO


def copy_state(source: Path, target: Path) -> None:
    """SQLite's own online backup: the copy is one moment's. sqlite3.Error, OSError."""
    if not source.is_file():
        raise FileNotFoundError(2, "there is no state here yet", str(source))
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        new.execute("pragma journal_mode = delete")


def advance_epoch(state: Path, now: float | None = None) -> int:
    """Past every run that the gateway may have had since the copy was made; the new number.

    Numbers given twice would be dropped as doubles at the far end. A state made anew begins with
    the minutes since 2025, and nobody starts a gateway more often than once a minute for long.
    """
    minutes = int(time.time() if now is None else now) // 60 - EPOCH_ZERO
    with closing(sqlite3.connect(state)) as db:
        row = db.execute("select value from meta where key = 'epoch'").fetchone()
        epoch = max(int(row[0]) if row else 0, minutes) + 1
        db.execute("insert or replace into meta values ('epoch', ?)", (epoch,))
        db.commit()
    return epoch
