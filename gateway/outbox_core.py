"""What the outbox holds in memory: numbering, lanes, books, the queues to the writer.

No I/O, no thread, no lock: the outbox calls it under its lock, the tests call it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gateway import gaps
from gateway.books import Books
from gateway.flat import Flat
from gateway.lanes import Lanes
from gateway.model import (
    Alarm,
    Entry,
    Gap,
    GapReason,
    Key,
    Klass,
    Lane,
    Recorded,
    Sample,
    Stamp,
)
from gateway.records import device_of, klass_of, wall_of
from gateway.rows import Item

GROUP = 64 << 10
"""Bytes that are worth a write at once."""

SWELL = 4
"""An entry in memory takes about four times the bytes of its record."""

FORGETS = 25
"""Acknowledgements that are noted together: so many may come twice after a crash."""


def size_of(recorded: Recorded) -> int:
    """Bytes of its record, about: encoding it costs more than a guess is worth."""
    if isinstance(recorded, Sample):
        readings = recorded.readings
        count = len(readings.values if type(readings) is Flat else readings)
        return 110 + 2 * len(recorded.device) + 30 * count
    if isinstance(recorded, Alarm):
        return 200 + len(recorded.text)
    return 300


class Rate:
    """How much of the backlog may go now: a token bucket of a second's worth. rate: above 0."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = 0.0
        self._at = now

    def allowance(self, now: float, limit: int) -> int:
        full = max(1.0, self._rate)
        self._tokens = min(full, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return min(limit, int(self._tokens))

    def spend(self, taken: Sequence[tuple[Entry, Lane]]) -> None:
        self._tokens -= sum(lane is Lane.HISTORY for _, lane in taken)

    def ready_at(self) -> float:
        """Monotonic seconds when a tenth of a second's worth, or one, may go."""
        return self._at + (max(1.0, self._rate / 10) - self._tokens) / self._rate


class Core:
    def __init__(
        self,
        *,
        epoch: int,
        written: Key | None,
        clock: Callable[[], Stamp],
        monotonic: Callable[[], float],
        each: bool,
        fifo: bool,
        memory: int,
        history_rate: float,
        window: int = 0,
    ) -> None:
        now = monotonic()
        self._window = window
        self.epoch = epoch
        self.seq = 0
        self.lanes = Lanes(epoch, written, fifo)
        self.books = Books(now)
        self.up = False
        self.hungry = True
        """The last `take` got less than it asked for: whoever takes wants to be woken."""
        self.urgent = 0
        """Up to this number it is to be on disk at once."""
        self.writing = 0
        """Up to this number the writer is encoding; what it encodes does not change any more."""
        self.evicting = False
        """Records of the backlog are about to go: none of them may be taken."""
        self.forgets: dict[Key, None] = {}
        """Settled, and the journal does not know it yet; nearly in order, for it sorts them."""
        self.forget_since = 0.0
        self.noting = 0
        """Acknowledgements that the writer is about to note."""
        self.refusals: dict[Key, tuple[Item | None, str]] = {}
        """What the broker refused, with the reason, until it is on the shelf."""
        self.retried: set[Key] = set()
        """Entries of the shelf that are being tried again."""
        self.unshelved: list[Key] = []
        """Entries of the shelf that were accepted: the files may go."""
        self.clock = clock
        self.monotonic = monotonic
        self._each = each
        self._fifo = fifo
        self._memory = memory
        self._rate = Rate(history_rate, now) if history_rate else None
        self._overflow: Item | None = None
        self._waiting_since: float | None = None

    def record(self, recorded: Recorded) -> Item:
        """Numbered and kept. What no longer fits into memory goes, with an account."""
        now = self.monotonic()
        klass = klass_of(recorded)
        self.seq += 1
        entry = Entry(Key(self.epoch, self.seq), klass, recorded)
        item = Item(entry, now, size_of(recorded))
        self.lanes.add(item)
        self.books.record(now)
        if self._each or klass >= Klass.COUNTER:
            self.urgent = self.seq
        if self.lanes.pending_bytes * SWELL > self._memory and klass < Klass.GAP:
            self.shed(self._memory * 9 // 10 // SWELL, GapReason.STORAGE)
        return item

    def shed(self, target: int, reason: GapReason) -> int:
        """Make room in memory; not even what is dear may fill it twice over. Returns how many."""
        gone = self.lanes.shed(target)
        gone += self.lanes.shed(2 * self._memory // SWELL, Klass.ALARM)
        if gone:
            self.books.drop(reason.value, len(gone))
            self._tell(self._span(reason, [item.entry for item in gone]))
        return len(gone)

    def discard(self, items: Sequence[Item]) -> None:
        """These cannot be kept: no record can hold them. What is in flight may still arrive."""
        gone = [i for i in items if not i.settled and i.key not in self.lanes.flying]
        for item in gone:
            item.settled = True
        if gone:
            self.books.drop(GapReason.DISCARDED.value, len(gone))
            self.record(self._span(GapReason.DISCARDED, [item.entry for item in gone]))

    def _span(self, reason: GapReason, gone: Sequence[Entry]) -> Gap:
        walls = [wall for entry in gone if (wall := wall_of(entry.recorded))]
        devices = {device_of(entry.recorded) for entry in gone}
        return Gap(
            reason=reason,
            stamp=self.clock(),
            epoch=self.epoch,
            first_seq=min(entry.key.seq for entry in gone),
            last_seq=max(entry.key.seq for entry in gone),
            count=len(gone),
            device=devices.pop() if len(devices) == 1 else "",
            first_time=min(walls, default=0.0),
            last_time=max(walls, default=0.0),
        )

    def _tell(self, gap: Gap) -> None:
        """One gap record for a long overflow, as long as nobody has seen it."""
        item = self._overflow
        if item is not None and self._may_change(item):
            told = item.entry.recorded
            if isinstance(told, Gap) and told.reason is gap.reason:
                item.entry = Entry(item.key, Klass.GAP, gaps.widened(told, [gap]))
                return
        self._overflow = self.record(gap)

    def _may_change(self, item: Item) -> bool:
        seen = item.written or item.settled or item.key in self.lanes.flying
        return not seen and item.key.seq > self.writing

    def take(self, limit: int, history: int, least: Klass) -> list[tuple[Entry, Lane]]:
        now = self.monotonic()
        if self._window:
            # What comes twice after a crash is what flies and what is not noted: no more than this.
            unnoted = len(self.lanes.flying) + len(self.forgets) + self.noting
            history = max(0, min(history, self._window - unnoted))
        if self.evicting:
            history = 0
        elif self._rate is not None:
            history = self._rate.allowance(now, history)
        taken = self.lanes.take(limit, limit if self._fifo else history, least)
        if self._rate is not None:
            self._rate.spend(taken)
        self.hungry = len(taken) < limit
        return taken

    def accepted(self, keys: Iterable[Key]) -> None:
        found = self.lanes.accepted(keys)
        shelved = [key for key, item in found if item is not None and item.shelved]
        self.unshelved += shelved
        self.books.accept(self.monotonic(), len(found), len(shelved))
        written = [k for k, item in found if item is None or (item.written and not item.shelved)]
        if written:
            self.forget(written)

    def refused(self, key: Key, reason: str) -> None:
        """Off the lanes at once, on the shelf when the writer comes to it."""
        for _, item in self.lanes.accepted([key]):
            self.refusals[key] = item, reason

    def holds(self, key: Key) -> bool:
        """Not to be read back nor evicted: in flight, refused, or settled and the journal does not
        know it yet."""
        return key in self.lanes.flying or key in self.forgets or key in self.refusals

    def unheld(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Those of them that it does not hold: mostly all."""
        keys = [entry.key for entry in entries]
        held = self.lanes.flying.keys(), self.forgets.keys(), self.refusals.keys()
        if all(some.isdisjoint(keys) for some in held):
            return entries
        return [entry for entry in entries if not self.holds(entry.key)]

    def forget(self, keys: Iterable[Key]) -> None:
        """The journal may forget these; the writer tells it."""
        if not self.forgets:
            self.forget_since = self.monotonic()
        self.forgets.update(dict.fromkeys(keys))

    def wakes(self, now: float) -> bool:
        """Whether whoever takes waits, and there is something for him: once, until he takes."""
        if self.hungry and (self.lanes.live_waits() or self._backlog_is_due(now)):
            self.hungry = False
            return True
        return False

    def _backlog_is_due(self, now: float) -> bool:
        may = not self.evicting and (self._fifo or self._ready_at() <= now)
        return may and self.lanes.backlog_waits()

    def _ready_at(self) -> float:
        """Monotonic seconds from which on the backlog's rate lets something go."""
        return 0.0 if self._rate is None else self._rate.ready_at()

    def wake_due(self) -> float | None:
        """When the backlog's rate lets the next go, if somebody waits for it."""
        waits = self.up and self.hungry and not self.evicting and self.lanes.backlog_waits()
        return self._ready_at() if waits else None

    def mark_written(self, group: Sequence[Item]) -> None:
        self.forget(self.lanes.mark_written(group))
        self.writing = 0

    def link_changed(self, up: bool) -> None:
        self.up = up
        self.lanes.link_changed(up, self.seq + 1)

    def oldest(self, on_disk: float | None) -> float | None:
        """Wall seconds of the oldest entry kept, None if there is none.

        on_disk: as the journal knows it. Where the clock was not to be trusted no entry tells: then
        it is since when there was always something kept, as the calls of this have seen it.
        """
        now, pending = self.monotonic(), self.lanes.pending
        if not self.books.kept:
            self._waiting_since = None
            return None
        if self._waiting_since is None:
            self._waiting_since = pending[0].taken if pending else now
        known = on_disk or (wall_of(pending[0].entry.recorded) if pending else 0.0)
        return known or self.clock().wall - (now - self._waiting_since)

    def commit_due(self, commit_every: float) -> float | None:
        """Monotonic seconds when the next group is to be written; None when there is none."""
        pending = self.lanes.pending
        if not pending:
            return None
        if self.lanes.done < self.urgent or self.lanes.pending_bytes >= GROUP:
            return 0.0
        return pending[0].taken + commit_every

    def forget_due(self, within: float) -> float | None:
        if not self.forgets:
            return None
        # With a window, whoever takes of the backlog may wait for just this.
        awaited = self._window > 0 and self.hungry and self.lanes.has_backlog()
        at_once = awaited or len(self.forgets) >= FORGETS
        return 0.0 if at_once else self.forget_since + within
