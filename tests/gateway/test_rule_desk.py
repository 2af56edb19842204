"""Rules in the house: real control with ledger, limits and alarms, under a clock moved by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from gateway.alarms import Alarms
from gateway.appliance import Appliance
from gateway.clock import Clock
from gateway.conditions import At, Changed, Condition, Within
from gateway.conditions_joined import Lasting
from gateway.control import Control
from gateway.control import Raise as RaiseAlarm
from gateway.limits import Limits
from gateway.model import (
    Act,
    Acted,
    Action,
    Alarm,
    Command,
    Outcome,
    Quality,
    Reading,
    Recorded,
    Result,
    Value,
)
from gateway.rule_desk import RuleDesk, Surroundings
from gateway.rules import Rules
from gateway.rules_model import Looked, Order, Phase, Raise, Rule, Say
from gateway.state import Store
from tests.gateway.fake_clock import FakeClock
from tests.gateway.test_rules import Daily

HOT = Within("climate.temperature", low=30.0, hysteresis=2.0, max_age=30.0)


def cooling(name: str = "cool", output: str = "cooler", when: Condition = HOT) -> Rule:
    off = (Order(output, False),)
    phases = {Phase.THEN: (Order(output, True),), Phase.ELSE: off, Phase.STALE: off}
    return Rule(name, when, phases)


class House:
    """limits: of each output. Acts are done at once, unless `slow`."""

    def __init__(self, path: Path, rules: Sequence[Rule], **limits: Limits) -> None:
        self.clock = FakeClock()
        self.records: list[Recorded] = []
        self.acts: list[Act] = []
        self.said: list[tuple[str, bytes]] = []
        self.anchors: dict[str, float] = {}
        self.slow = False
        self.epoch = 6
        self.path, self.limits = path, limits or {"cooler": Limits()}
        self.start(rules)

    def start(self, rules: Sequence[Rule]) -> None:
        """A run of the gateway; outputs are found off."""
        self.rules = Rules(rules)
        self.epoch += 1
        self.store = Store(self.path)
        self.control = Control(
            {n: Appliance(Action.SET, bool, limit, self._act) for n, limit in self.limits.items()},
            store=self.store,
            record=self.records.append,
            nonce=lambda: "n0nce",
            clock=self.clock,
            heartbeat=lambda: None,
            alarms=Alarms(),
            allowed=("lock", "unlock"),
            make_rules=self._desk,
        )
        self.control.resume()
        for name in self.limits:
            self.control.acted(Acted(Act(name, False, "start"), self.clock.stamp(), False))
        self.control.drain()

    def _desk(
        self, clock: Clock, command: Callable[[Command], None], alarm: RaiseAlarm
    ) -> RuleDesk:
        outputs = dict.fromkeys(self.limits, "state")
        around = Surroundings(outputs, self.anchors, self.epoch, lambda *m: self.said.append(m))

        def observed(given: Command) -> None:
            self.given(given)
            command(given)

        return RuleDesk(self.rules, self.store, clock, around, observed, alarm)

    def given(self, command: Command) -> None:
        """A rule gives this command."""

    def restart(self, rules: Sequence[Rule]) -> None:
        self.store.close()
        self.start(rules)

    def _act(self, act: Act) -> None:
        self.acts.append(act)
        if not self.slow:
            self.control.acted(Acted(act, self.clock.stamp(), act.value))

    def look(self, value: Value | None, quality: Quality = Quality.GOOD) -> None:
        readings = (Reading("temperature", value, quality),)
        self.control.for_rules(Looked("climate", readings, self.clock.monotonic()))
        self.control.drain()

    def wait(self, seconds: float, temperature: float | None = None) -> None:
        """temperature: read again every 5 seconds meanwhile."""
        end = self.clock.now + seconds
        following = self.clock.now + 5
        while self.clock.now < end:
            due = self.clock.now + max(0.0, self.control.drain())
            self.clock.now = min(end, following, due + 0.001)
            if self.clock.now >= following:
                following += 5
                if temperature is not None:
                    self.look(temperature)
        self.control.drain()

    def send(self, value: Value, device: str = "cooler", command_id: str = "p1") -> None:
        command = Command(command_id, device, value, self.clock.stamp(), nonce="n0nce")
        self.control.receive(command, lambda: None)
        self.control.drain()

    @property
    def done(self) -> list[tuple[str, Value, str]]:
        return [(act.device, act.value, act.cause) for act in self.acts]

    @property
    def results(self) -> list[tuple[str, str]]:
        return [(r.source, r.outcome.value) for r in self.records if isinstance(r, Result)]

    @property
    def alarms(self) -> list[tuple[str, str]]:
        return [(a.name, a.state.value) for a in self.records if isinstance(a, Alarm)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "state.db", [cooling()])
    yield house
    house.store.close()


def test_thirty_degrees_start_the_cooler_by_the_way_of_all_commands(house: House) -> None:
    house.look(25.0)
    house.wait(10, 25.0)
    house.look(30.0)
    assert house.done == [("cooler", False, "rule-cool-7-1"), ("cooler", True, "rule-cool-7-2")]
    assert house.results == [("rule cool", "done")] * 2
    known = house.store.known("cooler", "rule-cool-7-2", house.clock.stamp())
    assert isinstance(known, Result) and known.outcome is Outcome.DONE


def test_what_a_limit_refuses_comes_when_it_is_allowed(tmp_path: Path) -> None:
    house = House(tmp_path / "state.db", [cooling()], cooler=Limits(min_off=60.0))
    house.wait(10)
    house.look(31.0)
    assert house.results == [("rule cool", "refused")]
    house.wait(49, 31.0)
    assert house.done == []
    house.wait(2, 31.0)
    assert [value for _, value, _ in house.done] == [True]


def test_a_person_in_between_has_the_last_word_until_the_next_change(house: House) -> None:
    house.look(31.0)
    house.send(False)
    house.wait(600, 31.0)
    assert [value for _, value, _ in house.done] == [True, False]
    house.wait(5, 20.0)
    house.wait(5, 31.0)
    assert [value for _, value, _ in house.done] == [True, False, False, True]


def test_a_locked_gateway_refuses_rules_too(house: House) -> None:
    lock = Command("l1", "", "lock", house.clock.stamp(), nonce="n0nce")
    house.control.receive(lock, lambda: None)
    house.look(31.0)
    assert house.results[-1] == ("rule cool", "refused")
    assert True not in [value for _, value, _ in house.done]
    unlock = Command("l2", "", "unlock", house.clock.stamp(), nonce="n0nce")
    house.control.receive(unlock, lambda: None)
    house.wait(11, 31.0)
    assert house.done[-1][1] is True


def test_a_dead_sensor_puts_the_cooler_off(house: House) -> None:
    house.look(31.0)
    for _ in range(20):
        house.wait(5)
        house.look(35.0, Quality.BAD)
    assert [value for _, value, _ in house.done] == [True, False]


def test_a_restart_in_the_heat_goes_on_cooling(house: House) -> None:
    house.restart([cooling(when=Lasting(HOT, 20.0))])
    house.wait(30, 31.0)
    house.acts.clear()
    house.restart([cooling(when=Lasting(HOT, 20.0))])
    house.look(29.0)
    assert [value for _, value, _ in house.done] == [True]


def test_alarms_of_a_rule_that_is_gone_are_cleared(tmp_path: Path) -> None:
    hot = Rule("warn", HOT, {Phase.THEN: (Raise("hot", "too hot"),)})
    house = House(tmp_path / "state.db", [hot])
    house.look(31.0)
    house.restart([hot])
    house.look(31.0)
    assert house.alarms == [("hot", "raised")]
    house.restart([])
    house.restart([])
    assert house.alarms == [("hot", "raised"), ("hot", "cleared")]


def test_a_message_tells_what_the_rule_saw(tmp_path: Path) -> None:
    plain = Say("bell", "ding")
    rule = Rule("r", HOT, {Phase.THEN: (Say("hot"), plain)})
    house = House(tmp_path / "state.db", [rule])
    house.look(31.0)
    (topic, payload), second = house.said
    fields = json.loads(payload)
    assert (topic, fields["rule"], fields["phase"]) == ("hot", "r", "then")
    assert fields["values"] == {"climate.temperature": 31.0}
    assert second == ("bell", b"ding")


def test_an_output_is_a_reading_while_it_is_there(tmp_path: Path) -> None:
    """It is not read again and again, so it does not age."""
    runs = Lasting(Within("cooler.state", low=1.0, max_age=float("inf")), 600.0)
    house = House(tmp_path / "state.db", [Rule("r", runs, {Phase.THEN: (Raise("long", "!"),)})])
    house.send(True)
    house.wait(500)
    house.control.device_changed("cooler", False)
    house.wait(200)
    assert house.alarms == []
    house.control.device_changed("cooler", True)
    house.control.acted(Acted(Act("cooler", True, "observed"), house.clock.stamp(), True))
    house.wait(601)
    assert house.alarms == [("long", "raised")]


def test_two_rules_that_feed_each_other_stay_harmless(tmp_path: Path) -> None:
    on = Rule("on", Within("cooler.state", high=0.0, max_age=float("inf")), {})
    on = Rule("on", on.when, {Phase.THEN: (Order("cooler", True),)})
    off = Rule("off", Changed("cooler.state", max_age=float("inf")), {}, momentary=True)
    off = Rule("off", off.when, {Phase.THEN: (Order("cooler", False),)}, momentary=True)
    house = House(tmp_path / "state.db", [on, off])
    house.wait(60)
    assert len(house.acts) <= 2 * 61


def test_schedules_believe_a_clock_that_was_right_once_since_the_boot(tmp_path: Path) -> None:
    rule = Rule("r", At(Daily()), {Phase.THEN: (Order("cooler", True),)}, momentary=True)
    house = House(tmp_path / "state.db", [rule])
    house.clock.synchronised = False
    house.wait(500)
    assert house.done == []
    house.anchors[house.clock.boot_id] = house.clock.offset
    house.wait(1)
    house.wait(100)
    assert len(house.done) == 1


def test_a_ledger_that_fails_stops_rules_as_it_stops_all(house: House) -> None:
    house.store.close()
    house.look(31.0)
    assert house.done == []
    assert ("rule cool", "refused") in house.results
