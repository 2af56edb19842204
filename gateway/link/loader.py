"""What the outbox has, as messages that this broker takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.codecs.base import Dialect
from gateway.link.flights import Cargo, Item
from gateway.link.pacing import Pace
from gateway.link.packets import size_of
from gateway.link.supply import Outbox
from gateway.model import Entry, Key, Klass, Lane, Sample

UNENCODABLE = ValueError, TypeError, ArithmeticError, LookupError, AttributeError
"""What a dialect raises for an entry that it cannot write. It must not stop all others for ever."""


class Loader:
    """batch: samples in a history message, 0: one by one. shelve is told of every entry that goes
    into no message, and why."""

    def __init__(
        self,
        outbox: Outbox,
        dialect: Dialect,
        batch: int,
        pace: Pace,
        shelve: Callable[[Key, str], None],
    ) -> None:
        self._outbox, self._dialect = outbox, dialect
        self._pace = pace
        self._shelve = shelve
        self._orphans: list[Key] = []
        self.batch = batch
        self.more = True
        """The outbox may have something for us."""
        self.urgent = False
        """Something was loaded that is not a live reading."""

    def load(
        self,
        room: int,
        backlog: int,
        now: float,
        least: Klass,
        limit: int | None,
        together: int | None = None,
    ) -> list[Item]:
        """room: messages that may go; backlog: how many of the backlog, together: entries of it at
        most. least: lower classes are held back. limit: of the broker, bytes of a packet."""
        history = (self.batch or backlog) if backlog > 0 else 0
        if together is not None:
            history = min(history, together)
        if history:
            history = min(history, self._pace.available(now))
        most = max(room, history)
        taken = self._outbox.take(most, history, least)
        try:
            items, late = self._loaded(taken, limit)
        except BaseException:
            # Nobody else knows of these any more, but for those that are on the shelf.
            self._orphans += [entry.key for entry, _ in taken]
            raise
        # Less than asked for: empty until the outbox wakes us, or no more of the window for now.
        self.more = len(taken) >= most or late >= history
        return items

    def _loaded(
        self, taken: Sequence[tuple[Entry, Lane]], limit: int | None
    ) -> tuple[list[Item], int]:
        """Also how many were of the backlog."""
        items: list[Item] = []
        backlog: list[Entry] = []
        late = 0
        for entry, lane in taken:
            if lane is Lane.HISTORY:
                late += 1
                if self.batch and isinstance(entry.recorded, Sample):
                    backlog.append(entry)
                    continue
            self._add(items, [entry], lane, limit)
        if backlog:
            self._add(items, backlog, Lane.HISTORY, limit, batch=True)
        if late:
            self._pace.spend(late)
        return items, late

    def _add(
        self,
        items: list[Item],
        entries: list[Entry],
        lane: Lane,
        limit: int | None,
        batch: bool = False,
    ) -> None:
        """batch: they go together, as history. Else it is one."""
        dialect = self._dialect
        try:
            messages = dialect.history(entries) if batch else dialect.live(entries[0])
        except UNENCODABLE as error:
            self._part(items, entries, limit, f"cannot be put into a message: {error!r}")
            return
        if limit is not None:
            messages = [m for m in messages if not m.reply or size_of(m) <= limit]
            if any(size_of(message) > limit for message in messages):
                why = f"larger than the broker's limit of {limit} bytes"
                self._part(items, entries, limit, why)
                return
        keys = tuple([entry.key for entry in entries])
        if not messages:
            self._outbox.accepted(keys)
            return
        if lane is Lane.HISTORY:
            self._pace.sent(sum(map(size_of, messages)))
        if lane is Lane.HISTORY or entries[0].klass > Klass.TELEMETRY:
            self.urgent = True
        cargo = Cargo(keys, len(messages))
        for message in messages:
            items.append(Item(message, cargo, lane))

    def _part(self, items: list[Item], entries: list[Entry], limit: int | None, why: str) -> None:
        """One message is not to be had: two smaller ones, or the shelf for a single entry."""
        if len(entries) == 1:
            self._shelve(entries[0].key, why)
            return
        middle = len(entries) // 2
        for half in (entries[:middle], entries[middle:]):
            self._add(items, half, Lane.HISTORY, limit, batch=True)

    def due(self, now: float) -> float | None:
        """Seconds until the backlog may go on, None if no clock holds it back."""
        return self._pace.wait() if self._pace.available(now) < 1 else None

    def orphans(self) -> list[Key]:
        """Entries that were taken and went into nothing, once."""
        orphans, self._orphans = self._orphans, []
        return orphans
