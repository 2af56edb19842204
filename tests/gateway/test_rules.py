"""Rules, as pure functions: what an event makes of what is known."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.conditions import (
    CLOCK_GRACE,
    LINK,
    At,
    Changed,
    Condition,
    During,
    Equals,
    LinkDown,
    Offline,
    Within,
)
from gateway.conditions_joined import Either, Every, Lasting, Unless
from gateway.model import Outcome, Quality, Reading, Value
from gateway.rules import FIRST_RETRY, REST, Rules
from gateway.rules_model import (
    Action,
    Answered,
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
    Tick,
)

ON, OFF, SAFE = Order("cooler", True), Order("cooler", False), Order("cooler", "safe")
HOT = Within("climate.temperature", low=30.0, hysteresis=2.0, max_age=30.0)
ACTIONS: Mapping[Phase, tuple[Action, ...]] = {
    Phase.THEN: (ON,),
    Phase.ELSE: (OFF,),
    Phase.STALE: (SAFE,),
}


class House:
    """One rule and its course. A wall clock of None is one that cannot be believed."""

    def __init__(
        self,
        when: Condition,
        actions: Mapping[Phase, tuple[Action, ...]] = ACTIONS,
        *,
        momentary: bool = False,
        wall: float | None = 1000.0,
    ) -> None:
        self.rules = Rules([Rule("r", when, actions, momentary)])
        self.now = 0.0
        self.wall = wall
        self.next = 0.0
        self.state = self.rules.begin(0.0, {})
        self.tell(Tick())

    def tell(self, event: Event) -> list[object]:
        """What is to be done: values of commands, else effects."""
        step = self.rules.step(self.state, event, self.now, self.wall)
        self.state, self.next = step.state, step.next
        return [_brief(effect) for effect in step.effects]

    def wait(self, seconds: float) -> list[object]:
        """Time goes by as control lets it: a tick whenever one is due."""
        end, done = self.now + seconds, []
        for _ in range(100):
            if self.next > end:
                break
            self._at(max(self.now, self.next))
            done += self.tell(Tick())
        else:
            pytest.fail("it ticks without end")
        self._at(end)
        return done

    def _at(self, now: float) -> None:
        if self.wall is not None:
            self.wall += now - self.now
        self.now = now

    def look(
        self,
        value: Value | None,
        quality: Quality = Quality.GOOD,
        name: str = "climate.temperature",
    ) -> list[object]:
        device, channel = name.split(".")
        return self.tell(Looked(device, (Reading(channel, value, quality),), self.now))

    def restarted(self, when: Condition | None = None) -> House:
        """The next run, with what this one noted."""
        notes = {"r": self.rules.note("r", self.state.standing["r"])}
        rule = self.rules.by_name["r"]
        again = House(when or rule.when, rule.actions, momentary=rule.momentary)
        again.state = again.rules.begin(0.0, notes)
        again.tell(Tick())
        return again


def _brief(effect: Effect) -> object:
    match effect.action:
        case Order(_, value):
            return value
        case Raise(alarm, _):
            return (alarm, effect.raised)
        case Say(topic, _):
            return topic


def test_the_house_reaches_thirty_degrees_and_the_cooler_starts() -> None:
    house = House(HOT)
    assert house.look(29.9) == [False]
    house.wait(10)
    assert house.look(30.0) == [True]
    house.wait(10)
    assert [house.look(v) for v in (31.0, 29.0, 28.0)] == [[], [], []]
    assert house.look(27.9) == [False]
    house.wait(10)
    assert house.look(29.9) == []


def test_a_condition_has_to_last() -> None:
    house = House(Lasting(HOT, 60.0))
    assert house.look(31.0) == [False]
    for _ in range(5):
        assert house.wait(10) == []
        assert house.look(31.0) == []
    assert house.wait(9.9) == []
    assert house.wait(0.2) == [True]


def test_an_interruption_begins_the_time_anew() -> None:
    house = House(Lasting(HOT, 20.0))
    house.look(31.0)
    house.wait(15)
    house.look(27.0)
    house.wait(1)
    house.look(31.0)
    assert house.wait(19.9) == []
    assert house.wait(0.2) == [True]


@pytest.mark.parametrize("quality", [Quality.BAD, Quality.UNCERTAIN])
def test_a_bad_reading_drives_nothing_and_breaks_what_has_not_lasted(quality: Quality) -> None:
    house = House(Lasting(HOT, 20.0))
    house.look(31.0)
    house.wait(15)
    assert house.look(31.0, quality) == []
    assert house.wait(10) == [], "the time is over, but not with good readings"
    assert house.look(31.0) == []
    assert house.wait(20) == [True]
    assert house.look(20.0, quality) == [], "what has lasted is not ended by it"
    house.wait(5)
    assert house.look(31.0) == []


def test_without_a_good_reading_the_rule_is_stale_and_wakes_by_itself() -> None:
    house = House(HOT)
    house.look(31.0)
    for _ in range(5):
        house.wait(5)
        assert house.look(None, Quality.BAD) == []
    assert house.wait(4.9) == []
    assert house.wait(0.2) == ["safe"]
    assert house.wait(1000) == []
    assert house.look(31.0) == [True], "it speaks again when it can tell again"


def test_a_sensor_that_never_answers_is_stale_from_the_start() -> None:
    house = House(HOT)
    assert house.wait(29.9) == []
    assert house.wait(0.2) == ["safe"]


def test_an_offline_device_is_not_believed_at_once() -> None:
    house = House(Lasting(HOT, 10.0))
    house.look(31.0)
    house.tell(DeviceIs("climate", False))
    assert house.wait(29.9) == []
    assert house.wait(0.2) == ["safe"]
    house.tell(DeviceIs("climate", True))
    assert house.wait(100) == []


def test_older_readings_come_too_late() -> None:
    house = House(HOT)
    house.wait(20)
    house.look(20.0)
    late = Looked("climate", (Reading("temperature", 40.0),), 10.0)
    assert house.tell(late) == []


def test_a_refused_command_is_given_again_when_it_would_be_allowed() -> None:
    house = House(HOT)
    house.look(31.0)
    house.tell(Answered(1, Outcome.REFUSED, 40.0))
    for _ in range(4):
        house.wait(10)
        house.look(31.0)
    assert house.wait(1) == [True]
    house.tell(Answered(2, Outcome.FAILED))
    house.look(31.0)
    assert house.wait(2 * FIRST_RETRY - 1) == []
    assert house.wait(2) == [True]
    house.tell(Answered(3, Outcome.DONE))
    house.look(31.0)
    assert house.wait(20) == []


def test_a_refused_command_is_not_given_again_on_an_old_reading() -> None:
    house = House(HOT)
    house.look(31.0)
    house.tell(Answered(1, Outcome.REFUSED, 5.0))
    house.look(31.0, Quality.BAD)
    assert house.wait(20) == []
    assert house.look(30.5) == [True]


def test_a_refused_command_that_is_overtaken_is_dropped() -> None:
    house = House(HOT)
    house.look(31.0)
    house.tell(Answered(1, Outcome.REFUSED, 5.0))
    house.wait(2)
    assert house.look(20.0) == [False]
    house.tell(Answered(2, Outcome.DONE))
    assert house.wait(20) == []


def test_a_pulse_is_given_for_a_change_that_was_seen_and_never_again() -> None:
    pulse = Order("door", True, repeatable=False)
    house = House(HOT, {Phase.THEN: (pulse,)})
    assert house.look(31.0) == [], "it may have been hot all the time"
    house.wait(2)
    house.look(20.0)
    house.wait(2)
    assert house.look(31.0) == [True]
    house.tell(Answered(1, Outcome.FAILED))
    assert house.wait(20) == []
    assert house.restarted().look(31.0) == []


def test_after_a_restart_it_goes_on_where_it_was() -> None:
    house = House(Lasting(HOT, 60.0))
    house.look(31.0)
    for _ in range(6):
        house.wait(10)
        house.look(29.0)
    again = house.restarted()
    assert again.look(29.0) == [True], "within the hysteresis, and it has lasted before"
    changed = house.restarted(Lasting(HOT, 61.0))
    assert changed.look(29.0) == [False], "another condition begins anew"


def test_alarms_come_and_go_with_the_phase() -> None:
    actions = {Phase.THEN: (Raise("hot", "!"),), Phase.STALE: (Raise("blind", "?"),)}
    house = House(HOT, actions)
    assert house.look(31.0) == [("hot", True), ("blind", False)]
    assert house.wait(31) == [("blind", True)], "whether it is still hot is not known"
    house.wait(2)
    assert house.look(31.0) == [("hot", True), ("blind", False)]
    house.wait(2)
    assert house.look(20.0) == [("hot", False), ("blind", False)]


def test_messages_are_news_only() -> None:
    house = House(HOT, {Phase.THEN: (Say("hot"),)})
    assert house.look(31.0) == ["hot"]
    assert house.restarted().look(31.0) == []


def test_two_changes_of_a_rule_rest_in_between() -> None:
    house = House(Within("climate.temperature", low=30.0))
    assert house.look(31.0) == [True]
    done = [house.look(value) for value in (20.0, 31.0, 20.0) * 10]
    assert done == [[]] * 30
    assert house.wait(REST) == [False]


def test_on_change() -> None:
    house = House(Changed("door.state"), {Phase.THEN: (ON,)}, momentary=True)
    assert house.look(False, name="door.state") == []
    house.wait(5)
    assert house.look(True, name="door.state") == [True]
    house.wait(5)
    assert house.look(True, name="door.state") == []
    assert house.look(True, Quality.BAD, name="door.state") == []
    assert house.look(False, name="door.state") == [True]


def test_a_change_may_hold_for_a_while() -> None:
    house = House(Changed("hall.motion", hold=30.0, max_age=60.0))
    assert house.look(0, name="hall.motion") == [False]
    house.wait(10)
    assert house.look(1, name="hall.motion") == [True]
    house.wait(20)
    assert house.look(0, name="hall.motion") == []
    assert house.wait(29) == []
    assert house.wait(2) == [False]


def test_a_number_has_to_move_far_enough() -> None:
    house = House(Changed("tank.level", by=5.0), {Phase.THEN: (ON,)}, momentary=True)
    told = []
    for value in (50.0, 53.0, 56.0, 52.0, 51.0, "?", 51.0):
        house.wait(5)
        told.append(house.look(value, name="tank.level"))
    assert told == [[], [], [True], [], [True], [True], [True]]


class Daily:
    """Every 100 seconds of the wall clock."""

    def following(self, after: float) -> float:
        return (after // 100 + 1) * 100.0


class Morning:
    """Open in the first half of every 100 seconds."""

    def at(self, wall: float) -> tuple[bool, float]:
        return wall % 100 < 50, (wall // 50 + 1) * 50.0


def test_at_a_moment() -> None:
    house = House(At(Daily()), {Phase.THEN: (ON,)}, momentary=True, wall=1010.0)
    assert house.wait(89.9) == []
    assert house.wait(0.2) == [True]
    assert house.wait(200) == [True, True]


def test_a_clock_that_was_set_neither_makes_up_nor_repeats_at_once() -> None:
    house = House(At(Daily()), {Phase.THEN: (ON,)}, momentary=True, wall=1010.0)
    house.wait(10)
    house.wall = 5050.0
    assert house.tell(Tick(everything=True)) == []
    assert house.wait(50) == [True]
    house.wall = 1090.0
    assert house.tell(Tick(everything=True)) == []
    assert house.wait(20) == [True]


def test_moments_wait_for_a_clock_that_can_be_believed() -> None:
    house = House(At(Daily()), {Phase.THEN: (ON,)}, momentary=True, wall=None)
    assert house.wait(1000) == []
    house.wall = 7090.0
    assert house.tell(Tick(everything=True)) == []
    assert house.wait(10) == [True]


def test_a_window_without_a_clock_is_stale_after_a_while() -> None:
    house = House(During(Morning()), wall=None)
    assert house.wait(CLOCK_GRACE - 1) == []
    assert house.wait(5) == ["safe"]
    house.wall = 7010.0
    assert house.tell(Tick(everything=True)) == [True]
    assert house.wait(40) == [False]
    assert house.wait(50) == [True]


def test_a_moment_with_a_condition_that_cannot_be_told_is_stale() -> None:
    dry = Within("soil.moisture", high=30.0, max_age=60.0)
    house = House(Every((At(Daily()), dry)), momentary=True, wall=1010.0)
    house.wait(80)
    house.look(20.0, name="soil.moisture")
    assert house.wait(20) == [True]
    house.wait(50)
    house.look(40.0, name="soil.moisture")
    assert house.wait(50) == []
    assert house.wait(100) == ["safe"]


def test_offline_and_link() -> None:
    house = House(Offline("climate"))
    assert house.tell(DeviceIs("climate", True)) == [False]
    house.wait(5)
    assert house.tell(DeviceIs("climate", False)) == [True]
    house = House(Lasting(LinkDown(), 60.0))
    house.wait(10)
    house.tell(LinkIs(True))
    assert house.wait(100) == []
    house.tell(LinkIs(False))
    assert house.wait(61) == [True]


A, B = Equals("a.x", 1, 30.0), Equals("b.x", 1, 30.0)
KLEENE = [(True, 1), (False, 0), (None, None)]


@pytest.mark.parametrize(("a", "a_value"), KLEENE)
@pytest.mark.parametrize(("b", "b_value"), KLEENE)
def test_three_valued_logic(
    a: bool | None, a_value: int | None, b: bool | None, b_value: int | None
) -> None:
    both = False if False in (a, b) else None if None in (a, b) else True
    one = True if True in (a, b) else None if None in (a, b) else False
    not_a = None if a is None else not a
    for condition, expected in ((Every((A, B)), both), (Either((A, B)), one), (Unless(A), not_a)):
        house = House(condition)
        for name, value in (("a.x", a_value), ("b.x", b_value)):
            if value is not None:
                house.look(value, name=name)
        house.wait(REST)
        phase = house.state.standing["r"].phase
        assert phase is {True: Phase.THEN, False: Phase.ELSE, None: None}[expected]


def test_what_a_rule_asks_for_is_known() -> None:
    rules = Rules([Rule("r", Every((HOT, Unless(LinkDown()), Offline("x"))), ACTIONS)])
    assert rules.inputs == {"climate.temperature", LINK, "x"}
