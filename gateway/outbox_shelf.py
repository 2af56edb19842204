"""The outbox's dealings with the shelf. Called by the writer's thread only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from gateway import gaps, records
from gateway.journal import Journal, JournalFault, Record
from gateway.model import Entry, GapReason, Key
from gateway.outbox_core import Core
from gateway.rows import Item, before
from gateway.shelf import DISCARD, KEPT, LIMIT, RETRY, Shelf

LOOK = 5.0
"""Seconds between two looks at what an operator wishes."""


def to_record(entry: Entry) -> Record:
    """ValueError when it holds what no record can."""
    recorded = entry.recorded
    return Record(
        entry.key,
        entry.klass,
        records.wall_of(recorded),
        records.device_of(recorded),
        records.encode(recorded),
    )


class ShelfKeeper:
    def __init__(
        self, core: Core, lock: threading.Condition, shelf: Shelf, report: Callable[[str], None]
    ) -> None:
        self._core = core
        self._lock = lock
        self._shelf = shelf
        self._report = report
        self._look_at = 0.0
        self._leaving: dict[Key, int] = {}
        """Taken off: the file goes once the gap record with that number is on disk."""
        self._damaged: set[Key] = set()
        """Files that cannot be read, of which that was told."""

    def inherit(self) -> None:
        try:
            shelved = len(self._shelf.keys())
        except OSError as error:
            self._report(f"the shelf cannot be read: {error}")
            return
        self._core.books.inherit(0, shelved)

    def due(self) -> float | None:
        """Monotonic seconds of the next step. Under the lock."""
        core = self._core
        if core.refusals or core.unshelved:
            return 0.0
        return self._look_at if core.books.shelved or self._leaving else None

    def step(self, journal: Journal | None, now: float) -> None:
        """What fails on the disk is told; the wish stays in its file's name and is tried again."""
        with self._lock:
            refusals = dict(self._core.refusals)
            accepted, self._core.unshelved = self._core.unshelved, []
            shelved = self._core.books.shelved
        try:
            for key, (item, reason) in refusals.items():
                self._shelve(key, item, self._record(journal, key, item), reason)
            for key in accepted:
                self._shelf.remove(key)
                self._core.retried.discard(key)
            if now >= self._look_at and (shelved or self._leaving or refusals):
                self._look_at = now + LOOK
                self._look()
        except OSError as error:
            self._report(f"the shelf fails: {error}")

    def _record(self, journal: Journal | None, key: Key, item: Item | None) -> Record | None:
        """None where it cannot be read from the disk now."""
        if item is not None:
            return to_record(item.entry)
        try:
            found = journal.read(before(key), 1) if journal is not None else []
        except JournalFault:
            return None
        return found[0] if found and found[0].key == key else None

    def _shelve(self, key: Key, item: Item | None, record: Record | None, reason: str) -> None:
        """On the shelf, and out of the journal; where the shelf fails, dropped with an account."""
        if record is None:  # it is sent again, and refused again, when it can be read
            with self._lock:
                del self._core.refusals[key]
                self._core.lanes.rewind(key)
            return
        again = item is not None and item.shelved
        try:
            self._shelf.put(record, reason)
        except OSError as error:
            self._report(f"entry {key} is dropped, the shelf fails: {error}")
            self._drop(GapReason.REFUSED, record, again)
        else:
            with self._lock:
                self._core.retried.discard(key)
                if not again:
                    self._core.books.shelve()
        with self._lock:
            del self._core.refusals[key]
            if (item is None or item.written) and not again:
                self._core.forget([key])

    def _drop(self, reason: GapReason, record: Record, from_shelf: bool) -> int:
        with self._lock:
            books = self._core.books
            (books.unshelve(reason.value) if from_shelf else books.drop(reason.value, 1))
            for gap in gaps.account(reason, self._core.clock(), [record]):
                self._core.record(gap)
            return self._core.seq

    def _look(self) -> None:
        for key, after in list(self._leaving.items()):
            if self._core.lanes.done >= after:
                self._shelf.remove(key)
                del self._leaving[key]
        keys = self._shelf.keys()
        free = [key for key in keys if key not in self._core.retried and key not in self._leaving]
        for key in free[: max(0, len(free) - LIMIT)]:
            self._grant(key, DISCARD, GapReason.REFUSED)
        for key in free[max(0, len(free) - LIMIT) :]:
            self._grant(key, keys[key])

    def _grant(self, key: Key, wish: str, reason: GapReason = GapReason.DISCARDED) -> None:
        """What cannot be read stays on the shelf, and is told once. OSError."""
        try:
            if wish == DISCARD:
                self._take_off(key, reason)
            elif wish == RETRY:
                self._retry(key)
        except KeyError:
            return  # somebody removed the file, or changed his mind, just now
        except ValueError as error:
            if key not in self._damaged:
                self._damaged.add(key)
                self._report(f"entry {key.epoch}-{key.seq} of the shelf is left there: {error}")
            with suppress(KeyError):  # removed just now
                self._shelf.wish(key, KEPT)

    def _take_off(self, key: Key, reason: GapReason) -> None:
        self._leaving[key] = self._drop(reason, self._shelf.get(key).record, True)

    def _retry(self, key: Key) -> None:
        record = self._shelf.get(key).record
        entry = Entry(key, record.klass, records.decode(record.payload))
        with self._lock:
            self._core.retried.add(key)
            self._core.lanes.from_shelf(entry)
