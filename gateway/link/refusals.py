"""What the broker refuses for the moment: how long to wait, and when it is the entry's fault. Pure.

A quota, a rate, a full disk at the broker concern everybody: what is refused then is sent again for
as long as it takes. One entry that is refused while others are taken is another matter.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.link.reasons import reason_text
from gateway.model import Key

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 30.0
"""Seconds without sending after a refusal, and at most, while nothing is taken in between."""
TRIES, CERTAIN_AFTER = 5, 60.0
"""So often, others being taken in between, and over so many seconds: then it is the entry's fault.
A broker that takes some messages every few seconds has to come round to all of them first."""


class Refusals:
    def __init__(self) -> None:
        self._tries: dict[Key, tuple[int, int, float]] = {}
        self._taken = 0
        self._row = 0
        self._code = 0

    @property
    def standing(self) -> str:
        """What the broker says to everything, twice or more by now; "" if it takes something."""
        return reason_text(self._code) if self._row > 1 else ""

    def accepted(self, keys: Iterable[Key]) -> None:
        self._taken += 1
        self._row = 0
        if self._tries:
            for key in keys:
                self._tries.pop(key, None)

    def forget(self, key: Key) -> None:
        self._tries.pop(key, None)

    def refused(self, key: Key, code: int, now: float) -> bool:
        """Whether that is for good. now: monotonic seconds."""
        self._code = code
        tries, taken, since = self._tries.get(key, (0, -1, now))
        if taken != self._taken:
            tries += 1
        self._tries[key] = tries, self._taken, since
        return tries >= TRIES and now - since >= CERTAIN_AFTER

    def pause(self) -> float:
        """Something was refused: seconds to wait with everything."""
        self._row += 1
        return float(min(FIRST_PAUSE * 2.0 ** min(self._row - 1, 8), LONGEST_PAUSE))
