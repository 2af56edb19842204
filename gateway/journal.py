"""The contract of a journal: records with a key, in order, until they are settled.

Three stores keep it: the ring (`journal_ring.py`), SQLite (`store_sqlite.py`) and memory
(`store_memory.py`). One suite runs on all of them. A journal decides nothing: what may go when room
is short is chosen in `eviction.py`, and the outbox says when.

One thread at a time calls a journal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.model import Key, Klass


class JournalError(Exception):
    """Base of what a journal raises."""


class JournalFull(JournalError):
    """No room is left for a record of this class. Evict, or wait for acknowledgements."""


class JournalFault(JournalError, OSError):
    """The storage failed. The message says what was tried and what the system answered."""


LARGEST = 64 << 10
"""Bytes of payload that every journal takes."""


class Record(NamedTuple):
    """One entry, encoded. wall: seconds since 1970, 0.0 when the clock was not to be trusted."""

    key: Key
    klass: Klass
    wall: float
    device: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """How a run stands. clean: it ended in order, last_seq was its last number.

    While it runs: clean is False and last_seq 0, for what is on disk speaks for itself.
    written: the last key that went to the journal, so that a lost tail is noticed.
    """

    epoch: int
    last_seq: int
    clean: bool
    written: Key | None = None


@dataclass(frozen=True, slots=True)
class Damage:
    """Kept records that cannot be read any more: `count` of them, with keys from first to last.

    count is 0 where not even the number is known. last is None where everything above is gone.
    torn: a write that never completed; the sync was not over, so nobody was told it was safe.
    """

    first: Key
    last: Key | None
    count: int
    text: str
    torn: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of neighbouring records that can be evicted together.

    level: how often it was thinned. kept, bytes: what is in it and not settled. dear: the part of
    these bytes that is above telemetry. newest: wall seconds of its youngest record, 0.0 when one
    of them is not known. capacity: bytes that fit into a chunk, so that two can be made one.
    """

    first: Key
    last: Key
    level: int
    kept: int
    bytes: int
    dear: int
    newest: float
    capacity: int


@dataclass(frozen=True, slots=True)
class JournalUsage:
    """kept: records not settled. bytes_*: disk. written: bytes handed to the disk since opening.

    crowded: evict before the next append. oldest: wall seconds, None when empty or not known.
    room: bytes of telemetry that fit in before it is crowded. mean: bytes of a record. These two
    are for who writes it: 0 from who only looks.
    """

    kept: int
    bytes_used: int
    bytes_limit: int
    written: int
    crowded: bool
    oldest: float | None
    room: int = 0
    mean: float = 0.0


class Journal(Protocol):
    def append(self, records: Sequence[Record]) -> None:
        """Durable when it returns. Keys grow from record to record, for ever.

        JournalFull or JournalFault: none of them counts as kept.
        """
        ...

    def read(self, after: Key | None, limit: int, low: Klass = Klass.TELEMETRY) -> list[Record]:
        """Kept records of class low and above in order of key, those after a key.

        JournalFault when the storage cannot be read at all; what is damaged is left out and told
        by `damages`.
        """
        ...

    def forget(self, keys: Iterable[Key]) -> None:
        """They are settled; unknown keys do not matter.

        Lazy: a crash may bring the last few back, it never loses another.
        """
        ...

    def chunks(self) -> list[Chunk]:
        """What may be evicted, oldest first. What is being written is not among them."""
        ...

    def records(self, chunks: Sequence[Chunk]) -> list[Record]:
        """The kept records of these chunks."""
        ...

    def evict(self, chunks: Sequence[Chunk], going: Collection[Key], level: int) -> list[Key]:
        """Of neighbouring chunks these records go; what stays becomes one chunk of that level.

        Returns what went. The caller has the account of it on disk already. After a crash, or an
        error, some of what goes may be there yet, or have gone; what stays never has. ValueError
        when it does not fit into one chunk.
        """
        ...

    def damages(self) -> list[Damage]:
        """What was found damaged since the last call.

        Asking again says that the account of what was told before is on disk: it is not told again.
        """
        ...

    def mark(self) -> Mark | None:
        """What `set_mark` wrote last, also in an earlier run."""
        ...

    def set_mark(self, mark: Mark) -> None:
        """Durable when it returns. JournalFault."""
        ...

    def last(self) -> Key | None:
        """The highest key ever appended, as far as the storage remembers."""
        ...

    def settle(self, sync: bool) -> None:
        """Write down what was forgotten; with sync, durably."""
        ...

    def prepare(self) -> bool:
        """A part of what a first use of the storage would have to do, while there is time for it.

        False: nothing of that is left. JournalFault: it is done when it is needed.
        """
        ...

    def usage(self) -> JournalUsage: ...

    def close(self) -> None: ...
