"""Reading the backlog back, a window at a time. Called by the writer's thread only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from gateway import eviction, gaps
from gateway.columns import rows
from gateway.journal import Damage, Journal, Record
from gateway.lanes import WINDOW
from gateway.model import Entry, GapReason, Key, Recorded
from gateway.outbox_core import Core
from gateway.records import RecordError
from gateway.records_many import decode_all
from gateway.rows import Row


class Backlog:
    def __init__(
        self, core: Core, lock: threading.Condition, report: Callable[[str], None]
    ) -> None:
        self._core = core
        self._lock = lock
        self._report = report
        self._dropping: dict[Key, int] = {}
        """Read, not to be sent: forgotten once the gap record with that number is on disk."""
        self._found: list[Damage] = []
        self._damage_told = 0
        """The number of the last gap record about damage."""

    def inherit(self, journal: Journal) -> None:
        """What an earlier run left, with what was found damaged at opening. Under the lock."""
        self._found = journal.damages()
        damaged = sum(found.count for found in self._found)
        self._core.books.inherit(journal.usage().kept + damaged, 0)

    def starving(self) -> list[Row]:
        """Rows that want filling. Under the lock. While the link is down, only for who asked."""
        core = self._core
        if core.evicting or not (core.up or core.hungry):
            return []
        return core.lanes.starving()

    def refill(self, journal: Journal, expired_before: float) -> None:
        with self._lock:
            rows = self.starving()
        for row in rows:
            self._fill(journal, row, expired_before)

    def _fill(self, journal: Journal, row: Row, expired_before: float) -> None:
        with self._lock:
            edge, after = self._core.lanes.edge(), row.cursor
        if edge is None:
            return
        found = journal.read(after, WINDOW, row.low)
        inside = found
        if found and found[-1].key > edge:
            inside = [record for record in found if record.key <= edge]
        read_to = inside[-1].key if len(inside) == WINDOW else edge
        entries = self._decoded(inside, expired_before)
        with self._lock:
            self._core.lanes.fill(row, self._core.unheld(entries), after, read_to)

    def _decoded(self, found: list[Record], expired_before: float) -> list[Entry]:
        """What has expired meanwhile, or cannot be understood, is accounted for instead."""
        new = found
        if self._dropping:
            new = [record for record in found if record.key not in self._dropping]
        # Most gateways let nothing expire, and then nothing has to be asked of each record.
        expires = expired_before > 0.0
        expired = [r for r in new if expires and eviction.is_expired(r, expired_before)]
        if expired:
            self._drop(GapReason.EXPIRED, expired)
            new = [record for record in new if record.key not in self._dropping]
        decoded = decode_all([record.payload for record in new])
        if RecordError in map(type, decoded):
            new, decoded = self._without_bad(new, decoded)
        keys, klasses = [record.key for record in new], [record.klass for record in new]
        return rows(Entry, keys, klasses, decoded)

    def _without_bad(
        self, found: Sequence[Record], decoded: Sequence[Recorded | RecordError]
    ) -> tuple[list[Record], list[Recorded | RecordError]]:
        good: list[tuple[Record, Recorded | RecordError]] = []
        for record, what in zip(found, decoded, strict=True):
            if isinstance(what, RecordError):
                self._report(f"entry {record.key} is dropped: {what}")
                self._drop(GapReason.CORRUPT, [record])
            else:
                good.append((record, what))
        return [record for record, _ in good], [what for _, what in good]

    def _drop(self, reason: GapReason, gone: Sequence[Record]) -> None:
        with self._lock:
            for gap in gaps.account(reason, self._core.clock(), gone):
                self._core.record(gap)
            self._core.books.drop(reason.value, len(gone))
            self._dropping.update((record.key, self._core.seq) for record in gone)

    def accounted(self) -> list[Key]:
        """What the journal may forget now: its gap record is on disk. Under the lock."""
        done = self._core.lanes.done
        keys = [key for key, seq in self._dropping.items() if seq <= done]
        for key in keys:
            del self._dropping[key]
        return keys

    def damages(self, journal: Journal) -> None:
        """Tell what was found damaged. Asking again says that what was told is on disk."""
        with self._lock:
            waits = self._core.lanes.done < self._damage_told
        if waits:
            return
        for found in self._found or journal.damages():
            self._tell(found)
        self._found = []

    def _tell(self, found: Damage) -> None:
        """A torn write is no surprise after a crash, and the crash's gap record covers it."""
        with self._lock:
            if found.torn:
                self._core.books.torn += 1
                return
            for gap in gaps.damage(self._core.clock(), found):
                self._damage_told = self._core.record(gap).key.seq
            self._core.books.drop(GapReason.CORRUPT.value, found.count)
        self._report(found.text)
