"""Which journal there is to be, from the settings' values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.journal import Journal
from gateway.store_sqlite import SqliteJournal


def open_journal(
    directory: Path, *, size: int, store: str, keep_free: int, report: Callable[[str], None]
) -> Journal:
    """The journal in that directory. JournalFault when the storage fails."""
    return SqliteJournal(directory / "journal.db", size)
