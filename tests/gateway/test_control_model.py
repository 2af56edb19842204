"""Control against a model of the world: random commands, crashes, reboots, lost links, clocks.

The world has real levels, a worker that is late, fails, or does half, and an eye that sees all:
no output ever breaks an interlock, a limit or a budget, nothing runs twice, nothing runs late.
Cases 38, 39, 41, 42 and 43.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.appliance import Appliance
from gateway.attached import is_late
from gateway.control import Control
from gateway.limits import Limits
from gateway.model import Act, Acted, Action, Command, Outcome, Recorded, Result, Value
from gateway.outputs import RETRY
from gateway.state import Store
from tests.gateway.fake_clock import FakeClock

TTL = 30.0
LATE = 300.0  # seconds by which this world's worker is late at most
START = 1_767_225_600.0  # wall seconds when the world begins
LIMITS = {
    # Two of a group, with a dead time and every other limit.
    "up": Limits(interlock="g", dead_time=3.0, min_off=5.0, command_ttl=TTL),
    "down": Limits(interlock="g", dead_time=3.0, min_on=4.0, max_on=60.0, command_ttl=TTL),
    "oven": Limits(budget="b", load=2500, max_switches_per_hour=3, command_ttl=TTL),
    "kettle": Limits(budget="b", load=1200, link_loss=False, link_loss_after=20, command_ttl=TTL),
    "heater": Limits(budget="b", load=1500, max_on=100.0, offline=False, command_ttl=TTL),
    "door": Limits(fresh_only=True, command_ttl=10.0),
}
PULSES = ("door",)
BUDGET = 4000.0
NAMES = st.sampled_from(sorted(LIMITS))
OURS = ("start", "lock", "crash")
"""What brings an output somewhere whatever its times are."""


def switch(value: Value) -> Value:
    if isinstance(value, bool):
        return value
    raise ValueError("on or off")


@dataclass(slots=True)
class Line:
    """An output in the world. changed: when its level last did. ours: that was by no command."""

    level: bool = False
    changed: float = float("-inf")
    ours: bool = True
    ups: list[float] = field(default_factory=list)
    queue: list[Act] = field(default_factory=list)
    seen: bool = False
    failed: float = float("-inf")


class World(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.clock.offset = START - self.clock.now
        self.time = 0.0  # of the world: goes on through reboots
        self.store = Store(Path(":memory:"))
        self.lines = {name: Line() for name in LIMITS}
        self.nonce = "n0"
        self.number = 0
        self.given: list[Command] = []
        self.waiting: Counter[str] = Counter()
        self.executed: Counter[str] = Counter()
        self.runs: dict[str, set[int]] = {}
        self.run = 0
        self.decided: dict[int, tuple[float, float, bool]] = {}
        self.records: list[Recorded] = []
        self.linked = False
        self.turned = 0

    @initialize()
    def begin(self) -> None:
        self._start()
        self.look_everywhere()
        self.link(True)

    def _start(self) -> None:
        self.run += 1
        self.waiting.clear()
        self.linked = False
        self.control = Control(
            {
                name: Appliance(
                    Action.PULSE if name in PULSES else Action.SET, switch, own, self._order(name)
                )
                for name, own in LIMITS.items()
            },
            store=self.store,
            record=self.records.append,
            nonce=lambda: self.nonce,
            clock=self.clock,
            heartbeat=lambda: None,
            allowed=("lock", "unlock"),
            budgets={"b": BUDGET},
        )
        for line in self.lines.values():
            line.queue.clear()
            line.seen = False
        self.control.resume()
        self.control.drain()

    def _order(self, name: str) -> Callable[[Act], None]:
        def order(act: Act) -> None:
            self.lines[name].queue.append(act)
            stamp = self.clock.stamp()
            self.decided[id(act)] = (stamp.wall, stamp.boot, stamp.synchronised)

        return order

    # What people and the broker do.

    @rule(device=NAMES, value=st.sampled_from([True, True, False]))
    def ask(self, device: str, value: bool) -> None:
        self.odd(device, value, None, "fresh", False)

    @rule(devices=st.permutations(sorted(LIMITS)))
    def ask_all_at_once(self, devices: list[str]) -> None:
        for device in devices:
            self.odd(device, True, None, "fresh", False)

    @rule(
        device=NAMES,
        value=st.booleans() | st.just("nonsense"),
        life=st.none() | st.floats(-20, 60),
        nonce=st.sampled_from(["", "fresh", "stale"]),
        uncertain=st.booleans(),
    )
    def odd(
        self, device: str, value: Value, life: float | None, nonce: str, uncertain: bool
    ) -> None:
        self.number += 1
        self._give(
            Command(
                id=f"c{self.number}",
                device=device,
                value=value,
                received=self.clock.stamp(),
                expires=None if life is None else self.clock.stamp().wall + life,
                nonce={"": None, "fresh": self.nonce, "stale": "old"}[nonce],
                uncertain=uncertain,
            )
        )

    def _give(self, command: Command) -> None:
        self.given.append(command)
        self.waiting[command.id] += 1
        self.control.receive(command, lambda: self.waiting.subtract([command.id]))
        self.control.drain()

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        self.give_again(data.draw(st.sampled_from(self.given[-6:])))

    def give_again(self, command: Command) -> None:
        fields = {name: getattr(command, name) for name in Command.__slots__}
        self._give(Command(**(fields | {"received": self.clock.stamp()})))

    def lock(self, on: bool) -> None:
        self.number += 1
        order = "lock" if on else "unlock"
        self._give(Command(f"o{self.number}", "", order, self.clock.stamp(), nonce=self.nonce))

    # What the worker does.

    @rule()
    def work_off_everything(self) -> None:
        for name, line in self.lines.items():
            while line.queue:
                self.work(name, "well")

    @rule(device=NAMES, how=st.sampled_from(["well", "fails", "half", "dies"]))
    def work(self, device: str, how: str) -> None:
        line = self.lines[device]
        if not line.queue:
            return
        act = line.queue.pop(0)
        if is_late(act, self.clock.monotonic()):
            self.control.acted(Acted(act, self.clock.stamp(), None, "late", expired=True))
        elif how == "fails":
            line.failed = self.time
            self.control.acted(Acted(act, self.clock.stamp(), None, "no answer"))
        else:
            self._claim(device, line)
            self._execute(device, line, act)
            if how == "dies":
                self.crash(helped=False)
                return
            state = None if how == "half" else line.level
            if how == "half":
                line.failed = self.time
            error = "half" if how == "half" else ""
            self.control.acted(Acted(act, self.clock.stamp(), state, error))
        if line.failed == self.time and line.seen:
            self.look(device)  # as the worker does after a failure
        self.control.drain()

    def _execute(self, device: str, line: Line, act: Act) -> None:
        assert isinstance(act.value, bool)
        if act.command is not None:
            self._check_command(act, act.command)
        ours = act.cause in OURS and act.command is None
        if device in PULSES:
            return
        self._set(device, line, act.value, ours)

    def _check_command(self, act: Act, command: Command) -> None:
        """Nothing runs twice but what is asserted again after a crash; nothing runs late."""
        key = f"{command.device} {command.id}"
        self.executed[key] += 1
        runs = self.runs.setdefault(key, set())
        assert self.run not in runs, f"{key} ran twice in a run"
        runs.add(self.run)
        if command.device in PULSES:
            assert self.executed[key] == 1, f"{key} was repeated"
        wall, boot, synchronised = self.decided[id(act)]
        since = self.clock.monotonic() - boot
        if command.expires is not None and synchronised:
            assert wall + since <= command.expires + 0.001
        assert since <= LIMITS[command.device].command_ttl + 0.001

    def _set(self, device: str, line: Line, level: bool, ours: bool) -> None:
        if level == line.level:
            return
        own, since = LIMITS[device], self.time - line.changed
        if not ours:
            least = own.min_off if level else own.min_on
            assert line.ours or since >= least - 0.001, f"{device} turned after {since:.1f} s"
        if level:
            self._check_turning_on(device, own)
            # A crash hides when that arrived which was told: then it counts from the telling.
            line.ups = [up for up in line.ups if self.time - up < 3600 - LATE] + [self.time]
            most = own.max_switches_per_hour
            assert not most or len(line.ups) <= most
        line.level, line.changed, line.ours = level, self.time, ours
        self.turned += 1

    def _check_turning_on(self, device: str, own: Limits) -> None:
        for name, other in self.lines.items():
            if own.interlock and name != device and LIMITS[name].interlock == own.interlock:
                assert not other.level, f"{device} goes on while {name} is on"
                assert self.time - other.changed >= own.dead_time - 0.001, "dead time"
        taken = sum(LIMITS[n].load for n, line in self.lines.items() if line.level)
        assert taken + own.load <= BUDGET, "load budget"

    @rule()
    def look_everywhere(self) -> None:
        for name in self.lines:
            self.look(name)

    def look(self, device: str) -> None:
        """The worker's look: after a start it claims; else it sees what is."""
        line = self.lines[device]
        cause = "observed" if line.seen else "start"
        self._claim(device, line)
        if line.queue:
            return  # an act goes before a look
        act = Act(device, line.level, cause)
        self.control.acted(Acted(act, self.clock.stamp(), line.level))
        self.control.drain()

    @rule(
        what=st.sampled_from(["offline", "lock", "unlock", "link", "clock", "crash", "reboot"]),
        device=NAMES,
        by=st.floats(-4000, 4000) | st.floats(-30, 30),
        sure=st.booleans(),
    )
    def trouble(self, what: str, device: str, by: float, sure: bool) -> None:
        match what:
            case "offline":
                self.go_offline(device)
            case "lock" | "unlock":
                self.lock(what == "lock")
            case "link":
                self.link(sure)
            case "clock":
                self.turn_the_clock(by, sure)
            case "crash":
                self.crash(sure)
            case "reboot":
                self.reboot(abs(by))

    def _claim(self, device: str, line: Line) -> None:
        """Before the first act or look: to its start state."""
        if not line.seen:
            self._set(device, line, False, ours=True)
            line.seen = True

    def go_offline(self, device: str) -> None:
        self.control.device_changed(device, False)
        self.control.drain()

    # What happens to the machine.

    @rule(seconds=st.sampled_from([0.5, 1, 2.9, 3.1, 5, 10, 31, 61, 101, 700]))
    def wait(self, seconds: float) -> None:
        if seconds > 60:
            self.work_off_everything()  # a worker is late, but not by quarters of an hour
        self.clock.advance(seconds)
        self.time += seconds
        self.control.drain()

    def link(self, up: bool) -> None:
        if up and not self.linked:
            self.nonce = f"n{self.time}"
        self.linked = up
        self.control.link_changed(up)
        self.control.drain()

    def turn_the_clock(self, by: float, synchronised: bool) -> None:
        """A synchronised clock is right; another one is anywhere."""
        self.clock.synchronised = synchronised
        self.clock.offset = START + self.time - self.clock.now + (0.0 if synchronised else by)
        self.control.drain()

    def crash(self, helped: bool) -> None:
        """The process dies; the helper may have put the outputs to their states."""
        if helped:
            for name, line in self.lines.items():
                self._set(name, line, False, ours=True)
        self._start()

    def reboot(self, away: float) -> None:
        """Power goes, and with it every level; the boot clock begins anew."""
        for name, line in self.lines.items():
            self._set(name, line, False, ours=True)
        wrong = self.clock.now + self.clock.offset - (START + self.time)
        self.time += away
        self.clock.now = 10.0
        self.clock.offset = START + self.time - self.clock.now + wrong
        self.clock.boot_id = f"{self.run:08x}"
        self._start()

    # What must be so whenever control has done its turn.

    @invariant()
    def what_is_due_is_on_its_way(self) -> None:
        for name, line in self.lines.items():
            known = self.control._outputs.known[name]
            own = LIMITS[name]
            if not line.level or known.output.value is not True or line.queue:
                continue
            if self.time - line.failed <= RETRY:
                continue
            now = self.clock.monotonic()
            if now - known.output.changed < own.min_on:
                continue  # it may have been off for a moment, and comes first
            age = now - known.output.on_since
            assert not own.max_on or age < own.max_on, f"{name} is on for {age:.0f} s"
            assert self.control._outputs.locked is None

    @invariant()
    def what_is_settled_is_acknowledged(self) -> None:
        under_way = {
            act.command.id for line in self.lines.values() for act in line.queue if act.command
        }
        resumable = {command.id for command in self.control._commands._resumable}
        for command_id, count in self.waiting.items():
            assert count <= 0 or command_id in under_way | resumable, command_id

    @invariant()
    def answers_have_reasons(self) -> None:
        for record in self.records:
            if isinstance(record, Result) and record.outcome is not Outcome.DONE:
                assert record.reason
        self.records.clear()

    def teardown(self) -> None:
        self.store.close()


