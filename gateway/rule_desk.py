"""Where rules meet the house: what they want goes to commands, alarms and the link.

Part of control, and used in its thread alone. `rules.py` decides. A command of a rule takes the way
of every other command: ledger, lock, limits, interlocks, answer.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.clock import Clock, corrected
from gateway.codecs.values import utc
from gateway.gate import Gate
from gateway.model import Command, Heard, Key, Reading, Result, Value
from gateway.rules import Rules
from gateway.rules_model import (
    Answered,
    DeviceIs,
    Effect,
    Event,
    LinkIs,
    Looked,
    Order,
    Raise,
    Say,
    Standing,
    Tick,
)
from gateway.rules_remote import age
from gateway.state import StateFault, Store

log = logging.getLogger(__name__)

NOTE = "rule"
SOURCE = "rule "
SET = 1.0
"""Seconds by which the wall clock must have been moved for everything to be looked at anew."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What rules need of the house.

    outputs: the name of the one channel of each output. anchors: as `clock.corrected` has them: a
    clock that was right once since the boot is believed. publish: a message now, or never if there
    is no connection.
    """

    outputs: Mapping[str, str]
    anchors: Mapping[str, float]
    epoch: int
    publish: Callable[[str, bytes], None]


@dataclass(slots=True)
class _Known:
    """Of another gateway's device: the newest entry that was used, and why one was not."""

    last: Key | None = None
    wrong: str = ""


class RuleDesk:
    """command, alarm: see `control.Control`."""

    def __init__(
        self,
        rules: Rules,
        store: Store,
        clock: Clock,
        around: Surroundings,
        command: Callable[[Command], None],
        alarm: Callable[[str, bool, str], None],
    ) -> None:
        self._rules = rules
        self._store = store
        self._clock = clock
        self._around = around
        self._command = command
        self._alarm = alarm
        self._events: deque[Event] = deque()
        self._busy = False
        self._numbers: dict[str, int] = {}
        self._gate = Gate()
        self._heard = {device: _Known() for device in rules.remote}
        self._set_at = 0.0
        self._believed = False
        self._state = rules.begin(clock.monotonic(), {})
        self._notes: dict[str, dict[str, Any]] = {}
        self._next = 0.0

    def open(self) -> None:
        """Rules go on where the run before was; alarms of those that are gone are cleared."""
        try:
            notes = self._store.recall(NOTE)
            earlier = {name: note for name, note in notes.items() if note is not None}
            for name in [name for name in earlier if name not in self._rules.by_name]:
                for alarm in earlier.pop(name)["alarms"]:
                    self._alarm(alarm, False, f"rule {name} is no more")
                self._store.remember(NOTE, name, None)
        except StateFault as fault:
            log.error("where the rules were is not known: %s", fault)
            earlier = {}
        self._notes = earlier
        self._state = self._rules.begin(self._clock.monotonic(), earlier)

    def hear(self, heard: Heard) -> None:
        """Another gateway's reading; dated back to when it was measured."""
        now, device = self._clock.monotonic(), heard.device
        if device not in self._heard or not self._gate.passes(device, now):
            return
        stamp = corrected(self._clock.stamp(), self._around.anchors)
        believed = stamp if self._wall() is not None else None
        found = age(heard, self._heard[device].last, believed)
        known = self._heard[device]
        if isinstance(found, str):
            if found != known.wrong:
                log.warning("a reading of %s is not used: it %s", device, found)
            known.wrong = found
            return
        known.last, known.wrong = heard.key, ""
        self.tell(Looked(device, heard.readings, now - found))

    def link(self, up: bool) -> None:
        self.tell(LinkIs(up))

    def device(self, device: str, online: bool) -> None:
        self.tell(DeviceIs(device, online))

    def output(self, device: str, value: Value | None) -> None:
        """What an output was found to be; None: that is not known.

        It is not read again and again: it is as found while its device is there.
        """
        if value is not None and device in self._around.outputs:
            reading = Reading(self._around.outputs[device], value)
            self.tell(Looked(device, (reading,), self._clock.monotonic()))

    def answered(self, result: Result, wait: float | None) -> None:
        number = self._numbers.pop(result.id, None)
        if number is not None:
            self.tell(Answered(number, result.outcome, wait))

    def tell(self, event: Event) -> None:
        """Lets rules know. What follows may tell more, which comes after it."""
        self._events.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._events:
                self._step(self._events.popleft())
        finally:
            self._busy = False

    def look_after(self) -> None:
        wall, now = self._wall(), self._clock.monotonic()
        set_at = self._set_at if wall is None else wall - now
        moved = abs(set_at - self._set_at) > SET or (wall is not None) is not self._believed
        self._set_at, self._believed = set_at, wall is not None
        if moved or self._next <= now:
            self.tell(Tick(everything=moved))

    def patience(self) -> float:
        """Seconds until there is something to look at."""
        return self._next - self._clock.monotonic()

    def _step(self, event: Event) -> None:
        before = self._state.standing
        step = self._rules.step(self._state, event, self._clock.monotonic(), self._wall())
        self._state, self._next = step.state, step.next
        for name, standing in step.state.standing.items():
            if standing is not before[name]:
                self._remember(name, standing)
        for effect in step.effects:
            self._do(effect)

    def _wall(self) -> float | None:
        stamp = corrected(self._clock.stamp(), self._around.anchors)
        return stamp.wall if stamp.synchronised else None

    def _do(self, effect: Effect) -> None:
        match effect.action:
            case Order(device, value):
                command_id = f"rule-{effect.rule}-{self._around.epoch}-{effect.number}"
                self._numbers[command_id] = effect.number
                stamp, source = self._clock.stamp(), f"{SOURCE}{effect.rule}"
                self._command(Command(command_id, device, value, stamp, source=source))
            case Raise(alarm, text):
                self._alarm(alarm, effect.raised, text)
            case Say(topic, payload):
                self._around.publish(topic, (payload or self._account(effect)).encode())

    def _account(self, effect: Effect) -> str:
        """What a rule knows when it speaks."""
        fields = {
            "rule": effect.rule,
            "phase": effect.phase,
            "time": utc(self._clock.stamp().wall),
            "values": dict(effect.values),
        }
        return json.dumps(fields, ensure_ascii=False)

    def _remember(self, name: str, standing: Standing) -> None:
        note = self._rules.note(name, standing)
        if note == self._notes.get(name):
            return
        self._notes[name] = note
        try:
            self._store.remember(NOTE, name, note)
        except StateFault as fault:
            log.error("where rule %s is is not remembered: %s", name, fault)
