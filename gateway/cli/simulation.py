"""A house without wires: control, rules, limits and filters as the daemon has them, and a clock
that is moved from one thing to the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from drivers.base import Actuator, Stream
from drivers.quantities import unit_of
from gateway.alarms import AlarmRule, Alarms
from gateway.attached import Attached
from gateway.build_devices import level, make_appliances, make_device, make_filters
from gateway.build_rules import RuleWork
from gateway.cli.scenario import Moment, Scenario, ScenarioError
from gateway.codecs.base import Publication
from gateway.config_devices import BusNotThere
from gateway.config_report import nearest
from gateway.control import Control
from gateway.model import (
    Act,
    Acted,
    Action,
    Alarm,
    Command,
    Outcome,
    Reading,
    Recorded,
    Result,
    Stamp,
    State,
    Value,
)
from gateway.rules_model import Looked
from gateway.settings import Settings
from gateway.settings_rules import inputs_of
from gateway.state import Store

REMOTE_INTERVAL = 10.0
STEP = 0.01  # seconds: nothing is so urgent that the clock would stand still for it
PERSON = "person"
NONCE = "simulated"


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened. kind: output, refused, alarm, event. by: a rule, a limit, a person.

    wall: seconds since 1970. why: the reason, or what the rule saw.
    """

    wall: float
    kind: str
    what: str
    to: Value
    by: str
    why: str = ""


@dataclass(slots=True)
class SimulatedClock:
    start: float
    now: float = 0.0
    synchronised: bool = True

    def monotonic(self) -> float:
        return self.now

    def stamp(self) -> Stamp:
        return Stamp(self.start + self.now, self.now, "simulate", self.synchronised)


@dataclass(slots=True)
class _Held:
    """What a device gives at each look, and when the next one is. None: it gives nothing."""

    interval: float
    due: float
    readings: dict[str, Reading] = field(default_factory=dict)
    online: bool = True


