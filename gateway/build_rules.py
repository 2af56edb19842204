"""The rules' half of the composition: from their settings to conditions, and to their desk.

Loaded only where there are rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from drivers.base import Actuator, Stream
from gateway import conditions, conditions_joined
from gateway.attached import Attached
from gateway.clock import Clock
from gateway.codecs.base import Publication
from gateway.codecs.topics import Topics
from gateway.conditions import Condition
from gateway.control import Control
from gateway.model import Action, Command, Reading
from gateway.rule_desk import RuleDesk, Surroundings
from gateway.rules import Rules
from gateway.rules_model import Action as RuleAction
from gateway.rules_model import Looked, Order, Phase, Raise, Rule, Say
from gateway.settings import Settings, SiteSettings
from gateway.settings_rules import (
    ActionSettings,
    ConditionSettings,
    RuleSettings,
    actions,
    amount,
    is_momentary,
)
from gateway.state import Store

if TYPE_CHECKING:  # a house without schedules does not load it
    from gateway import timetable

REMOTE_AGE = 60.0
"""Seconds for which a reading of another gateway is good where nothing is said."""
SHORTEST_AGE = 10.0
INFINITE = float("inf")


class RuleWork:
    """The rules of a house, wired to its parts: `make` before control, `connect` after the link."""

    def __init__(
        self,
        settings: Settings,
        attached: Mapping[str, Attached],
        store: Store,
        anchors: Mapping[str, float],
        epoch: int,
    ) -> None:
        build = _Build(settings.site, attached)
        self._rules = Rules(build.rule(rule) for rule in settings.rule)
        self._attached = attached
        self._store = store
        self._topics = Topics(settings.upstream.root, settings.gateway.id)
        self._notice: Callable[[Publication], None] | None = None
        outputs = {n: o.device.channels[0].name for n, o in attached.items() if _is_output(o)}
        self._around = Surroundings(outputs, anchors, epoch, self._publish)

    def make(
        self,
        clock: Clock,
        command: Callable[[Command], None],
        alarm: Callable[[str, bool, str], None],
    ) -> RuleDesk:
        """For control."""
        return RuleDesk(self._rules, self._store, clock, self._around, command, alarm)

    @property
    def remote(self) -> frozenset[str]:
        return self._rules.remote

    def connect(
        self, control: Control, clock: Clock, notice: Callable[[Publication], None]
    ) -> None:
        """Has every device that a rule reads tell control of its looks. notice: the link's."""
        self._notice = notice
        for name in {name.rpartition(".")[0] for name in self._rules.inputs}:
            one = self._attached.get(name)
            # An output's state comes from control itself, with what brought it there.
            if one is not None and not _is_output(one):
                one.watch = partial(_looked, name, control, clock)

    def _publish(self, name: str, payload: bytes) -> None:
        if self._notice is not None:
            self._notice(Publication(self._topics.own(f"event/{name}"), payload))


def _looked(name: str, control: Control, clock: Clock, readings: tuple[Reading, ...]) -> None:
    control.for_rules(Looked(name, readings, clock.monotonic()))


def _is_output(one: Attached) -> bool:
    return isinstance(one.device, Actuator)


def site_of(site: SiteSettings) -> timetable.Site:
    """Loads what windows and schedules need."""
    from gateway import timetable
    from gateway.zones import zone_of

    return timetable.Site(zone_of(site.timezone), site.latitude, site.longitude)


class _Build:
    """From settings to rules. The site is made when the first condition needs it."""

    def __init__(self, site: SiteSettings, attached: Mapping[str, Attached]) -> None:
        self._settings = site
        self._site: timetable.Site | None = None
        self.attached = attached

    def rule(self, rule: RuleSettings) -> Rule:
        phases = {Phase.THEN: rule.then, Phase.ELSE: rule.else_, Phase.STALE: rule.stale}
        found = {
            phase: tuple(self._action(action, rule.name) for action in actions(written))
            for phase, written in phases.items()
        }
        return Rule(rule.name, self.condition(rule.when), found, is_momentary(rule.when))

    def _action(self, action: ActionSettings, rule: str) -> RuleAction:
        if action.alarm:
            return Raise(action.alarm, action.text or f"rule {rule}")
        if action.publish:
            return Say(action.publish, action.payload)
        device = self.attached[action.command].device
        assert isinstance(device, Actuator) and action.value is not None
        repeatable = device.action is Action.SET
        return Order(action.command, device.parse(action.value), repeatable)

    def condition(self, settings: ConditionSettings) -> Condition:
        found = self._bare(settings)
        return conditions_joined.Lasting(found, settings.for_) if settings.for_ else found

    def _bare(self, settings: ConditionSettings) -> Condition:
        if settings.reading or settings.changed:
            return self._reading(settings)
        if settings.offline:
            return conditions.Offline(settings.offline)
        if settings.link is not None:
            down = conditions.LinkDown()
            return down if settings.link == "down" else conditions_joined.Unless(down)
        if settings.all:
            return conditions_joined.Every(tuple(map(self.condition, settings.all)))
        if settings.any:
            return conditions_joined.Either(tuple(map(self.condition, settings.any)))
        if settings.not_ is not None:
            return conditions_joined.Unless(self.condition(settings.not_))
        return self._timed(settings)

    def _timed(self, settings: ConditionSettings) -> Condition:
        from gateway import timetable

        site = self._site = self._site or site_of(self._settings)
        days = frozenset(map(timetable.DAYS.index, settings.days)) or timetable.EVERY_DAY
        if settings.between:
            start, end = map(timetable.point, settings.between)
            return conditions.During(timetable.Window(start, end, site, days))
        if settings.cron:
            return conditions.At(timetable.cron(settings.cron, site))
        return conditions.At(timetable.Daily(timetable.point(settings.at), site, days))

    def _reading(self, settings: ConditionSettings) -> Condition:
        name = settings.reading or settings.changed
        age = self._max_age(name) if settings.max_age is None else settings.max_age
        if settings.changed:
            by, _ = amount(settings.by)
            return conditions.Changed(name, by, settings.hold, age)
        if settings.equals is not None:
            return conditions.Equals(name, settings.equals, age)
        low = -INFINITE if settings.at_least is None else amount(settings.at_least)[0]
        high = INFINITE if settings.at_most is None else amount(settings.at_most)[0]
        return conditions.Within(name, low, high, amount(settings.hysteresis)[0], age)

    def _max_age(self, name: str) -> float:
        """An output's state is as found while the output is there; others are looked at again."""
        one = self.attached.get(name.rpartition(".")[0])
        if one is None:
            return REMOTE_AGE
        if isinstance(one.device, Actuator):
            return INFINITE
        silence = one.device.silence if isinstance(one.device, Stream) else 0.0
        return max(3 * one.interval, silence, SHORTEST_AGE)
