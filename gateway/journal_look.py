"""A journal that is only looked at: beside the gateway that writes it, or a copy on a desk.

Nothing is written, not even to mend what a start would mend. What the gateway writes meanwhile may
be half there; whoever judges looks twice (`tidegate outbox verify`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from gateway.journal import Damage, JournalFault, JournalUsage, Record
from gateway.journal_disk import RealDisk
from gateway.journal_files import size_of_segments, slots_of
from gateway.journal_format import NewerFormat
from gateway.journal_ring import Ring
from gateway.model import Key, Klass

BATCH = 500


class Look(Protocol):
    """What of a journal can be had without writing: see `journal.Journal`."""

    def read(self, after: Key | None, limit: int, low: Klass = Klass.TELEMETRY) -> list[Record]: ...

    def damages(self) -> list[Damage]: ...

    def usage(self) -> JournalUsage: ...

    def close(self) -> None: ...


class ReadOnlyDisk(RealDisk):
    """Every call that would change something fails as on a medium that is write-protected."""

    def write(self, name: str, offset: int, data: bytes) -> None:
        raise _protected(name)

    def sync(self, name: str) -> None:
        raise _protected(name)

    def create(self, name: str, size: int) -> None:
        raise _protected(name)

    def sync_directory(self) -> None:
        raise _protected("the directory")

    def rename(self, old: str, new: str) -> None:
        raise _protected(old)

    def remove(self, name: str) -> None:
        raise _protected(name)


def _protected(name: str) -> OSError:
    return OSError(errno.EROFS, os.strerror(errno.EROFS), name)


def look_at(journal: Path, size: int = 0) -> Look:
    """The ring in a directory, or the SQLite journal in a file. size: bytes it may have, 0 unknown.

    JournalFault says what is wrong with it.
    """
    try:
        if journal.is_dir():
            return _ring(journal)
        if not journal.exists():
            raise JournalFault(f"{journal}: there is no journal")
    except NewerFormat as newer:
        raise JournalFault(f"{journal}: {newer}") from newer
    except OSError as error:
        if isinstance(error, JournalFault):
            raise
        raise JournalFault(f"{journal}: {error.strerror or error}") from error
    from gateway.store_sqlite_look import SqliteLook

    return SqliteLook(journal, size)


class RingLook(Ring):
    """Beside a writer, or after a kill, there may be remains of an eviction that was not completed.
    A start overwrites them; a look has nothing to leave behind."""

    def close(self) -> None:
        self._disk.close()


def _ring(directory: Path) -> Ring:
    disk = ReadOnlyDisk(directory)
    slots = slots_of(disk)
    size = size_of_segments(disk, slots)
    if not size:
        raise JournalFault(
            f"{directory}: there is no ring: no file has its segments' name and size"
        )
    return RingLook(disk, max(slots) + 1, size)


def kept(look: Look, low: Klass = Klass.TELEMETRY) -> Iterator[Record]:
    """Everything that is kept, oldest first. JournalFault."""
    after: Key | None = None
    while found := look.read(after, BATCH, low):
        yield from found
        after = found[-1].key
