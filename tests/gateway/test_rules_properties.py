"""Whatever sensor, clock, broker and people do: rules act on good news alone, and break no limit.

Two rules that want the opposite, on two outputs of one interlock, in real control with real limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.conditions import Within
from gateway.conditions_joined import Lasting
from gateway.limits import Limits
from gateway.model import Act, Acted, Command, Quality, Value
from gateway.rules_model import Rule
from tests.gateway.test_rule_desk import House, cooling

MAX_AGE, LASTS = 30.0, 10.0
MIN_ON, MIN_OFF, MAX_ON, DEAD_TIME, SWITCHES = 20.0, 30.0, 300.0, 5.0, 12
HOT = Within("climate.temperature", low=30.0, hysteresis=2.0, max_age=MAX_AGE)
COLD = Within("climate.temperature", high=18.0, hysteresis=1.0, max_age=MAX_AGE)
RULES = [cooling("cool", "cooler", Lasting(HOT, LASTS)), cooling("heat", "heater", COLD)]
LIMITS = Limits(
    min_on=MIN_ON,
    min_off=MIN_OFF,
    max_on=MAX_ON,
    max_switches_per_hour=SWITCHES,
    interlock="air",
    dead_time=DEAD_TIME,
    link_loss=False,
    link_loss_after=100.0,
)
EPSILON = 0.01  # seconds, by which the test's clock steps past what is due

VALUES = st.sampled_from([10.0, 17.9, 18.5, 24.0, 27.9, 29.0, 30.0, 35.0, None])
QUALITIES = st.sampled_from([Quality.GOOD] * 6 + [Quality.BAD, Quality.UNCERTAIN])
STEPS = st.one_of(
    st.tuples(st.just("look"), VALUES, QUALITIES),
    st.tuples(st.just("steady"), VALUES, st.sampled_from([5, 15, 40, 200])),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 3, 11, 29, 31, 120, 4000])),
    st.tuples(st.just("device"), st.sampled_from(["climate", "cooler"]), st.booleans()),
    st.tuples(st.just("link"), st.booleans()),
    st.tuples(st.just("clock"), st.sampled_from([-7200.0, -30.0, 90.0, 3600.0]), st.booleans()),
    st.tuples(st.just("person"), st.sampled_from(["cooler", "heater"]), st.booleans()),
    st.tuples(st.just("works"), st.booleans()),
    st.tuples(st.just("restart")),
)


@dataclass
class Physical:
    """What an output really did: when it went on and off."""

    switches: list[tuple[float, bool]] = field(default_factory=list)

    @property
    def on(self) -> bool:
        return bool(self.switches) and self.switches[-1][1]

    @property
    def since(self) -> float:
        return self.switches[-1][0] if self.switches else -1e9

    def set(self, now: float, on: bool) -> None:
        if on != self.on:
            self.switches.append((now, on))


class Checked(House):
    """A house that judges everything that is done in it."""

    def __init__(self) -> None:
        self.physical = {"cooler": Physical(), "heater": Physical()}
        self.works = True
        self.gone: set[str] = set()
        self.troubled = -1e9
        self.read_at, self.value, self.good = -1e9, 0.0, False
        self.good_at = 1000.0
        self.cooling, self.cooled_until = False, -1e9
        self.folder = TemporaryDirectory()
        super().__init__(Path(self.folder.name) / "s.db", RULES, cooler=LIMITS, heater=LIMITS)

    def start(self, rules: Sequence[Rule]) -> None:
        """The worker puts the outputs into their start states, and they work again."""
        self.works, self.gone, self.good = True, set(), False
        self.good_at = self.clock.now
        self.cooling, self.cooled_until = False, -1e9
        for output in self.physical.values():
            output.set(self.clock.now, False)
        super().start(rules)

    def given(self, command: Command) -> None:
        """Never from a bad, stale or missing reading, and no faster than `for` and hysteresis."""
        now = self.clock.now
        fresh = self.good and now - self.read_at <= MAX_AGE + EPSILON
        stale = now - self.good_at > MAX_AGE
        assert fresh or (stale and command.value is False)
        if command.value is True and command.source == "rule cool":
            assert self.value >= 28.0
            if not self.cooling:
                assert now - self.cooled_until >= LASTS - EPSILON
        elif command.value is True:
            assert self.value <= 19.0
        if command.source == "rule cool":
            if self.cooling and command.value is False:
                self.cooled_until = now
            self.cooling = command.value is True

    def _act(self, act: Act) -> None:
        works = self.works and act.device not in self.gone
        if works:
            self.judge(act)
            self.physical[act.device].set(self.clock.now, bool(act.value))
        error = "" if works else "it is broken"
        state = act.value if works else None
        self.control.acted(Acted(act, self.clock.stamp(), state, error))

    def judge(self, act: Act) -> None:
        """What really happens breaks no limit."""
        now, output = self.clock.now, self.physical[act.device]
        other = self.physical["heater" if act.device == "cooler" else "cooler"]
        if act.value and not output.on:
            assert not other.on, "interlock"
            assert now - other.since >= DEAD_TIME - EPSILON, "dead_time"
            assert now - output.since >= MIN_OFF - EPSILON, "min_off"
            recent = [at for at, on in output.switches if on and now - at < 3600 - EPSILON]
            assert len(recent) < SWITCHES, "max_switches_per_hour"
        elif not act.value and output.on:
            assert now - output.since >= MIN_ON - EPSILON, "min_on"

    def look(self, value: Value | None, quality: Quality = Quality.GOOD) -> None:
        self.control.drain()  # what was due before is judged by what was known before
        if "climate" in self.gone:
            return
        self.good = quality is Quality.GOOD and value is not None
        if self.good and not isinstance(value, str) and value is not None:
            self.read_at = self.good_at = self.clock.now
            self.value = value
        super().look(value, quality)

    def device(self, name: str, online: bool) -> None:
        if online is (name not in self.gone):
            return
        self.control.drain()
        self.gone ^= {name}
        if name == "climate" and not online:
            self.good = False
        self.control.device_changed(name, online)
        if name in self.physical and online:
            found = self.physical[name].on
            self.control.acted(Acted(Act(name, found, "observed"), self.clock.stamp(), found))

    def step(self, step: tuple[object, ...]) -> None:
        match step:
            case ("look", float() | None as value, Quality() as quality):
                self.look(value, quality)
            case ("steady", float() | None as value, int(seconds)):
                self.wait(seconds, value)
            case ("wait", float() | int() as seconds):
                self.wait(seconds)
            case ("device", str(name), bool(online)):
                self.device(name, online)
            case ("link", bool(up)):
                self.control.link_changed(up)
            case ("clock", float(jump), bool(synchronised)):
                self.clock.offset += jump
                self.clock.synchronised = synchronised
            case ("person", str(name), bool(value)):
                self.send(value, name, f"p{len(self.records)}")
            case ("works", bool(works)):
                self.works = works
            case ("restart",):
                self.restart(RULES)
            case _:
                raise AssertionError(step)
        self.control.drain()
        if self.gone or not self.works:
            self.troubled = self.clock.now
        for name, output in self.physical.items():
            if output.on and self.clock.now - self.troubled > 10.0:
                assert self.clock.now - output.since <= MAX_ON + 6.0, f"{name}: max_on"


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, min_size=5, max_size=40))
def test_rules_act_on_good_news_alone_and_break_no_limit(steps: list[tuple[object, ...]]) -> None:
    house = Checked()
    try:
        for step in steps:
            house.step(step)
    finally:
        house.store.close()
        house.folder.cleanup()


def test_the_random_house_really_switches() -> None:
    """Else the property would hold for want of anything that happens."""
    house = Checked()
    for step in [("steady", 35.0, 40), ("steady", 35.0, 200), ("steady", 10.0, 200)]:
        house.step(step)
    assert [on for _, on in house.physical["cooler"].switches] == [True, False]
    assert [on for _, on in house.physical["heater"].switches] == [True]
    house.step(("wait", 31))
    assert not house.physical["heater"].on
    house.store.close()
    house.folder.cleanup()
