"""What a rule is, what it is told, and what it wants done: the values of rules.py. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from gateway.conditions import NEVER, Condition, World
from gateway.model import Outcome, Reading, Value


class Phase(StrEnum):
    THEN = "then"
    ELSE = "else"
    STALE = "stale"


class Order(NamedTuple):
    """A command. repeatable: it sets a state; else it is a pulse, never given twice for safety."""

    device: str
    value: Value
    repeatable: bool = True


class Raise(NamedTuple):
    """An alarm, raised with its phase and cleared with the next that can be told."""

    alarm: str
    text: str


class Say(NamedTuple):
    """A message to a topic; payload "" stands for what the rule knows."""

    topic: str
    payload: str = ""


Action = Order | Raise | Say


class Rule(NamedTuple):
    """momentary: it is about instants, so it has no `else`, and remembers no phase."""

    name: str
    when: Condition
    actions: Mapping[Phase, tuple[Action, ...]]
    momentary: bool = False


class Looked(NamedTuple):
    """What a device gave. at: monotonic seconds of the measurement."""

    device: str
    readings: tuple[Reading, ...]
    at: float


class DeviceIs(NamedTuple):
    device: str
    online: bool


class LinkIs(NamedTuple):
    up: bool


class Answered(NamedTuple):
    """What became of a command. wait: seconds until it would be allowed, where that is known."""

    number: int
    outcome: Outcome
    wait: float | None = None


class Tick(NamedTuple):
    """Time has passed. everything: the wall clock was set, so nothing is as it was computed."""

    everything: bool = False


Event = Looked | DeviceIs | LinkIs | Answered | Tick


class Effect(NamedTuple):
    """What a rule wants done, because of a phase. number: names a command in its answer.

    values: its inputs as they are known. raised: of an alarm.
    """

    rule: str
    phase: Phase
    action: Action
    values: Mapping[str, Value]
    number: int = 0
    raised: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that is not carried out yet. again: when to give it again; NEVER: it is awaited."""

    number: int
    order: Order
    tries: int = 0
    again: float = NEVER


@dataclass(frozen=True, slots=True)
class Standing:
    """A rule in its course. before: its phase in an earlier run, until it has one in this."""

    phase: Phase | None = None
    before: Phase | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    due: float = 0.0
    rested: float = -NEVER
    asked: tuple[Asked, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    world: World
    standing: Mapping[str, Standing]
    count: int = 0


class Step(NamedTuple):
    """next: monotonic seconds at which there is something to look at; NEVER: after an event."""

    state: State
    effects: tuple[Effect, ...]
    next: float
