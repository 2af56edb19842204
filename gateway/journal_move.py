"""From one kind of journal to the other, when `outbox.store` was changed: nothing is left behind.

The records are copied in order, then the mark; only then the old journal goes. A crash in between
is met by going on: a journal without a mark has not been used yet. Where the new one cannot take
everything, the old one is used on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.journal import Journal, JournalError
from gateway.model import Key

BATCH = 500
"""Records that are copied at a time."""

FILES = {"sqlite": "journal.db", "ring": "journal"}
OTHER = {"sqlite": "ring", "ring": "sqlite"}


def path_of(state: Path, store: str) -> Path:
    return state / FILES[store]


def is_left(state: Path, store: str) -> bool:
    """Whether there is a journal of the other kind."""
    return path_of(state, OTHER[store]).exists()


def move(
    state: Path, store: str, open_as: Callable[[str], Journal], report: Callable[[str], None]
) -> Journal:
    """The journal to use, with what the other kind held. JournalError only from opening."""
    new = open_as(store)
    try:
        old = open_as(OTHER[store])
    except JournalError as error:
        report(f"journal: {path_of(state, OTHER[store])} is left alone: {error}")
        return new
    if new.mark() not in (None, old.mark()):
        report(f"journal: {path_of(state, OTHER[store])} is older than the one in use, left alone")
        old.close()
        return new
    try:
        count = _copy(old, new)
    except JournalError as error:
        report(f"journal: {OTHER[store]} is used on, not everything can be moved: {error}")
        new.close()
        _remove(path_of(state, store))
        return old
    old.close()
    _remove(path_of(state, OTHER[store]))
    if count:
        report(f"journal: {count} entries moved from {OTHER[store]} to {store}")
    return new


def _copy(old: Journal, new: Journal) -> int:
    """How many. JournalError; also where records are damaged, which the old journal has to tell."""
    after: Key | None = new.last()
    count = 0
    while records := old.read(after, BATCH):
        new.append(records)
        after = records[-1].key
        count += len(records)
    if damages := old.damages():
        raise JournalError(damages[0].text)
    if (mark := old.mark()) is not None:
        new.set_mark(mark)
    return count


def _remove(path: Path) -> None:
    if path.is_dir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
        return
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
