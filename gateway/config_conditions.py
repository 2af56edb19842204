"""What a rule's condition names has to be there: devices, channels, units, times, the place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drivers.base import Channel, DriverError
from drivers.quantities import unit_of
from gateway.config_devices import BusNotThere, Configured
from gateway.config_report import Place, nearest
from gateway.config_values import INVALID
from gateway.settings import NAME_PATTERN, GatewaySettings, SiteSettings
from gateway.settings_rules import ConditionSettings, amount, is_momentary

if TYPE_CHECKING:
    from gateway import timetable

KINDS: Mapping[str, frozenset[str]] = {
    "reading": frozenset({"at_least", "at_most", "equals", "hysteresis", "max_age"}),
    "changed": frozenset({"by", "hold", "max_age"}),
    "between": frozenset({"days"}),
    "at": frozenset({"days"}),
    "cron": frozenset(),
    "offline": frozenset(),
    "link": frozenset(),
    "all": frozenset(),
    "any": frozenset(),
    "not": frozenset(),
}
"""The conditions there are, and what each takes besides `for`."""
_INPUT = re.compile(rf"(?:({NAME_PATTERN})/)?({NAME_PATTERN})\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class Around:
    """What rules are checked against. Tables that could not be read are INVALID."""

    gateway: GatewaySettings
    site: SiteSettings
    devices: Sequence[Configured]
    site_place: Place


class ConditionCheck:
    """One rule's condition. reads, instant: what it was found to be made of.

    instant: where something is true for a moment only, None if nothing is.
    """

    def __init__(self, around: Around) -> None:
        self._around = around
        self._devices = {device.settings.name: device for device in around.devices}
        self.reads = False
        self.instant: Place | None = None

    def check(self, condition: ConditionSettings, place: Place) -> None:
        kind = one_kind(condition, KINDS, place, "condition")
        if kind is None:
            return
        inner = [*condition.all, *condition.any]
        if len({is_momentary(one) for one in condition.any}) > 1:
            place.at("any").error("joins what is true for a moment with what lasts")
        for index, one in enumerate(inner):
            self.check(one, place.at(kind, index))
        if condition.not_ is not None:
            self.check(condition.not_, place.at("not"))
        if kind in ("reading", "changed"):
            self.reads = True
            self._reading(condition, kind, place)
        elif kind == "offline":
            self._device(condition.offline, place.at("offline"))
        elif kind in ("between", "at", "cron"):
            self._times(condition, place)
        self._note_instant(condition, kind, place)

    def _note_instant(self, condition: ConditionSettings, kind: str, place: Place) -> None:
        if kind in ("at", "cron") or (kind == "changed" and not condition.hold):
            self.instant = place.at(kind)
        if condition.for_ and is_momentary(condition):
            place.at("for").error("has nothing to measure: the condition is true for a moment only")
        if condition.not_ is not None and is_momentary(condition.not_):
            place.at("not").error("has no meaning: the condition is true for a moment only")

    def _times(self, condition: ConditionSettings, place: Place) -> None:
        from gateway import timetable  # a house without schedules does not load it

        if condition.between and len(condition.between) != 2:
            place.at("between").error(f"must be two times, not {len(condition.between)}")
        times = [(t, place.at("between", i)) for i, t in enumerate(condition.between)]
        for text, here in [*times, *([(condition.at, place.at("at"))] if condition.at else [])]:
            try:
                self._sun(timetable.point(text), here)
            except ValueError as error:
                here.error(str(error))
        if len(set(condition.between)) == 1 and len(condition.between) == 2:
            place.at("between").error("must be two different times")
        if condition.cron:
            try:
                timetable.cron(condition.cron, timetable.Site())
            except ValueError as error:
                place.at("cron").error(str(error))

    def _sun(self, point: timetable.Point, place: Place) -> None:
        site = self._around.site
        if point.sun and site is not INVALID and site.latitude is None:
            place.error("needs to know where it is", "add [site] with latitude and longitude")

    def _reading(self, condition: ConditionSettings, kind: str, place: Place) -> None:
        here = place.at(kind)
        match = _INPUT.fullmatch(condition.reading or condition.changed)
        if match is None:
            here.error('must be "device.channel", or "gateway/device.channel" of another gateway')
            return
        gateway, device, channel = match.groups()
        if kind == "reading" and (
            condition.at_least is None and condition.at_most is None and condition.equals is None
        ):
            place.error("needs at_least, at_most or equals")
        if gateway and self._around.gateway is not INVALID and gateway == self._around.gateway.id:
            here.error("names this very gateway", f'write "{device}.{channel}"')
        unit = None if gateway else self._channel(device, channel, here)
        self._limits(condition, place, unit)

    def _channel(self, device: str, name: str, place: Place) -> str | None:
        """The unit; None where it cannot be known."""
        found = self._device(device, place)
        known = {} if found is None else channels(found)
        if found is None or not known or name in known:
            return unit_of(known[name].quantity) if name in known else None
        hint = nearest(name, known) or f"channels: {', '.join(known)}"
        # A meter may send more than its driver knows of.
        speaks = found.driver is not None and found.driver.is_stream
        (place.warn if speaks else place.error)(f'{device} has no channel "{name}"', hint)
        return None

    def _limits(self, condition: ConditionSettings, place: Place, unit: str | None) -> None:
        numbers: dict[str, float] = {}
        for key in ("at_least", "at_most", "hysteresis", "by"):
            written = getattr(condition, key)
            if written is None:
                continue
            try:
                numbers[key], given = amount(written)
            except ValueError as error:
                place.at(key).error(str(error))
                continue
            if given and unit is not None and given != unit:
                place.at(key).error(f'is in "{given}"', f'the channel is in "{unit}"')
        if numbers.get("at_least", 0.0) > numbers.get("at_most", float("inf")):
            place.at("at_least").error("must not be more than at_most")
        if condition.equals is not None and len({"at_least", "at_most"} & set(numbers)):
            place.at("equals").error("stands alone, without at_least and at_most")
        if numbers.get("hysteresis", 0.0) < 0:
            place.at("hysteresis").error("must not be negative")

    def _device(self, name: str, place: Place) -> Configured | None:
        if name not in self._devices:
            hint = nearest(name, self._devices) or f"there is: {', '.join(self._devices)}"
            place.error(f'there is no [[device]] with the name "{name}"', hint)
        return self._devices.get(name)


def one_kind(
    settings: Any, kinds: Mapping[str, frozenset[str]], place: Place, what: str
) -> str | None:
    """Which one of them it is; None after an error."""
    written = place.written
    keys = written if isinstance(written, dict) else {}
    found = [kind for kind in kinds if kind in keys]
    if len(found) != 1:
        if found:
            hint = "join several with all or any" if what == "condition" else "write a list of them"
            place.error(f"has {' and '.join(found)}: a {what} is one thing", hint)
        else:
            place.error(f"needs one of {', '.join(kinds)}")
        return None
    kind = found[0]
    for key in keys:
        if key not in (kind, "for") and key not in kinds[kind]:
            others = [k for k, takes in kinds.items() if key in takes]
            place.at(key).error(f"does not belong to {kind}", f"it belongs to {', '.join(others)}")
    return kind


def made(device: Configured) -> object:
    """The device on a bus that is not there; None where that cannot be."""
    if device.driver is None:
        return None
    try:
        return device.driver.create(BusNotThere(), device.settings.options)
    except (DriverError, TypeError):
        return None  # its options are wrong, which has been complained about


def channels(device: Configured) -> dict[str, Channel]:
    found = made(device)
    return {channel.name: channel for channel in getattr(found, "channels", ())}
