"""Where entries wait in memory: one of them, and the queues of one importance. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from gateway.model import Entry, Key, Klass


class Item:
    """An entry in memory that is not to be read back. taken: monotonic seconds. size: bytes it is
    counted for.

    shelved: it comes from the shelf, so no cursor will come by to read it again.
    """

    __slots__ = ("entry", "settled", "shelved", "size", "taken", "written")

    def __init__(self, entry: Entry, taken: float, size: int) -> None:
        self.entry = entry
        self.taken = taken
        self.size = size
        self.written = False
        self.settled = False
        self.shelved = False

    @property
    def key(self) -> Key:
        return self.entry.key


class Row:
    """Where the entries of one importance wait."""

    __slots__ = ("cursor", "late", "live", "low", "shelved", "window")

    def __init__(self, low: Klass) -> None:
        self.low = low
        self.live: deque[Item] = deque()
        self.late: deque[Item] = deque()
        self.shelved: deque[Item] = deque()
        self.window: deque[Entry] = deque()
        """What was read back."""
        self.cursor: Key | None = None
        """Every key up to here that is on disk and unsent is in the window or in flight."""

    def is_before(self, edge: Key) -> bool:
        """Whether the cursor has not come there yet."""
        return self.cursor is None or self.cursor < edge

    def rewind(self, first: Key | None = None) -> None:
        """Read again what the window has, and what is on disk from `first` on."""
        read = [self.window[0].key] if self.window else []
        if first is not None and self.cursor is not None and first <= self.cursor:
            read.append(first)
        if read:
            self.cursor = before(min(read))
            self.window.clear()


def before(key: Key) -> Key:
    """The greatest key that is smaller; numbers begin with 1, so 0 comes before all of an epoch."""
    return Key(key.epoch, key.seq - 1)


def merge(queue: deque[Item], items: Sequence[Item]) -> None:
    """These among what waits there, in order."""
    if items:
        ordered = sorted((*items, *queue), key=lambda item: item.entry.key)
        queue.clear()
        queue.extend(ordered)
