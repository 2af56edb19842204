"""Checks of `[[people]]`: groups, logins, and the devices that they name."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from gateway.config_report import Place, nearest
from gateway.settings import NAME_PATTERN, DeviceSettings
from gateway.settings_people import PeopleSettings

ALL = "*"
_LOGIN = re.compile(r"[\x21-\x39\x3b-\x7e]{1,64}")
"""No space and no colon: a password file has them between its columns."""


def check_people(
    people: Sequence[tuple[PeopleSettings, Place]], devices: Sequence[DeviceSettings], upstream: Any
) -> None:
    """upstream: the settings, or what stands for those that could not be read."""
    names = {device.name for device in devices}
    outputs = {device.name for device in devices if device.output is not None}
    seen: set[str] = set()
    for group, place in people:
        if not re.fullmatch(NAME_PATTERN, group.name):
            place.at("name").error("must be small letters, digits, - and _, at most 63")
        if group.name in seen:
            place.at("name").error(f'"{group.name}" is the name of another group already')
        seen.add(group.name)
        _check_members(group, place, getattr(upstream, "username", ""))
        _check_names(group.read, names, place.at("read"), "device")
        _check_names(group.command, outputs, place.at("command"), "output")


def _check_members(group: PeopleSettings, place: Place, gateway: str) -> None:
    if not group.members:
        place.at("members").warn("nobody is in this group")
    for index, member in enumerate(group.members):
        here = place.at("members", index)
        if not _LOGIN.fullmatch(member):
            here.error("must be a login of printable ASCII characters, no space and no colon")
        elif member == gateway:
            here.error("is the gateway's own login", "give people logins of their own")


def _check_names(given: Sequence[str], known: Collection[str], place: Place, what: str) -> None:
    for index, name in enumerate(given):
        if name != ALL and name not in known:
            hint = nearest(name, sorted(known)) or f'"{ALL}" stands for all'
            place.at(index).error(f'there is no {what} "{name}"', hint)