class Simulation:
    """start: wall seconds. hold: devices are read again and again, as in the house."""

    def __init__(self, settings: Settings, scenario: Scenario, start: float, hold: bool) -> None:
        self.clock = SimulatedClock(start)
        self._settings = settings
        self._scenario = scenario
        self._hold = hold
        self._lines: list[Line] = []
        self._states: dict[str, Value] = {}
        self._wishes: dict[str, str] = {}
        self._attached = {d.name: self._attach(d.name) for d in settings.device}
        self._held: dict[str, _Held] = {}
        self._units = {
            f"{name}.{channel.name}": unit_of(channel.quantity)
            for name, one in self._attached.items()
            for channel in one.device.channels
        }
        self._inputs = {rule.name: sorted(inputs_of(rule.when)) for rule in settings.rule}
        self._control = self._make_control()
        self._check()

    def _attach(self, name: str) -> Attached:
        values = next(d for d in self._settings.device if d.name == name)
        device = make_device(values, BusNotThere())
        one = Attached(name, device, values.interval, make_filters(values))
        if isinstance(device, Actuator) and values.output is not None:
            one.start = level(values, device, "start", values.output.start)
        return one

    def _make_control(self) -> Control:
        settings, store = self._settings, Store(Path(":memory:"))
        rules = RuleWork(settings, self._attached, store, {}, 1)
        control = Control(
            make_appliances(settings, self._attached, self._act),
            store=store,
            record=self._recorded,
            nonce=lambda: NONCE,
            clock=self.clock,
            heartbeat=lambda: None,
            alarms=Alarms({a.name: AlarmRule(a.repeat, a.latch) for a in settings.alarm}),
            budgets={budget.name: budget.limit for budget in settings.load_budget},
            make_rules=rules.make,
        )
        rules.connect(control, self.clock, self._noticed)
        return control

    def _check(self) -> None:
        """ScenarioError names what the configuration does not have."""
        known = set(self._units) | {name for names in self._inputs.values() for name in names}
        devices = {name.rpartition(".")[0] for name in known} | set(self._attached)
        outputs = {n for n, one in self._attached.items() if isinstance(one.device, Actuator)}
        for moment in self._scenario.moments:
            if moment.recorded:
                continue
            read = {f"{n}.{r.channel}": r for n, found in moment.readings.items() for r in found}
            _refuse(moment, read, known, "channel")
            for name, one in read.items():
                if isinstance(one.value, str | bool) and self._units.get(name):
                    where = f"line {moment.line}: {name}"
                    raise ScenarioError(
                        f"{where}: {one.value!r} is no number of {self._units[name]}"
                    )
            _refuse(moment, moment.online, devices, "device")
            _refuse(moment, moment.wishes, outputs, "output")

    def run(self) -> list[Line]:
        self._begin()
        for moment in self._scenario.moments:
            self._until(moment.at)
            self._happen(moment)
        self._control.drain()
        return self._lines

    def _begin(self) -> None:
        self._control.resume()
        self._control.link_changed(True)
        for name, one in self._attached.items():
            self._control.device_changed(name, True)
            if isinstance(one.device, Actuator):
                value = one.start if one.start is not None else False
                self._states[name] = value
                act = Act(name, value, "start")
                self._control.acted(Acted(act, self.clock.stamp(), value))
        self._control.drain()

    def _until(self, end: float) -> None:
        while True:
            wait = self._control.drain()
            looks = [held.due for held in self._held.values() if held.online]
            following = min([end, max(self.clock.now + STEP, self.clock.now + wait), *looks])
            self.clock.now = max(self.clock.now, following)
            for name, held in self._held.items():
                if held.online and held.due <= self.clock.now:
                    held.due += held.interval
                    self._look(name, held)
            if self.clock.now >= end:
                return

    def _happen(self, moment: Moment) -> None:
        if moment.clock is not None:
            self.clock.synchronised = moment.clock
        if moment.link is not None:
            self._control.link_changed(moment.link)
        for name, online in moment.online.items():
            self._gone_or_back(name, online)
        for name, readings in moment.readings.items():
            if moment.recorded and name not in self._attached:
                continue
            held = self._held.setdefault(name, _Held(self._interval(name), self.clock.now))
            held.readings.update({reading.channel: reading for reading in readings})
            held.due = self.clock.now + held.interval
            self._look(name, held)
        for name, value in moment.wishes.items():
            self._wish(name, value, moment.line)
        self._control.drain()

    def _interval(self, name: str) -> float:
        if not self._hold:
            return float("inf")
        one = self._attached.get(name)
        if one is None or (isinstance(one.device, Stream) and not one.interval):
            return REMOTE_INTERVAL
        return one.interval

    def _look(self, name: str, held: _Held) -> None:
        one, readings = self._attached.get(name), tuple(held.readings.values())
        if one is None:
            self._control.for_rules(Looked(name, readings, self.clock.now))
        else:
            one.worth(readings, self.clock.now)
        self._control.drain()

    def _gone_or_back(self, name: str, online: bool) -> None:
        if name in self._held:
            self._held[name].online = online
            self._held[name].due = self.clock.now
        if name not in self._attached:
            return
        self._control.device_changed(name, online)
        if online and name in self._states:
            act = Act(name, self._states[name], "observed")
            self._control.acted(Acted(act, self.clock.stamp(), act.value))

    def _wish(self, name: str, value: Value, line: int) -> None:
        command = Command(f"line-{line}-{name}", name, value, self.clock.stamp(), nonce=NONCE)
        self._wishes[command.id] = PERSON
        self._control.receive(command, lambda: None)

    def _act(self, act: Act) -> None:
        """The worker's part: at once, and it works."""
        state = False if self._is_pulse(act.device) else act.value
        self._control.acted(Acted(act, self.clock.stamp(), state))

    def _is_pulse(self, name: str) -> bool:
        device = self._attached[name].device
        return isinstance(device, Actuator) and device.action is Action.PULSE

    def _recorded(self, recorded: Recorded) -> None:
        match recorded:
            case Result():
                self._answered(recorded)
            case State(device, _, value, cause):
                self._switched(device, value, cause, "")
            case Alarm(name, _, state, text):
                self._add("alarm", name, state.value, "", text)

    def _answered(self, result: Result) -> None:
        by = self._wishes.get(result.id, result.source)
        if result.outcome is Outcome.DONE and self._is_pulse(result.device):
            self._add("output", result.device, "pulse", by, self._seen(by))
        elif result.outcome is Outcome.DONE and result.state is not None:
            self._switched(result.device, result.state, by, self._seen(by))
        elif result.outcome is not Outcome.DONE:
            self._add("refused", result.device, result.outcome.value, by, result.reason)

    def _switched(self, device: str, value: Value, by: str, why: str) -> None:
        if self._states.get(device) != value:
            self._states[device] = value
            self._add("output", device, value, by, why)

    def _seen(self, by: str) -> str:
        """What the rule knew, in words."""
        seen = []
        for name in self._inputs.get(by.removeprefix("rule "), []):
            device, _, channel = name.rpartition(".")
            held = self._held.get(device)
            if held is not None and channel in held.readings:
                offline = "" if held.online else " (offline)"
                told = _told(held.readings[channel], self._units.get(name, ""))
                seen.append(f"{name} {told}{offline}")
        return ", ".join(seen)

    def _noticed(self, publication: Publication) -> None:
        topic = publication.topic.rpartition("/")[2]
        self._add("event", topic, publication.payload.decode(), "", "")

    def _add(self, kind: str, what: str, to: Value, by: str, why: str) -> None:
        self._lines.append(Line(self.clock.stamp().wall, kind, what, to, by, why))


def _refuse(moment: Moment, names: Iterable[str], known: set[str], what: str) -> None:
    for name in names:
        if name not in known:
            hint = nearest(name, known) or f"there are: {', '.join(sorted(known)[:8])}"
            raise ScenarioError(f"line {moment.line}: there is no {what} {name}; {hint}")


def _told(reading: Reading, unit: str) -> str:
    if reading.value is None:
        return reading.quality.value
    value = f"{reading.value:g}" if isinstance(reading.value, float) else f"{reading.value}"
    return f"{value} {unit}".rstrip()