World.TestCase.settings = settings(max_examples=30, stateful_step_count=50, deadline=None)
TestWorld = World.TestCase

WEIGHTS = {
    "ask": 8, "odd": 1, "again": 1, "work": 6, "well": 4, "wait": 6, "look": 2, "trouble": 1,
}  # fmt: skip
TROUBLES = ["offline", "lock", "unlock", "unlock", "link", "link", "clock", "crash", "reboot"]
WAITS = [0.3, 1, 2.5, 3.1, 4.5, 6, 15, 45, 110, 900]
RUNS = int(os.environ.get("TIDEGATE_MODEL_RUNS", "12"))


def step(world: World, chance: random.Random) -> None:
    """One thing happens, the usual more often than trouble."""
    device = chance.choice(sorted(LIMITS))
    if world.control._outputs.locked is not None and chance.random() < 0.3:
        world.lock(False)
    match chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]:
        case "ask":
            world.ask(device, chance.random() < 0.6)
        case "odd":
            life = chance.choice([None, -1.0, 2.0, 40.0])
            nonce = chance.choice(["", "fresh", "stale"])
            world.odd(device, chance.choice([True, False, "x"]), life, nonce, chance.random() < 0.2)
        case "again" if world.given:
            world.give_again(chance.choice(world.given[-6:]))
        case "work":
            world.work(device, chance.choices(["well", "fails", "half", "dies"], [10, 2, 2, 1])[0])
        case "well":
            world.work_off_everything()
        case "wait":
            world.wait(chance.choice(WAITS))
        case "look":
            world.look_everywhere()
        case "trouble":
            by = chance.choice([-4000.0, -30.0, -5.0, 5.0, 30.0, 4000.0])
            world.trouble(chance.choice(TROUBLES), device, by, chance.random() < 0.7)


def check(world: World) -> None:
    world.what_is_due_is_on_its_way()
    world.what_is_settled_is_acknowledged()
    world.answers_have_reasons()


@pytest.mark.parametrize("seed", range(RUNS))
def test_long_runs(seed: int) -> None:
    """Deeper than the machine above gets, with what matters as often as it can be."""
    chance, world = random.Random(seed), World()
    world.begin()
    for _ in range(1000):
        step(world, chance)
        check(world)
    world.teardown()
    assert world.turned > 30, "it hardly did anything"
