"""What is due, and when: no drift, no burst after a stall, and a failing device waits longer.

Pure: the time is an argument, in seconds of a clock that never jumps.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

FIRST_RETRY = 2.0
"""Seconds after the first failure, unless the interval is shorter."""
BACKOFF_CAP = 300.0
"""Seconds a failing device waits at most, unless its own interval is longer."""
TOGETHER = 0.01
"""Seconds, and part of the shortest interval, that a look may be late to save a wake-up."""


@dataclass(slots=True)
class _Slot:
    interval: float
    phase: float
    point: float
    """The grid's point that is being, or will be, served."""
    due: float
    failures: int = 0
    overruns: int = 0


class Schedule:
    """The devices of one bus. Devices of one interval fall due together, which saves wake-ups."""

    def __init__(self) -> None:
        self._slots: dict[str, _Slot] = {}

    def add(self, name: str, interval: float, now: float) -> None:
        """interval in seconds, > 0. Due at once, then at each multiple of interval from now."""
        self._slots[name] = _Slot(interval, phase=now, point=now, due=now)

    def due(self, now: float) -> list[str]:
        """Those due, the longest waiting first. They stay due until `succeeded` or `failed`."""
        ready = [(slot.due, name) for name, slot in self._slots.items() if slot.due <= now]
        return [name for _, name in sorted(ready)]

    def next(self) -> float | None:
        """When the next one falls due; None without devices."""
        return min((slot.due for slot in self._slots.values()), default=None)

    def hold(self, name: str) -> None:
        """It is being served (a conversion runs): not due until it succeeded or failed."""
        self._slots[name].due = float("inf")

    def hasten(self, name: str, now: float) -> None:
        """Something happened there: look now."""
        self._slots[name].due = min(self._slots[name].due, now)

    def succeeded(self, name: str, now: float) -> None:
        """Next at the grid's next point; points missed in a stall are counted, not made up."""
        slot = self._slots[name]
        slot.failures = 0
        # A hair's grace: 0.03 // 0.01 is 2, and the point just served must not come again.
        steps = int((now - slot.phase) / slot.interval + 1e-6) + 1
        slot.overruns += max(0, steps - 1 - round((slot.point - slot.phase) / slot.interval))
        slot.point = slot.due = slot.phase + steps * slot.interval

    def failed(self, name: str, now: float) -> float:
        """Gives the seconds to the next try: longer with each failure in a row."""
        slot = self._slots[name]
        wait = backoff(slot.interval, slot.failures)
        slot.failures += 1
        slot.point = slot.due = now + wait
        return wait

    def failures(self, name: str) -> int:
        """Failures in a row."""
        return self._slots[name].failures

    def overruns(self, name: str) -> int:
        """Points of the grid that passed without a look, since the start."""
        return self._slots[name].overruns


def backoff(interval: float, failures: int) -> float:
    """Seconds to wait after one more failure than `failures` in a row.

    The first try again comes soon, because most faults are one bad transfer; then the wait doubles
    up to BACKOFF_CAP, or the interval where that is longer. Never below a second, so that a device
    that fails cannot keep the bus busy.
    """
    wait = min(max(interval, 1.0), FIRST_RETRY) * 2.0 ** min(failures, 32)
    return min(wait, max(BACKOFF_CAP, interval))


def slack(intervals: Iterable[float]) -> float:
    """Seconds that looks of these intervals may be late."""
    return min((TOGETHER * min(1.0, interval) for interval in intervals), default=0.0)


def wake_at(exact: Iterable[float], loose: Collection[float], slack: float) -> float:
    """When to wake for these points in time; infinity without any.

    exact is never late. loose may be late by slack where more of it can be done at once then.
    """
    latest = min(loose, default=math.inf) + slack
    return min(
        *exact, max((point for point in loose if point <= latest), default=math.inf), math.inf
    )
