"""What the house does by itself: a rule's condition turns true or false, and its actions follow.

Pure: what is known, an event and the time give what is known then, what is to be done, and when to
look again. A rule speaks when its condition changes, not all the time: what a person or a limit
does to an output in between holds until the next change. After the start it speaks once. What
cannot be told changes nothing; after too long it is a phase of its own, `stale`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gateway.conditions import HELD, LINK, NEVER, Look, Seen, World
from gateway.model import Outcome, Quality, Reading
from gateway.rules_model import (
    Action,
    Answered,
    Asked,
    DeviceIs,
    Effect,
    Event,
    LinkIs,
    Looked,
    Order,
    Phase,
    Raise,
    Rule,
    Say,
    Standing,
    State,
    Step,
    Tick,
)

REST = 1.0
"""Seconds between two changes of a rule: two rules that feed each other stay harmless."""
FIRST_RETRY, LAST_RETRY = 10.0, 600.0
"""Seconds before a refused command is given again, if nothing says how long to wait; doubling."""
MARGIN = 0.1  # seconds


class Rules:
    """The rules of a house, and which of them an event concerns. Holds no state."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.by_name = {rule.name: rule for rule in rules}
        self._by_input: dict[str, set[str]] = {}
        for rule in self.by_name.values():
            for name in rule.when.inputs():
                self._by_input.setdefault(name, set()).add(rule.name)

    @property
    def inputs(self) -> frozenset[str]:
        return frozenset(self._by_input)

    @property
    def remote(self) -> frozenset[str]:
        """Devices of other gateways, as `gateway/device`."""
        return frozenset(name.rpartition(".")[0] for name in self._by_input if "/" in name)

    def begin(self, now: float, earlier: Mapping[str, Mapping[str, Any]]) -> State:
        """At the start. earlier: what `note` gave for each rule in the run before."""
        standing = {
            name: _restored(rule, earlier.get(name, {})) for name, rule in self.by_name.items()
        }
        return State(World(now), standing)

    def step(self, state: State, event: Event, now: float, wall: float | None) -> Step:
        """wall: seconds since 1970, None while the clock cannot be believed."""
        world, concerned = self._learn(state, event, now)
        standing, count = dict(state.standing), state.count
        effects: list[Effect] = []
        if isinstance(event, Answered):
            standing = {name: _answered(one, event, now) for name, one in standing.items()}
        for name in self.by_name:
            if name in concerned:
                turn = _Turn(self.by_name[name], world, now, wall, count)
                standing[name] = turn.take(standing[name])
                effects += turn.effects
                count = turn.count
        following = min((at for one in standing.values() for at in _dues(one)), default=NEVER)
        return Step(State(world, standing, count), tuple(effects), following)

    def _learn(self, state: State, event: Event, now: float) -> tuple[World, set[str]]:
        world = state.world
        match event:
            case Looked(device, readings, at):
                fresh = {f"{device}.{r.channel}": r for r in readings}
                fresh = {name: r for name, r in fresh.items() if name in self._by_input}
                seen = {n: _seen(world.inputs.get(n), r, at) for n, r in fresh.items()}
                known = {name: one for name, one in seen.items() if one is not None}
                return replace(world, inputs={**world.inputs, **known}), self._of(fresh)
            case DeviceIs(device, online):
                doubtful = {
                    name: one._replace(good=False)
                    for name, one in world.inputs.items()
                    if not online and name.rpartition(".")[0] == device
                }
                inputs = {**world.inputs, **doubtful}
                online_now = {**world.online, device: online}
                world = replace(world, inputs=inputs, online=online_now)
                return world, self._of([device, *doubtful])
            case LinkIs(up):
                return replace(world, link=up), self._of([LINK])
            case Tick(everything):
                due = {n for n, s in state.standing.items() if min(_dues(s)) <= now}
                return world, set(self.by_name) if everything else due
        return world, set()

    def _of(self, names: Iterable[str]) -> set[str]:
        return {rule for name in names for rule in self._by_input.get(name, ())}

    def note(self, name: str, standing: Standing) -> dict[str, Any]:
        """What of a rule is worth remembering over a restart, for JSON."""
        rule = self.by_name[name]
        kept = {p: n for p, n in standing.notes.items() if isinstance(n, bool) or n == HELD}
        phase = standing.phase or standing.before
        alarms = sorted(alarm.alarm for phase in Phase for alarm in _alarms(rule, phase))
        return {"phase": phase, "notes": kept, "mark": _mark(rule), "alarms": alarms}


