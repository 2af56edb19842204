"""How an account stands: the values that `tidegate audit` and the demo print. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Missing:
    """Numbers first to last of an epoch that nothing explains."""

    epoch: int
    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Report:
    """One gateway's account. Counts are of entries numbered since the account began.

    numbered: entries that are known to exist, received: those of them that came.
    earlier: entries that came but were numbered before. pending: not here, perhaps still to come.
    explained: entries that will not come, by the reason that the gateway gave.
    disordered: entries that came after a later one of the same device and lane, first deliveries
    only. waiting: entries that the gateway had not sent when it last told its health; None before.
    blind: how often the consumer was away without a session. renumbered: how often the gateway's
    numbers went back to an earlier epoch, so that what was on its way then cannot be judged.
    """

    gateway: str
    online: bool | None
    epoch: int | None
    last_seq: int
    numbered: int
    received: int
    earlier: int
    history: int
    duplicates: int
    disordered: int
    pending: int
    explained: Mapping[str, int]
    missing: tuple[Missing, ...]
    waiting: int | None
    blind: int
    renumbered: int = 0

    @property
    def lost(self) -> int:
        return sum(span.count for span in self.missing)

    @property
    def settled(self) -> bool:
        """Nothing is on its way any more, as far as can be known."""
        return self.epoch is not None and self.pending == 0 and self.waiting == 0


def waiting(outbox: Mapping[str, Any]) -> int:
    """Entries that the gateway kept and had not sent."""
    kept, in_flight = outbox.get("kept"), outbox.get("in_flight")
    if not isinstance(kept, int):
        return 0
    return kept - (in_flight if isinstance(in_flight, int) else 0)
