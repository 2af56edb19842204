"""The far end of a gateway in the tests: what arrived, and what gap records say of the rest."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.model import Entry, Gap, GapReason, Key


class FarEnd:
    def __init__(self) -> None:
        self.arrived: set[Key] = set()
        self.doubles = 0
        self._lost: dict[int, list[tuple[int, int]]] = {}
        self._crashed: dict[int, int] = {}

    def take(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.doubles += entry.key in self.arrived
            self.arrived.add(entry.key)
            if isinstance(entry.recorded, Gap):
                self._note(entry.recorded)

    def _note(self, gap: Gap) -> None:
        if gap.reason is GapReason.CRASH:
            known = self._crashed.get(gap.epoch, gap.first_seq)
            self._crashed[gap.epoch] = min(known, gap.first_seq)
        else:
            last = 1 << 62 if gap.last_seq is None else gap.last_seq
            self._lost.setdefault(gap.epoch, []).append((gap.first_seq, last))

    def is_told(self, key: Key) -> bool:
        """It lies in the span of a gap record, other than a crash's."""
        return any(first <= key.seq <= last for first, last in self._lost.get(key.epoch, []))

    def unexplained(self, epoch: int, last: int) -> list[Key]:
        """Of the numbers 1 to last of an epoch, those of which nothing is known."""
        crash = self._crashed.get(epoch, last)
        keys = (Key(epoch, seq) for seq in range(1, last + 1))
        return [k for k in keys if k not in self.arrived and k.seq <= crash and not self.is_told(k)]

    def lost(self, durable: Iterable[Key]) -> list[Key]:
        """Of what was on disk once, what neither arrived nor was dropped with an account: a crash
        excuses only what was not on disk."""
        return sorted(k for k in durable if k not in self.arrived and not self.is_told(k))
