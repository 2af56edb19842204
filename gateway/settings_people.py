"""`[[people]]`: what a group may do at the broker. Only `tidegate broker-acl` looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from drivers.base import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSettings:
    """`[[people]]`: what a group may do at the broker. The gateway itself does not look at it."""

    name: Annotated[str, Option("of the group")]
    members: Annotated[tuple[str, ...], Option("login names at the broker")]
    read: Annotated[
        tuple[str, ...], Option('devices whose messages they get, ["*"]: everything')
    ] = ("*",)
    command: Annotated[tuple[str, ...], Option('outputs that they may command, ["*"]: all')] = ()
    operate: Annotated[bool, Option("may send commands to the gateway itself")] = False
