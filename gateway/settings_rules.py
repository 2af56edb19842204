"""The configuration of rules as typed values: `[[rule]]`. See settings.py.

A key that is a word of Python has a _ behind it here, and none in the file: `for_`, `else_`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from drivers.base import Option, Value

Days = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_AMOUNT = re.compile(r"([+-]?\d+(?:\.\d+)?) ?(\D.*)?")


def amount(written: float | str) -> tuple[float, str]:
    """A number, and its unit where that was written. ValueError."""
    if not isinstance(written, str):
        return float(written), ""
    match = _AMOUNT.fullmatch(written.strip())
    if match is None:
        raise ValueError(f'must be a number, or one with its unit as "30 °C", not "{written}"')
    return float(match.group(1)), match.group(2) or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionSettings:
    """One of reading, changed, between, at, cron, offline, link, all, any, not; with its keys."""

    reading: Annotated[str, Option('"device.channel", or "gateway/device.channel" of another')] = ""
    at_least: Annotated[float | str | None, Option("reading: this or more")] = None
    at_most: Annotated[float | str | None, Option("reading: this or less")] = None
    equals: Annotated[Value | None, Option("reading: exactly this")] = None
    hysteresis: Annotated[
        float | str, Option("reading: once true, it is false only so far beyond the limit", low=0)
    ] = 0.0
    changed: Annotated[str, Option('"device.channel" has another value than before')] = ""
    by: Annotated[float | str, Option("changed: a number has to move so far", low=0)] = 0.0
    hold: Annotated[float, Option("changed: true for so long after it", "s", low=0)] = 0.0
    max_age: Annotated[
        float | None, Option("reading, changed: older is stale; unset: 3 intervals", "s", low=0.1)
    ] = None
    between: Annotated[
        tuple[str, ...], Option('two times of day, as ["22:00", "sunrise+30min"]')
    ] = ()
    at: Annotated[str, Option('at this moment of the day: "07:30", "sunset"')] = ""
    days: Annotated[tuple[Days, ...], Option("between, at: the days on which it begins")] = ()
    cron: Annotated[str, Option("minute hour day month weekday, as crontab has them")] = ""
    offline: Annotated[str, Option("this device does not answer")] = ""
    link: Annotated[Literal["down", "up"] | None, Option("the connection to the broker")] = None
    all: Annotated[tuple[ConditionSettings, ...], Option("every one of these")] = ()
    any: Annotated[tuple[ConditionSettings, ...], Option("at least one of these")] = ()
    not_: Annotated[ConditionSettings | None, Option("the opposite of this")] = None
    for_: Annotated[float, Option("it has lasted for so long", "s", low=0)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSettings:
    """One of command, alarm, publish; and what it takes."""

    command: Annotated[str, Option("the output to set")] = ""
    value: Annotated[Value | None, Option("command: what to set it to")] = None
    alarm: Annotated[str, Option("the alarm to raise; it is cleared with the condition")] = ""
    text: Annotated[str, Option("alarm: what it says; empty: the rule's name")] = ""
    publish: Annotated[str, Option("a message on the topic event/NAME of this gateway")] = ""
    payload: Annotated[str, Option("publish: empty: rule, phase, time and values as JSON")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSettings:
    """`[[rule]]`: what the house does by itself."""

    name: Annotated[str, Option("in answers and logs")]
    when: Annotated[ConditionSettings, Option("the condition")]
    then: Annotated[
        ActionSettings | tuple[ActionSettings, ...], Option("done when it becomes true")
    ]
    else_: Annotated[
        ActionSettings | tuple[ActionSettings, ...], Option("done when it becomes false")
    ] = ()
    stale: Annotated[
        Literal["keep"] | ActionSettings | tuple[ActionSettings, ...] | None,
        Option("done when it cannot be told any more; keep: nothing"),
    ] = None


def actions(
    written: Literal["keep"] | ActionSettings | tuple[ActionSettings, ...] | None,
) -> tuple[ActionSettings, ...]:
    if isinstance(written, ActionSettings):
        return (written,)
    return written if isinstance(written, tuple) else ()


def is_momentary(condition: ConditionSettings) -> bool:
    """Whether it is true for a moment only: then the rule is about that moment."""
    instant = condition.at or condition.cron or (condition.changed and not condition.hold)
    return bool(instant) or any(map(is_momentary, (*condition.all, *condition.any)))


def inputs_of(condition: ConditionSettings) -> set[str]:
    """Every `device.channel` that it asks for."""
    found = {name for name in (condition.reading, condition.changed) if name}
    inner = [*condition.all, *condition.any]
    if condition.not_ is not None:
        inner.append(condition.not_)
    return found.union(*map(inputs_of, inner))
