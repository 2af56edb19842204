"""The outbox's one thread at the disk: every call of a journal or the shelf is made here.

`step` does what is due and returns; the thread in `outbox.py` calls it again and again, the tests
call it by hand. What happens when storage fails is decided here: the writer goes on from memory,
says so once, and tries again, at first after a second, later every half minute.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from gateway import gaps
from gateway.journal import LARGEST, Journal, JournalFault, JournalFull, JournalUsage, Mark, Record
from gateway.model import GapReason
from gateway.outbox_backlog import Backlog
from gateway.outbox_core import Core
from gateway.outbox_eviction import Evictor
from gateway.outbox_shelf import ShelfKeeper, to_record
from gateway.rows import Item

GROUP_LIMIT = 256 << 10
"""Bytes in one write at most: a slow card shall not hold a result back behind megabytes."""

CURSOR_SYNC = 10.0
"""Seconds that acknowledgements may be known to the page cache only."""

RETRY_FIRST, RETRY_LAST = 1.0, 30.0

NOTHING = JournalUsage(0, 0, 0, 0, False, None)


class Writer:
    def __init__(
        self,
        core: Core,
        lock: threading.Condition,
        *,
        before: int | None,
        open_journal: Callable[[], Journal],
        evictor: Evictor,
        backlog: Backlog,
        keeper: ShelfKeeper,
        commit_every: float,
        report: Callable[[str], None],
    ) -> None:
        self._core = core
        self._lock = lock
        self._before = before
        self._open_journal = open_journal
        self._evictor = evictor
        self._backlog = backlog
        self._keeper = keeper
        self._commit_every = commit_every
        self._report = report
        self._journal: Journal | None = None
        self._marked = False
        self._retry_at = 0.0
        self._retry_wait = RETRY_FIRST
        self._full_until = 0.0
        self._read_retry_at = 0.0
        self._unsettled = False
        self._unsynced_since: float | None = None
        self._prepare_at: float | None = 0.0
        """When the journal may go on preparing; None once it has done so."""
        self.storage = "ok"
        self.usage = NOTHING

    def adopt(self, journal: Journal, crashed: Mapping[int, int]) -> None:
        """The journal from now on, with what an earlier run left in it.

        crashed: runs whose account is still open. It is recorded here; the first step writes it,
        then the mark of this run. Should the power go before, the next run finds the old mark, and
        that there was a run since.
        """
        self._journal = journal
        self.usage = journal.usage()
        last = journal.last()
        with self._lock:
            self._backlog.inherit(journal)
            if self._core.lanes.written is None:
                self._core.lanes.written = last
            stamp = self._core.clock()
            for epoch, seq in sorted(crashed.items()):
                self._core.record(gaps.crash(stamp, epoch, seq))

    def due(self) -> float | None:
        """Monotonic seconds of the next step, None when there is nothing to do. Under the lock."""
        core = self._core
        writes = [
            core.commit_due(self._commit_every),
            self._evictor.due(self.usage.crowded),
            None if self._unsynced_since is None else self._unsynced_since + CURSOR_SYNC,
            None if self._marked and self._journal and not self._unsettled else 0.0,
            self._prepare_at,
        ]
        times = [max(time, self._retry_at) for time in writes if time is not None]
        if self._journal is not None:
            forget = core.forget_due(self._commit_every)
            starving = self._read_retry_at if self._backlog.starving() else None
            times.extend(time for time in (forget, starving) if time is not None)
        times.extend(t for t in (self._keeper.due(), core.wake_due()) if t is not None)
        return min(times, default=None)

    def step(self) -> None:
        """One round of all that is due. A stage that fails does not keep the others from theirs."""
        now = self._core.monotonic()
        self._run((self._forget, self._refill), now, judge=False)
        if now >= self._retry_at:
            self._run((self._reopen, self._settle, self._commit, self._evict), now, judge=True)
        if self._journal is not None:
            self._backlog.damages(self._journal)
            if self._prepare_at is not None and self._prepare_at <= now and self.storage == "ok":
                self._prepare(self._journal)
            self.usage = self._journal.usage()
        self._keeper.step(self._journal, now)
        with self._lock:
            self._lock.notify_all()

    def _run(self, stages: Sequence[Callable[[float], None]], now: float, judge: bool) -> None:
        """Reading goes on while writing fails; that it works says nothing about writing."""
        failed = None
        for stage in stages:
            try:
                stage(now)
            except JournalFault as fault:
                failed = failed or fault
        if judge or failed is not None:
            self._judge(now, failed)

    def _judge(self, now: float, failed: JournalFault | None) -> None:
        """Tell a change of the storage's health once, and choose when to try again."""
        if failed is None:
            if self.storage != "ok":
                self._report("storage works again")
            self.storage, self._retry_wait = "ok", RETRY_FIRST
            return
        if self.storage == "ok":
            self._report(f"storage fails, going on from memory: {failed}")
        self.storage = str(failed)
        self._retry_at = now + self._retry_wait
        self._retry_wait = min(RETRY_LAST, 2 * self._retry_wait)

    def _reopen(self, now: float) -> None:
        """A journal that could not be opened at the start; an earlier run may have left one."""
        if self._journal is not None:
            return
        journal = self._open_journal()
        last = journal.last()
        if last is not None and last.epoch >= self._core.epoch:
            journal.close()
            raise JournalFault(f"the journal has entries of run {last.epoch}, from the next start")
        self.adopt(journal, gaps.unclean(journal.mark(), last, self._before))

    def _forget(self, now: float) -> None:
        journal = self._journal
        if journal is None:
            return
        with self._lock:
            self._core.forget(self._backlog.accounted())
            due = self._core.forget_due(self._commit_every)
            if due is None or due > now:
                return
            keys, self._core.forgets = self._core.forgets, {}
            self._core.noting = len(keys)
        journal.forget(keys)
        self._unsettled = True

    def _settle(self, now: float) -> None:
        """Note on disk what was forgotten, lazily; after a while durably."""
        if self._journal is None:
            return
        if self._unsettled:
            try:
                self._journal.settle(sync=False)
            finally:
                self._core.noting = 0  # a disk that fails must not hold the backlog back
            self._unsettled = False
            self._unsynced_since = self._unsynced_since or now
        elif self._unsynced_since is not None and now >= self._unsynced_since + CURSOR_SYNC:
            self._journal.settle(sync=True)
            self._unsynced_since = None

    def _commit(self, now: float) -> None:
        journal = self._journal
        if journal is None:
            return
        with self._lock:
            due = self._core.commit_due(self._commit_every)
            waits = due is None or max(due, self._full_until) > now
            failing = self.storage != "ok"
            if waits and self._marked and not failing:
                return
            group = [] if waits and not failing else self._core.lanes.group(GROUP_LIMIT)
            self._core.writing = group[-1].key.seq if group else 0
        try:
            self.write(journal, group)
        except JournalFull:
            self._full(now)
        finally:
            self._core.writing = 0

    def _prepare(self, journal: Journal) -> None:
        """What a first use of the storage wants, in parts: after each the disk is left to others as
        long as it took. A disk that fails at it is heard of when something is to be written."""
        began, self._prepare_at = self._core.monotonic(), None
        with suppress(JournalFault):
            if journal.prepare():
                ended = self._core.monotonic()
                self._prepare_at = ended + (ended - began)

    def write(self, journal: Journal, group: Sequence[Item]) -> None:
        """Durable when it returns. With an empty group it still tries whether the disk works."""
        encoded = {item.key: record for item in group if (record := self._encoded(item))}
        journal.append(list(encoded.values()))
        with self._lock:
            self._core.mark_written(group)
            self._core.discard([item for item in group if item.key not in encoded])
            self._lock.notify_all()
        # Behind the records, which are on disk whether this works or not.
        if not self._marked or not group:
            journal.set_mark(Mark(self._core.epoch, 0, clean=False))
            self._marked = True

    def _encoded(self, item: Item) -> Record | None:
        """None for what no record can hold: a driver's mistake, which must not stop the rest."""
        try:
            record = to_record(item.entry)
            if len(record.payload) > LARGEST:
                raise ValueError(f"it has {len(record.payload)} bytes, {LARGEST} are most")
        except (ValueError, TypeError) as error:
            self._report(f"entry {item.key} cannot be written: {error}")
            return None
        return record

    def _full(self, now: float) -> None:
        """Room was not made in time, or none can be: what is in memory only gives way."""
        with self._lock:
            if not self._core.shed(0, GapReason.OLDEST):
                self._full_until = now + 1.0

    def _evict(self, now: float) -> None:
        if self._journal is not None:
            self._evictor.step(self._journal, now)

    def _refill(self, now: float) -> None:
        if self._journal is None or now < self._read_retry_at:
            return
        self._read_retry_at = now + RETRY_FIRST
        self._backlog.refill(self._journal, self._evictor.expired_before())
        self._read_retry_at = 0.0

    def finish(self) -> bool:
        """Write everything. True when all of it is on disk and the run is marked as clean."""
        journal = self._journal
        if journal is None:
            return False
        try:
            self._forget(math.inf)
            while group := self._core.lanes.group(GROUP_LIMIT):
                self.write(journal, group)
            journal.settle(sync=True)
            written = self._core.lanes.written
            journal.set_mark(Mark(self._core.epoch, self._core.seq, True, written))
        except (JournalFault, JournalFull) as error:
            self._report(f"not everything is on disk: {error}")
            return False
        finally:
            journal.close()
        return True
