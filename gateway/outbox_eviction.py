"""Making room: first the account, on disk; then the deed. Called by the writer's thread only."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from gateway import eviction, gaps, records
from gateway.journal import Journal, JournalFull, Record
from gateway.model import Key
from gateway.outbox_core import Core

PAUSE = 5.0
"""Seconds until another look, when nothing may go."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An eviction whose account is on its way to the disk; done once number `after` is there."""

    after: int
    step: eviction.Step
    going: frozenset[Key]


class Evictor:
    def __init__(self, core: Core, lock: threading.Condition, expire: float) -> None:
        self._core = core
        self._lock = lock
        self._expire = expire
        self._planned: Planned | None = None
        self._stuck_until = 0.0

    def due(self, crowded: bool) -> float | None:
        """Monotonic seconds of the next step. Under the lock."""
        if self._planned is not None:
            return 0.0 if self._core.lanes.done >= self._planned.after else None
        return self._stuck_until if crowded else None

    def expired_before(self) -> float:
        """Wall seconds; 0.0 when nothing expires, or the clock cannot be trusted."""
        stamp = self._core.clock()
        return stamp.wall - self._expire if self._expire and stamp.synchronised else 0.0

    def step(self, journal: Journal, now: float) -> None:
        if self._planned is not None:
            self._finish(journal, self._planned)
        if self._planned is None and now >= self._stuck_until and journal.usage().crowded:
            self._begin(journal, now)

    def _begin(self, journal: Journal, now: float) -> None:
        before = self.expired_before()
        step = eviction.plan(journal.chunks(), before)
        chosen = self._chosen(journal, step, before) if step else []
        with self._lock:
            lanes = self._core.lanes
            # Less what memory still holds.
            going = [r for r in chosen if r.key < lanes.live_from and not self._core.holds(r.key)]
            if step is None or (step.reason is not None and not going):
                self._stuck_until = now + PAUSE
                return
            after = 0
            if step.reason is not None:
                for gap in gaps.account(step.reason, self._core.clock(), going):
                    after = self._core.record(gap).key.seq
            self._core.evicting = True
            self._planned = Planned(after, step, frozenset(record.key for record in going))

    def _chosen(self, journal: Journal, step: eviction.Step, before: float) -> list[Record]:
        return eviction.choose(step, journal.records(step.chunks), before, records.decode)

    def _finish(self, journal: Journal, planned: Planned) -> None:
        with self._lock:
            if self._core.lanes.done < planned.after:
                return
        self._planned = None
        gone: list[Key] = []
        try:
            gone = journal.evict(planned.step.chunks, planned.going, planned.step.level)
        except (ValueError, JournalFull):
            self._stuck_until = self._core.monotonic() + PAUSE
        finally:
            with self._lock:
                self._core.evicting = False
                if planned.step.reason is not None:
                    self._core.books.drop(planned.step.reason.value, len(gone))
                self._core.lanes.reread()
