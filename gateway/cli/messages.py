"""What a gateway's messages say to a consumer: topic and payload to facts. Pure.

The other end of `gateway.codecs`; docs/messages.md has the contract. Nothing here trusts a payload:
what cannot be read becomes an `Unreadable`, never an exception.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from gateway.codecs import history
from gateway.codecs.sniff import format_of, loads

KINDS = ("data", "state", "result")
"""Leaves under a device that carry numbered entries."""
NOTICES = ("about", "health", "session")
_BARE: Mapping[str, Any] = {"ON": True, "OFF": False, "null": None}
_NUMBER = re.compile(r"-?[0-9]{1,400}(\.[0-9]+)?(e[+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Numbered:
    """An entry: it has a number, and has to come exactly once.

    kind: data, state, result, alarm or gap. lane: live or history. device is "" for the gateway's
    own results and gaps, and the alarm's name for an alarm. fields: the payload.
    """

    gateway: str
    device: str
    kind: str
    lane: str
    epoch: int
    seq: int
    retained: bool
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One channel's bare value, of an entry that comes in so many `parts` (dialect plain).

    kind: data or state. number: (epoch, seq), None if it came without (over MQTT 3.1.1). fields: as
    in an entry of the other dialects, with this channel alone.
    """

    gateway: str
    device: str
    kind: str
    channel: str
    number: tuple[int, int] | None
    parts: int
    retained: bool
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Notice:
    """about, health or session."""

    gateway: str
    topic: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Status:
    """The gateway (device "") or a device is online or not."""

    gateway: str
    device: str
    online: bool
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message on a gateway's topic that is none of its own."""

    gateway: str
    topic: str
    reason: str


Fact: TypeAlias = Numbered | Part | Notice | Status | Unreadable
User: TypeAlias = Mapping[str, str]
"""MQTT 5 user properties."""
NO_USER: User = {}


def read(
    root: str, topic: str, payload: bytes, retained: bool = False, user: User = NO_USER
) -> list[Fact]:
    """The facts in a message below root; none for commands, answers to others, foreign topics.

    What comes in parts is put together by `assembly.Assembler`.
    """
    if not topic.startswith(root + "/"):
        return []
    gateway, *path = topic[len(root) + 1 :].split("/")
    try:
        return _facts(gateway, path, payload, retained, user)
    except (ValueError, RecursionError) as error:
        return [Unreadable(gateway, topic, str(error) or type(error).__name__)]


def _facts(gateway: str, path: list[str], payload: bytes, retained: bool, user: User) -> list[Fact]:
    match path:
        case ["history"]:
            samples = history.unpack(payload, loads)
            return [
                _numbered(gateway, str(sample.get("device", "")), "data", "history", sample)
                for sample in samples
            ]
        case ["status"]:
            return [Status(gateway, "", _online(payload), retained)]
        case [device, "status"]:
            return [Status(gateway, device, _online(payload), retained)]
        case [leaf] if leaf in NOTICES:
            return [Notice(gateway, leaf, _mapping(payload))]
        case [("gap" | "result") as kind]:
            return [_numbered(gateway, "", kind, "live", _mapping(payload), retained)]
        case ["alarm", name]:
            return [_numbered(gateway, name, "alarm", "live", _mapping(payload), retained)]
        case [device, "data", channel]:
            return [_part(gateway, device, "data", channel, payload, retained, user)]
        case [device, "state"] if not format_of(payload):
            return [_part(gateway, device, "state", "value", payload, retained, user)]
        case [device, kind] if kind in KINDS:
            return [_numbered(gateway, device, kind, "live", _mapping(payload), retained)]
    return []


def _numbered(
    gateway: str,
    device: str,
    kind: str,
    lane: str,
    fields: Mapping[str, Any],
    retained: bool = False,
) -> Numbered:
    return Numbered(
        gateway,
        device,
        kind,
        lane,
        _count(fields, "epoch"),
        _count(fields, "seq"),
        retained,
        fields,
    )


def _part(
    gateway: str, device: str, kind: str, channel: str, payload: bytes, retained: bool, user: User
) -> Part:
    fields: dict[str, Any] = {k: user[k] for k in ("time", "clock", "cause") if k in user}
    fields[channel] = bare_value(payload)
    if "quality" in user:
        fields[f"{channel}_quality"] = user["quality"]
    number = None
    if "epoch" in user and "seq" in user:
        number = _whole(user, "epoch"), _whole(user, "seq")
        fields |= {"epoch": number[0], "seq": number[1]}
    parts = _whole(user, "parts") if "parts" in user else 1
    return Part(gateway, device, kind, channel, number, parts, retained, fields)


def _whole(user: User, name: str) -> int:
    if not (user[name].isascii() and user[name].isdecimal() and len(user[name]) < 20):
        raise ValueError(f'the user property "{name}" is no number')
    return int(user[name])


def bare_value(payload: bytes) -> Any:
    """What the dialect plain writes: `ON`, `OFF`, `null`, a number, or a text."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        raise ValueError("a bare value that is not UTF-8") from None
    if text in _BARE:
        return _BARE[text]
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if set(text) & set(".e") else int(text)


def _count(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f'"{name}" is missing or no number')
    return value


def _online(payload: bytes) -> bool:
    if payload not in (b"online", b"offline"):
        raise ValueError("a status is online or offline")
    return payload == b"online"


def _mapping(payload: bytes) -> Mapping[str, Any]:
    content = loads(payload)
    if not isinstance(content, dict):
        raise ValueError("not a mapping")
    return content


def moment(fields: Mapping[str, Any], name: str = "time") -> float | None:
    """A payload's time as wall seconds; None without one."""
    text = fields.get(name)
    if not isinstance(text, str):
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when.timestamp() if when.tzinfo else None