class _Turn:
    """One look at one rule."""

    def __init__(
        self, rule: Rule, world: World, now: float, wall: float | None, count: int
    ) -> None:
        self._rule = rule
        self._world = world
        self._now = now
        self._wall = wall
        self.count = count
        self.effects: list[Effect] = []

    def take(self, standing: Standing) -> Standing:
        look = Look(self._world, self._now, self._wall, dict(standing.notes))
        told = self._rule.when.holds(look, "")
        standing = replace(standing, notes=look.notes, due=look.due)
        if self._rule.momentary:
            return self._instant(standing, told, look.struck)
        phase = Phase.THEN if told else Phase.ELSE if told is not None else None
        if phase is None and look.aged:
            phase = Phase.STALE
        return self._level(standing, phase)

    def _instant(self, standing: Standing, told: bool | None, struck: bool) -> Standing:
        if not struck or told is False or self._now < standing.rested:
            return standing
        self._do(Phase.THEN if told else Phase.STALE, pulses=True, news=True)
        return replace(standing, rested=self._now + REST)

    def _level(self, standing: Standing, phase: Phase | None) -> Standing:
        if phase is None or phase is standing.phase:
            return self._ask_again(standing, phase)
        if self._now < standing.rested:
            return replace(standing, due=min(standing.due, standing.rested))
        first = standing.phase is None
        changed = not first or standing.before not in (None, phase)
        news = changed or (first and standing.before is None)
        asked = self._do(phase, pulses=changed, news=news)
        for other in () if phase is Phase.STALE else Phase:
            if other is not phase:
                self._clear(other)
        rested = self._now + REST
        return replace(standing, phase=phase, before=None, rested=rested, asked=asked)

    def _do(self, phase: Phase, *, pulses: bool, news: bool) -> tuple[Asked, ...]:
        asked = []
        for action in self._rule.actions.get(phase, ()):
            if isinstance(action, Order) and (action.repeatable or pulses):
                self._order(phase, action)
                asked.append(Asked(self.count, action))
            elif isinstance(action, Raise) or (isinstance(action, Say) and news):
                self._add(phase, action)
        return tuple(asked)

    def _order(self, phase: Phase, order: Order) -> None:
        self.count += 1
        self._add(phase, order, self.count)

    def _clear(self, phase: Phase) -> None:
        for alarm in _alarms(self._rule, phase):
            self._add(phase, alarm, raised=False)

    def _ask_again(self, standing: Standing, phase: Phase | None) -> Standing:
        """What was refused, once its time has come and the reason for it is there now."""
        asked = []
        for one in standing.asked:
            if one.again <= self._now and phase is None:
                one = replace(one, again=-NEVER)
            elif one.again <= self._now and standing.phase is not None:
                self._order(standing.phase, one.order)
                one = replace(one, number=self.count, again=NEVER)
            asked.append(one)
        return replace(standing, asked=tuple(asked))

    def _add(self, phase: Phase, action: Action, number: int = 0, *, raised: bool = True) -> None:
        inputs = self._world.inputs
        values = {name: inputs[name].value for name in self._rule.when.inputs() if name in inputs}
        self.effects.append(Effect(self._rule.name, phase, action, values, number, raised))


def _answered(standing: Standing, event: Answered, now: float) -> Standing:
    asked = []
    for one in standing.asked:
        if one.number == event.number:
            failed = event.outcome in (Outcome.REFUSED, Outcome.EXPIRED, Outcome.FAILED)
            if not failed or not one.order.repeatable:
                continue
            wait = min(FIRST_RETRY * 2.0 ** min(one.tries, 16), LAST_RETRY)
            wait = wait if event.wait is None else event.wait + MARGIN
            one = replace(one, tries=one.tries + 1, again=now + wait)
        asked.append(one)
    return replace(standing, asked=tuple(asked))


def _seen(before: Seen | None, reading: Reading, at: float) -> Seen | None:
    if before is not None and at < before.at:
        return before
    if reading.quality is Quality.GOOD and reading.value is not None:
        return Seen(reading.value, at)
    return None if before is None else before._replace(good=False)


def _dues(standing: Standing) -> Iterator[float]:
    yield standing.due
    yield from (asked.again for asked in standing.asked if asked.again > -NEVER)


def _alarms(rule: Rule, phase: Phase) -> list[Raise]:
    return [a for a in rule.actions.get(phase, ()) if isinstance(a, Raise)]


def _mark(rule: Rule) -> int:
    """Tells whether a rule asks what it asked in an earlier run."""
    return zlib.crc32(repr(rule.when).encode())


def _restored(rule: Rule, note: Mapping[str, Any]) -> Standing:
    if note.get("mark") != _mark(rule):
        return Standing()
    phase = note["phase"]
    return Standing(before=None if phase is None else Phase(phase), notes=note["notes"])
