"""What rules name has to be there: devices, channels with their units, outputs, times, places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from drivers.base import Actuator
from gateway.config_conditions import Around, ConditionCheck, made, one_kind
from gateway.config_report import Place, nearest
from gateway.config_values import INVALID
from gateway.settings import NAME_PATTERN, SiteSettings
from gateway.settings_rules import (
    ActionSettings,
    RuleSettings,
    actions,
)

ACTIONS = {
    "command": frozenset({"value"}),
    "alarm": frozenset({"text"}),
    "publish": frozenset({"payload"}),
}
GATEWAYS_ALARMS = frozenset(
    [
        *("ledger", "safe-mode", "outbox_full"),
        *("duplicate_client", "login", "subscription", "refused", "link"),
        *("certificate", "broker_certificate"),
    ]
)


def check_rules(rules: Sequence[tuple[RuleSettings, Place]], around: Around) -> None:
    if around.site is not INVALID:
        check_site(around.site, around.site_place)
    names: set[str] = set()
    alarms: dict[str, str] = {}
    for rule, place in rules:
        if not re.fullmatch(NAME_PATTERN, rule.name):
            place.at("name").error("must be small letters, digits, - and _, at most 63")
        if rule.name in names:
            place.at("name").error(f'"{rule.name}" is the name of another rule already')
        names.add(rule.name)
        _Check(rule, place, around).check()
        for alarm, where in _alarms(rule, place):
            if alarms.setdefault(alarm, rule.name) != rule.name:
                where.error(f'"{alarm}" is already raised by rule "{alarms[alarm]}"')


def _alarms(rule: RuleSettings, place: Place) -> Iterator[tuple[str, Place]]:
    for key, index, action in _written(rule):
        if action.alarm:
            yield action.alarm, _at(place, key, index).at("alarm")


def _written(rule: RuleSettings) -> Iterator[tuple[str, int | None, ActionSettings]]:
    """Each action with its key, and its index where it stands in a list."""
    for key, written in (("then", rule.then), ("else", rule.else_), ("stale", rule.stale)):
        for index, action in enumerate(actions(written)):
            yield key, None if isinstance(written, ActionSettings) else index, action


def _at(place: Place, key: str, index: int | None) -> Place:
    return place.at(key) if index is None else place.at(key, index)


def check_site(site: SiteSettings, place: Place) -> None:
    if (site.latitude is None) != (site.longitude is None):
        missing = "latitude" if site.latitude is None else "longitude"
        place.error(f"needs {missing} too: the sun is asked for both")
    if site.timezone:
        from gateway.zones import zone_of

        try:
            zone_of(site.timezone)
        except (KeyError, ValueError, OSError):
            import zoneinfo

            hint = nearest(site.timezone, zoneinfo.available_timezones())
            place.at("timezone").error(
                f'there is no time zone "{site.timezone}"', hint or 'as "Europe/Berlin"'
            )


class _Check:
    """One rule."""

    def __init__(self, rule: RuleSettings, place: Place, around: Around) -> None:
        self._rule = rule
        self._place = place
        self._around = around
        self._devices = {device.settings.name: device for device in around.devices}

    def check(self) -> None:
        condition = ConditionCheck(self._around)
        condition.check(self._rule.when, self._place.at("when"))
        for key, index, action in _written(self._rule):
            self._action(action, _at(self._place, key, index))
        commands = any(action.command for _, _, action in _written(self._rule))
        if condition.reads and commands and self._place.at("stale").written is None:
            self._place.at("stale").error(
                "is missing: what is to be done without a good reading?",
                '"keep", or a command as { command = "...", value = "off" }',
            )
        if condition.instant is not None:
            self._momentary(condition.instant)

    def _momentary(self, instant: Place) -> None:
        if self._rule.else_:
            self._place.at("else").error(
                f"never comes: {instant.path[-1]} is true for a moment only"
            )
        for key, index, action in _written(self._rule):
            if action.alarm:
                _at(self._place, key, index).at("alarm").error(
                    f"needs a condition that lasts: {instant.path[-1]} is true for a moment only"
                )

    def _action(self, action: ActionSettings, place: Place) -> None:
        kind = one_kind(action, ACTIONS, place, "action")
        if kind == "command":
            self._command(action, place)
        elif kind == "alarm" and action.alarm in GATEWAYS_ALARMS:
            place.at("alarm").error(f'"{action.alarm}" is an alarm of the gateway itself')
        elif kind is not None:
            name: str = getattr(action, kind)
            if not re.fullmatch(NAME_PATTERN, name):
                place.at(kind).error("must be small letters, digits, - and _: it is a topic level")

    def _command(self, action: ActionSettings, place: Place) -> None:
        outputs = [name for name, d in self._devices.items() if d.settings.output is not None]
        if action.command not in outputs:
            hint = nearest(action.command, outputs) or f"outputs: {', '.join(outputs) or 'none'}"
            place.at("command").error(f'there is no output "{action.command}"', hint)
        elif action.value is None:
            place.at("value").error("is missing: what to set the output to")
        else:
            device = made(self._devices[action.command])
            try:
                if isinstance(device, Actuator):
                    device.parse(action.value)
            except ValueError as error:
                place.at("value").error(f"is no state of this output: {error}")
