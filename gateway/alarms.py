"""Alarms: raised, acknowledged, cleared. Pure: what is to be told follows from each event.

An alarm is told when its state changes, and again every `repeat` seconds while nobody has
acknowledged it. One that is cleared is told once more and forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.model import Alarm, AlarmState, Stamp


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """How an alarm behaves. repeat: seconds, 0: told once. latch: stands until acknowledged."""

    repeat: float = 0.0
    latch: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that is not cleared. over: its cause has gone, the acknowledgement is still due."""

    state: AlarmState
    text: str
    told: float
    over: bool = False


class Alarms:
    """rules: by the alarm's name; one without is told once and does not latch.

    Times named now are monotonic seconds.
    """

    def __init__(self, rules: Mapping[str, AlarmRule] | None = None) -> None:
        self._rules = dict(rules or {})
        self._standing: dict[str, Standing] = {}

    def happened(self, alarm: Alarm, now: float) -> list[Alarm]:
        """What is to be told when the cause of an alarm is there, or has gone."""
        if alarm.state is AlarmState.RAISED:
            return self._raised(alarm, now)
        return self._cleared(alarm)

    def _raised(self, alarm: Alarm, now: float) -> list[Alarm]:
        known = self._standing.get(alarm.name)
        if known is not None and known.text == alarm.text and not known.over:
            return []
        self._standing[alarm.name] = Standing(AlarmState.RAISED, alarm.text, now)
        return [alarm]

    def _cleared(self, alarm: Alarm) -> list[Alarm]:
        known = self._standing.get(alarm.name)
        if known is None:
            return []
        if self._rule(alarm.name).latch and known.state is AlarmState.RAISED:
            self._standing[alarm.name] = replace(known, over=True)
            return []
        del self._standing[alarm.name]
        return [alarm]

    def acknowledge(self, name: str, stamp: Stamp) -> list[Alarm]:
        """ValueError if there is no such alarm now."""
        known = self._standing.get(name)
        if known is None:
            standing = ", ".join(self._standing) or "there is none"
            raise ValueError(f"no such alarm stands; now: {standing}")
        if known.over:
            del self._standing[name]
            return [Alarm(name, stamp, AlarmState.CLEARED, known.text)]
        if known.state is AlarmState.ACKNOWLEDGED:
            return []
        self._standing[name] = replace(known, state=AlarmState.ACKNOWLEDGED)
        return [Alarm(name, stamp, AlarmState.ACKNOWLEDGED, known.text)]

    def repeated(self, stamp: Stamp, now: float) -> list[Alarm]:
        """Those that are to be told again now."""
        due = [name for name, at in self._repeats() if at <= now]
        for name in due:
            self._standing[name] = replace(self._standing[name], told=now)
        return [Alarm(n, stamp, AlarmState.RAISED, self._standing[n].text) for n in due]

    def next(self) -> float:
        """When one is to be told again; infinity for never."""
        return min((at for _, at in self._repeats()), default=float("inf"))

    def _repeats(self) -> Iterator[tuple[str, float]]:
        for name, known in self._standing.items():
            repeat = self._rule(name).repeat
            if repeat and known.state is AlarmState.RAISED:
                yield name, known.told + repeat

    def _rule(self, name: str) -> AlarmRule:
        return self._rules.get(name, AlarmRule())

    @property
    def standing(self) -> Mapping[str, Standing]:
        return self._standing

    def note(self, name: str) -> Any:
        """What is to be remembered of an alarm over a restart; None: it does not stand."""
        known = self._standing.get(name)
        return None if known is None else [known.state.value, known.text, known.over]

    def restore(self, name: str, note: Any, now: float) -> None:
        """A `note` of an earlier run."""
        if note is not None:
            state, text, over = note
            self._standing[name] = Standing(AlarmState(state), text, now, over)
