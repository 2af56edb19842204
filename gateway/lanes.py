"""Which entry is sent next, which must be written, where each of them is. Pure: no I/O, no clock.

An unsent entry is in one of three places. **live**: recorded while the link was up. **late**:
recorded while it was down and not on disk yet. On **disk**: nothing of it stays in memory, until a
window of the backlog is read back behind a cursor. What is written leaves `late` at once and
`live` when too many wait, so the backlog costs no memory however long it gets.

Alarms and gap records have places of their own, which are served before the rest of their lane.
With `fifo` there is one row for all in strict order, and `lane` only says what is late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import repeat

from gateway.model import Entry, Key, Klass, Lane
from gateway.rows import Item, Row, merge

LIVE_KEPT = 1000
"""Entries that wait for a slow link in memory although they are on disk."""

WINDOW = 500
"""Entries of the backlog that are read back at a time; refilled when half of them are sent."""

END = 1 << 62
"""A sequence number above all."""


class Lanes:
    def __init__(self, epoch: int, written: Key | None, fifo: bool = False) -> None:
        """written: the last key in the journal, from an earlier run."""
        self.pending: deque[Item] = deque()
        """Own entries not on disk, in order; settled ones go when they come to the head."""
        self.pending_bytes = 0
        self.flying: dict[Key, Item | None] = {}
        """In flight. None: it is on disk, where it is read again should it come back; so a drain
        holds no more in memory however much the link has in flight."""
        self.done = 0
        """Every own number up to here is on disk or settled."""
        self.written = written
        self.live_from = Key(epoch, END)
        """From here on the live lane has them; before, the backlog."""
        self.behind = True
        """The last `take` found a backlog."""
        self._epoch = epoch
        self._fifo = fifo
        self._up = False
        self._first = Row(Klass.ALARM)
        self._rest = Row(Klass.TELEMETRY)
        self.rows = (self._rest,) if fifo else (self._first, self._rest)

    def add(self, item: Item) -> None:
        self.pending.append(item)
        self.pending_bytes += item.size
        row = self._row_of(item.entry)
        (row.live if self._up and not self._fifo else row.late).append(item)

    def take(
        self, limit: int, history: int, least: Klass = Klass.TELEMETRY
    ) -> list[tuple[Entry, Lane]]:
        """Up to limit entries, now in flight; up to `history` of them from the backlog, none of a
        class below `least`."""
        taken: list[tuple[Entry, Lane]] = []
        for row in self.rows:
            if row.live:
                self._take(row.live, limit, least, taken)
        limit = min(limit, len(taken) + history)
        self.behind = self.has_backlog()
        if len(taken) >= limit or not self.behind:
            return taken
        for row in self.rows:
            self._take(row.shelved, limit, least, taken)
            self._take_read(row.window, limit, least, taken)
            if not self.unread(row):
                self._take(row.late, limit, least, taken)
            elif len(taken) < limit:
                break
        return taken

    def _take(
        self, queue: deque[Item], limit: int, least: Klass, taken: list[tuple[Entry, Lane]]
    ) -> None:
        held = []
        while queue and len(taken) < limit:
            item = queue.popleft()
            if item.settled:
                continue
            if item.entry.klass < least:
                held.append(item)
                continue
            key = item.entry.key
            self.flying[key] = None if self._comes_from_disk(item) else item
            taken.append((item.entry, self._lane_of(key)))
        queue.extendleft(reversed(held))

    def _take_read(
        self, window: deque[Entry], limit: int, least: Klass, taken: list[tuple[Entry, Lane]]
    ) -> None:
        """All of it is on disk, so nothing but the number has to be remembered."""
        count = min(limit - len(taken), len(window))
        if least == Klass.TELEMETRY:
            some = [window.popleft() for _ in range(count)]
        else:
            some = [entry for entry in window if entry.klass >= least][:count]
            for entry in some:
                window.remove(entry)
        self.flying.update(dict.fromkeys([entry.key for entry in some]))
        if self._fifo:
            taken.extend((entry, self._lane_of(entry.key)) for entry in some)
        else:
            taken.extend(zip(some, repeat(Lane.HISTORY)))

    def _lane_of(self, key: Key) -> Lane:
        return Lane.LIVE if key >= self.live_from else Lane.HISTORY

    def unread(self, row: Row) -> bool:
        """Whether the journal has more for this row's window."""
        edge = self.edge()
        return edge is not None and row.is_before(edge)

    def edge(self) -> Key | None:
        """Up to here the backlog is on disk; beyond, it is live or not written yet."""
        if self.written is None or self._fifo or self.written < self.live_from:
            return self.written
        return Key(self.live_from.epoch, self.live_from.seq - 1)

    def starving(self) -> list[Row]:
        """Rows whose window is to be filled."""
        return [r for r in self.rows if len(r.window) <= WINDOW // 2 and self.unread(r)]

    def fill(self, row: Row, entries: Sequence[Entry], after: Key | None, read_to: Key) -> None:
        """Of the backlog behind `after`, up to read_to; what is in flight or settled is not among
        it. To be read once more, if the row was rewound meanwhile."""
        if row.cursor != after:
            return
        if row.low < Klass.ALARM and not self._fifo:
            first = Klass.ALARM  # looked up once
            entries = [entry for entry in entries if entry.klass < first]
        row.window.extend(entries)
        row.cursor = read_to

    def from_shelf(self, entry: Entry) -> Item:
        """To be tried again, before the backlog: what is on the shelf was sent once already."""
        item = Item(entry, 0.0, 0)
        item.written = item.shelved = True
        merge(self._row_of(item.entry).shelved, [item])
        return item

    def accepted(self, keys: Iterable[Key]) -> list[tuple[Key, Item | None]]:
        """These need not be sent again. Returned: what `flying` had of them."""
        found = self._landed(keys)
        for _, item in found:
            if item is not None:
                self.settle(item)
        self.prune()
        return found

    def _landed(self, keys: Iterable[Key]) -> list[tuple[Key, Item | None]]:
        flying = self.flying
        return [(key, flying.pop(key)) for key in keys if key in flying]

    def settle(self, item: Item) -> None:
        if not item.written and not item.settled:
            self.pending_bytes -= item.size
        item.settled = True

    def prune(self) -> None:
        while self.pending and (self.pending[0].settled or self.pending[0].written):
            self.done = self.pending.popleft().key.seq

    def returned(self, keys: Iterable[Key]) -> None:
        """Not sent after all: each goes back to where it came from, in order."""
        on_disk, back = [], []
        for key, item in self._landed(keys):
            if item is None or self._comes_from_disk(item):
                on_disk.append(key)
            else:
                back.append(item)
        for row in self.rows:
            self._put_back(row, [item for item in back if self._row_of(item.entry) is row])
        if on_disk:
            self.rewind(min(on_disk))

    def _comes_from_disk(self, item: Item) -> bool:
        """Whether the journal has it among the backlog, where a cursor comes by to read it."""
        return item.written and not item.shelved and not self._is_live(item)

    def _is_live(self, item: Item) -> bool:
        return item.entry.key >= self.live_from and not self._fifo

    def _put_back(self, row: Row, items: list[Item]) -> None:
        waiting = [item for item in items if not item.shelved]
        merge(row.shelved, [item for item in items if item.shelved])
        merge(row.live, [item for item in waiting if self._is_live(item)])
        merge(row.late, [item for item in waiting if not self._is_live(item)])

    def rewind(self, first: Key) -> None:
        """What is on disk from here on, and neither settled nor in flight, is read again."""
        for row in self.rows:
            row.rewind(first)

    def link_changed(self, up: bool, next_seq: int) -> None:
        """What is unsent belongs to the backlog now; from the next number on it is live."""
        for row in self.rows:
            row.late.extend(row.live)
            row.live.clear()
        self._up = up
        self.live_from = Key(self._epoch, next_seq if up else END)
        self._leave()

    def group(self, limit: int) -> list[Item]:
        """What is to be written next: neither on disk nor settled, in order, about limit bytes."""
        found = []
        for item in self.pending:
            if limit <= 0:
                break
            if not item.settled:
                found.append(item)
                limit -= item.size
        return found

    def is_settled(self, key: Key) -> bool:
        """Whether an own entry is on disk or settled. Pending ones have neighbouring numbers."""
        if key.seq <= self.done:
            return True
        at = key.seq - self.pending[0].key.seq
        return self.pending[at].settled or self.pending[at].written

    def mark_written(self, group: Sequence[Item]) -> list[Key]:
        """The group is on disk. Returned: what was settled meanwhile, so the journal may forget."""
        for item in group:
            item.written = True
            if not item.settled:
                self.pending_bytes -= item.size
        if group:
            self.written = group[-1].key
        self.prune()
        self._demote()
        self._leave()
        return [item.key for item in group if item.settled]

    def _demote(self) -> None:
        """The oldest of too many live ones are left to the backlog: they are on disk."""
        live = self._rest.live
        while len(live) > LIVE_KEPT and live[0].written:
            self.live_from = Key(self._epoch, live.popleft().key.seq + 1)
        for row in self.rows:
            while row.live and row.live[0].key < self.live_from and row.live[0].written:
                row.live.popleft()

    def _leave(self) -> None:
        """What is on disk leaves memory: no cursor has passed it, they end where it began."""
        for row in self.rows:
            while row.late and row.late[0].written:
                row.late.popleft()

    def reread(self) -> None:
        """Windows are dropped and read again from the first that is not in flight: the journal
        changed under them."""
        for row in self.rows:
            row.rewind()

    def shed(self, target: int, high: Klass = Klass.TELEMETRY) -> list[Item]:
        """Of what is in memory only, class high and below goes, oldest first, until no more than
        target bytes are held. Not what is in flight. Returned: what went, to be accounted for."""
        gone = []
        for item in self.pending:
            if self.pending_bytes <= target:
                break
            if item.entry.klass <= high and not item.settled and item.key not in self.flying:
                self.settle(item)
                gone.append(item)
        for row in self.rows:
            for queue in (row.live, row.late):
                left = [item for item in queue if not item.settled]
                queue.clear()
                queue.extend(left)
        self.prune()
        return gone

    def has_backlog(self) -> bool:
        """Whether something waits that is not live, in memory or on disk."""
        edge = self.edge()
        for row in self.rows:
            if row.window or row.shelved or row.late or (edge and row.is_before(edge)):
                return True
        return False

    def live_waits(self) -> bool:
        return bool(self._rest.live or self._first.live)

    def backlog_waits(self) -> bool:
        """Whether `take` could give some of the backlog now."""
        read = any(r.window or r.shelved for r in self.rows)
        return read or any(r.late and not self.unread(r) for r in self.rows)

    def _row_of(self, entry: Entry) -> Row:
        return self._first if entry.klass >= Klass.ALARM and not self._fifo else self._rest
