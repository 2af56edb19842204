"""The outbox: every entry is acknowledged, or kept, or dropped with an account. No fourth fate.

Any thread may call it. The numbers and lanes are in `outbox_core.py`, the disk is the business of
one writer thread (`outbox_writer.py`), which no caller ever waits for, except for what must be on
disk before `append` returns.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable

from gateway import gaps
from gateway.gaps import Previous
from gateway.journal import Journal, JournalFault
from gateway.model import Entry, Key, Klass, Lane, OutboxStats, Recorded, Stamp
from gateway.outbox_backlog import Backlog
from gateway.outbox_core import Core
from gateway.outbox_eviction import Evictor
from gateway.outbox_shelf import ShelfKeeper
from gateway.outbox_writer import Writer
from gateway.shelf import Shelf


def _silent(_: str) -> None:
    """For those who do not care about faults."""


def _nobody() -> None:
    """Nobody takes yet."""


class Outbox:
    def __init__(
        self,
        *,
        epoch: int,
        before: int | None = None,
        open_journal: Callable[[], Journal],
        shelf: Shelf,
        clock: Callable[[], Stamp],
        durability: str = "window",
        commit_every: float = 1.0,
        order: str = "live-first",
        expire: float = 0.0,
        memory: int = 4 << 20,
        history_rate: float = 0.0,
        window: int = 0,
        report: Callable[[str], None] = _silent,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """epoch: durable already, higher than any before. before: the epoch of the last run, where
        it is known: it may have died before it wrote anything. open_journal may raise JournalFault:
        then the outbox begins in memory and tries again. report: told of faults in words, once
        each, from the writer's thread. window: of a backlog that is sent one by one, so many may
        come twice after a crash; 0: no bound. The rest are values of OutboxSettings.
        """
        journal = self._opened(open_journal)
        last = journal.last() if journal else None
        self.epoch = max(epoch, last.epoch + 1) if last else epoch
        """Higher than what was given when the journal knows of a higher one: tell the state."""
        self._each = durability == "each"
        self._commit_every = commit_every
        lock = self._held = threading.RLock()
        """The one lock of the outbox, for those who only hold it."""
        self._lock = threading.Condition(lock)
        """Its waiters wait for the disk or an acknowledgement."""
        self._work = threading.Condition(lock)
        """The writer waits here."""
        self._core = Core(
            epoch=self.epoch,
            written=last,
            clock=clock,
            monotonic=monotonic,
            each=self._each,
            fifo=order == "fifo",
            memory=memory,
            history_rate=history_rate,
            window=window,
        )
        self._keeper = ShelfKeeper(self._core, self._lock, shelf, report)
        self._evictor = Evictor(self._core, self._lock, expire)
        self._writer = Writer(
            self._core,
            self._lock,
            before=before,
            open_journal=open_journal,
            evictor=self._evictor,
            backlog=Backlog(self._core, self._lock, report),
            keeper=self._keeper,
            commit_every=commit_every,
            report=report,
        )
        self._wake = self._offer = _nobody
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._clean: bool | None = None
        self._sleeps_until = math.inf
        self.busy_since: float | None = None
        """Monotonic seconds when the writer began what it is doing; None while it waits."""
        self.previous = self._begin(journal, before)

    def _opened(self, open_journal: Callable[[], Journal]) -> Journal | None:
        try:
            return open_journal()
        except JournalFault:
            return None  # the writer's first step tries again, and tells

    def _begin(self, journal: Journal | None, before: int | None) -> Previous | None:
        """Settle the account of the run before, and begin this one. The disk is not waited for."""
        self._keeper.inherit()
        if journal is None:
            return None
        mark, last = journal.mark(), journal.last()
        crashed = gaps.unclean(mark, last, before)
        self._writer.adopt(journal, crashed)
        if crashed:
            epoch = max(crashed)
            return Previous(epoch, crashed[epoch], clean=False)
        return Previous(mark.epoch, mark.last_seq, clean=True) if mark else None

    def start(self) -> None:
        """Start the writer's thread. Before, nothing goes to the disk but the first records."""
        self._thread = threading.Thread(target=self._run, name="outbox")
        self._thread.start()

    def append(self, recorded: Recorded, wait: bool = True) -> Entry:
        """Numbered; kept from here on.

        Blocks until it is on disk for class RESULT and above and with durability "each", unless
        the storage fails: `settled` tells. A COUNTER is written at once too, but a sensor does not
        wait for the card. wait: False for a source that asks `settled` before it answers for it,
        so that what comes during one sync is written with the next.
        """
        with self._held:
            item = self._core.record(recorded)
            self._hasten(self._core.commit_due(self._commit_every))
            wanted = self._core.wakes(item.taken)
        if wanted:
            self._offer()  # sent at once, while the disk works on it: whichever is first settles it
        if wait and (self._each or item.entry.klass >= Klass.RESULT):
            with self._lock:
                while not item.written and not item.settled and self._may_wait():
                    self._lock.wait()
        return item.entry

    def _may_wait(self) -> bool:
        """Whether there is a writer to wait for, and storage that can be hoped for."""
        return self._thread is not None and not self._stopping and self._writer.storage == "ok"

    def settled(self, key: Key, timeout: float) -> bool:
        """Whether an entry is on disk or acknowledged by now, or becomes so in timeout seconds."""
        if key.epoch != self.epoch:
            return True
        with self._held:
            settled = self._core.lanes.is_settled(key)
            if settled or timeout <= 0.0:
                return settled
            return self._lock.wait_for(lambda: self._core.lanes.is_settled(key), timeout)

    def subscribe(self, wake: Callable[[], None], offer: Callable[[], None] | None = None) -> None:
        """wake is called, from any thread, when `take` gave too little and could give more now. It
        must return at once, and may not call back. offer is called instead by `append`, which
        holds nothing then: it may `take`."""
        self._wake, self._offer = wake, offer or wake

    def take(
        self, limit: int, history: int | None = None, least: Klass = Klass.TELEMETRY
    ) -> list[tuple[Entry, Lane]]:
        """What is to be sent next; it is in flight until accepted, refused or returned.

        history: how many of them may come from the backlog, None for all. least: lower classes
        are held back.
        """
        with self._held:
            taken = self._core.take(limit, limit if history is None else history, least)
            if self._core.lanes.behind:
                self._hurry()
        return taken

    def accepted(self, keys: Iterable[Key]) -> None:
        """The broker has them: forgotten. Keys that are not in flight do not matter."""
        with self._held:
            self._core.accepted(keys)
            self._lock.notify_all()
            if self._core.forgets or self._core.unshelved:
                self._hurry()

    def refused(self, key: Key, reason: str) -> None:
        """The broker will never take it: to the shelf."""
        with self._lock:
            self._core.refused(key, reason)
            self._hurry()

    def returned(self, keys: Iterable[Key]) -> None:
        """They were not sent after all: kept, and taken again in order."""
        with self._held:
            self._core.lanes.returned(keys)
            self._hurry()
        self._look()

    def link_changed(self, up: bool) -> None:
        """What is unsent when the link comes up is history. Give back what is in flight before."""
        with self._lock:
            self._core.link_changed(up)
            self._hurry()
        self._look()

    def has_backlog(self) -> bool:
        """Whether something recorded before the link came up is not even in flight."""
        with self._lock:
            return self._core.lanes.has_backlog()

    def stats(self) -> OutboxStats:
        with self._lock:
            core, books, usage = self._core, self._core.books, self._writer.usage
            rate_in, rate_out = books.rates(core.monotonic())
            return OutboxStats(
                epoch=self.epoch,
                last_seq=core.seq,
                recorded=books.recorded,
                inherited=books.inherited,
                accepted=books.accepted,
                dropped=dict(books.dropped),
                kept=books.kept,
                shelved=books.shelved,
                in_flight=len(core.lanes.flying),
                bytes_used=usage.bytes_used,
                bytes_limit=usage.bytes_limit,
                oldest=core.oldest(usage.oldest),
                written_today=books.today(core.clock().wall, usage.written),
                storage=self._writer.storage,
                rate_in=rate_in,
                rate_out=rate_out,
                room=usage.room,
                mean=usage.mean,
            )

    def close(self, timeout: float) -> bool:
        """Everything on disk. False when that failed or took longer; the rest is then lost."""
        with self._lock:
            self._stopping = True
            self._work.notify()
            self._lock.notify_all()
        if self._thread is None:
            self._clean = self._writer.finish()
        else:
            self._thread.join(timeout)
        return self._clean is True

    def _hurry(self) -> None:
        """Something has changed that the writer may have to do with. Under the lock."""
        self._hasten(self._writer.due())

    def _hasten(self, due: float | None) -> None:
        if due is not None and due < self._sleeps_until:
            self._work.notify()

    def _look(self) -> None:
        """Wake who takes, if there is something for him now."""
        with self._held:
            wanted = self._core.wakes(self._core.monotonic())
        if wanted:
            self._wake()  # without the lock, for whoever is woken wants it next

    def step(self) -> None:
        """One round of the writer's work, for those who run it by hand instead of `start`."""
        self._writer.step()
        self._look()

    def _run(self) -> None:
        while not self._stopping:
            with self._lock:
                self._sleep()
                self.busy_since = self._core.monotonic()
            self.step()
            self.busy_since = None
        self._clean = self._writer.finish()

    def _sleep(self) -> None:
        """Until the next step is due, or somebody says that it is due earlier."""
        due = self._writer.due()
        now = self._core.monotonic()
        if self._stopping or (due is not None and due <= now):
            return
        self._sleeps_until = math.inf if due is None else due
        self._work.wait(None if due is None else due - now)
        self._sleeps_until = -math.inf
