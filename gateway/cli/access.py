"""Who may say and hear what at the broker, from the configurations of gateways. Pure.

A right is a topic filter. `broker-acl` writes rights down in the language of a broker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.codecs.topics import LEAVES, NAMED, OWN, Topics
from gateway.settings import Settings
from gateway.settings_people import PeopleSettings
from gateway.settings_rules import inputs_of

ALL = "*"


class Unusable(Exception):
    """A broker cannot keep apart what these configurations do not; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a gateway, or a group of people, may do.

    read: filters that may be subscribed to; write: those that may be published to. members: login
    names. client_id: a gateway's own; empty for people, who come with any.
    """

    name: str
    members: tuple[str, ...]
    read: tuple[str, ...]
    write: tuple[str, ...]
    client_id: str = ""


def roles(gateways: Iterable[Settings]) -> list[Role]:
    """A role a gateway, and one a group of people with what it may at all of them. Unusable."""
    found: list[Role] = []
    people: dict[str, list[Role]] = {}
    for settings in gateways:
        found.append(gateway_role(settings))
        for group in settings.people:
            people.setdefault(group.name, []).append(people_role(settings, group))
    _check_logins(found, people)
    return found + [_together(name, parts) for name, parts in sorted(people.items())]


def gateway_role(settings: Settings) -> Role:
    upstream, gateway = settings.upstream, settings.gateway.id
    if not upstream.username:
        raise Unusable(
            f"gateway {gateway} has no login name: set username in [upstream], the broker knows "
            "a gateway by it"
        )
    topics = Topics(upstream.root, gateway)
    write = [topics.own(leaf) for leaf in OWN] + [topics.own(f"{leaf}/+") for leaf in NAMED]
    write += [topics.device("+", leaf) for leaf in LEAVES]
    if upstream.dialect == "plain":
        write.append(topics.device("+", "data/+"))
    return Role(
        name=f"gateway-{gateway}",
        members=(upstream.username,),
        read=(topics.device("+", "set"), topics.own("command"), *_heard(settings, topics)),
        write=(*write, topics.own("reply/#")),
        client_id=upstream.client_id or f"tidegate-{gateway}",
    )


def _heard(settings: Settings, topics: Topics) -> list[str]:
    """The data of other gateways that its rules ask for."""
    names = {name.rpartition(".")[0] for rule in settings.rule for name in inputs_of(rule.when)}
    return [topics.remote(name) for name in sorted(names) if "/" in name]


def people_role(settings: Settings, group: PeopleSettings) -> Role:
    """What the group may at this gateway."""
    topics = Topics(settings.upstream.root, settings.gateway.id)
    read: list[str] = []
    write: list[str] = []
    if ALL in group.read:
        read.append(topics.own("#"))
    elif group.read:
        read += [topics.own("about"), topics.own("status")]
        read += [topics.device(name, "#") for name in group.read]
    if group.command or group.operate:
        # What `tidegate send` looks at first, and where it wants its answer.
        read += [topics.own("status"), topics.own("session"), topics.own("reply/#")]
    for name in group.command:
        device = "+" if name == ALL else name
        write.append(topics.device(device, "set"))
        read += [topics.device(device, "state"), topics.device(device, "result")]
    if group.operate:
        write.append(topics.own("command"))
        read.append(topics.own("result"))
    return Role(f"people-{group.name}", group.members, _narrowed(read), _narrowed(write))


def _together(name: str, parts: Sequence[Role]) -> Role:
    return Role(
        f"people-{name}",
        tuple(dict.fromkeys(member for part in parts for member in part.members)),
        tuple(dict.fromkeys(one for part in parts for one in part.read)),
        tuple(dict.fromkeys(one for part in parts for one in part.write)),
    )


def _narrowed(filters: Iterable[str]) -> tuple[str, ...]:
    """Without those that another one covers."""
    ordered = list(dict.fromkeys(filters))
    return tuple(
        one for one in ordered if not any(other != one and covers(other, one) for other in ordered)
    )


def covers(wide: str, narrow: str) -> bool:
    """Whether every topic of `narrow` is one of `wide`, both being filters."""
    wide_levels, levels = wide.split("/"), narrow.split("/")
    for index, level in enumerate(wide_levels):
        if level == "#":
            return True
        if index >= len(levels) or levels[index] == "#":
            return False
        if level not in ("+", levels[index]):
            return False
    return len(wide_levels) == len(levels)


def _check_logins(gateways: Sequence[Role], people: dict[str, list[Role]]) -> None:
    owners: dict[str, str] = {}
    for role in gateways:
        name = role.members[0]
        if name in owners:
            raise Unusable(
                f"{owners[name]} and {role.name} have the same username {name}: give each its own, "
                "or one can speak in the name of the other"
            )
        owners[name] = role.name
    for group in people.values():
        for member in (member for part in group for member in part.members):
            if member in owners:
                raise Unusable(
                    f"{member} is a member of {group[0].name} and the login of a gateway"
                )


def logins(found: Iterable[Role]) -> dict[str, list[Role]]:
    """Login name to its roles."""
    users: dict[str, list[Role]] = {}
    for role in found:
        for member in role.members:
            users.setdefault(member, []).append(role)
    return users
