"""Registers of a meter, which only count up: what a value that goes back means. Pure.

A lower value is a wrong one, a register that rolled over, or another meter in the old one's place.
The first is marked and passes; the second is known by the numbers, the third by its staying there.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.model import Quality, Reading

CONFIRMED = 3
"""Readings in a row that count up from below: then it is another meter, or was set back."""

ROLL_FROM, ROLL_TO = 0.98, 0.02
"""Shares of a power of ten: a register went over its last digit."""


class Rising:
    """One register. report is told in words of what changed for good. known: what it showed when
    the gateway stopped, 0: not known, so that a meter that was changed meanwhile is noticed."""

    def __init__(self, report: Callable[[str], None], known: float = 0.0) -> None:
        self._report = report
        self._known = known
        self._last: float | None = known or None
        self._candidate = 0.0
        self._below = 0

    def to_keep(self) -> float | None:
        """What is worth keeping for the next start; None: nothing new."""
        return None if self._last == self._known else self._last

    def judged(self, reading: Reading) -> Reading:
        """The reading; uncertain while it is lower than the one before, and nothing explains it."""
        value = reading.value
        if isinstance(value, bool | str) or value is None or reading.quality is Quality.BAD:
            return reading
        last = self._last
        if last is None or value >= last:
            return self._taken(reading, value)
        if _rolled_over(last, value):
            self._report(f"rolled over, from {last:g} to {value:g}")
            return self._taken(reading, value)
        self._below = self._below + 1 if self._below and value >= self._candidate else 1
        self._candidate = value
        if self._below >= CONFIRMED:
            self._report(f"went back from {last:g} to {value:g} and stays there: another meter?")
            return self._taken(reading, value)
        return reading._replace(quality=Quality.UNCERTAIN)

    def _taken(self, reading: Reading, value: float) -> Reading:
        self._last, self._below = value, 0
        return reading


def _rolled_over(last: float, value: float) -> bool:
    """From just below a power of ten to just above 0."""
    whole = 10.0
    while whole <= last:
        whole *= 10
    return last >= ROLL_FROM * whole and 0 <= value <= ROLL_TO * whole
