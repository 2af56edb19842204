"""What a rule asks: true, false, or not to be told. Pure.

A condition is a tree. Whatever it has to remember (which side of a hysteresis it is on, since when
something lasts) is kept outside, by the place of the node in its rule, so that evaluating it is a
function of what is known and of the time. `now` counts by a clock that never jumps; `wall` is None
while the clock cannot be believed, and then what depends on it is not to be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from gateway.model import Value

NEVER = float("inf")
HELD = "held"
"""What a condition that has lasted long enough notes."""
JUMP = 60.0
"""Seconds by which the wall clock may differ from the time that has passed. Beyond, it was set, and
what lies in between neither happened nor was missed."""
CLOCK_GRACE = 300.0
"""Seconds after the start in which a clock that is not set is waited for."""


class Seen(NamedTuple):
    """The last good value of an input, and when. good: nothing worse has come since."""

    value: Value
    at: float
    good: bool = True


@dataclass(frozen=True, slots=True)
class World:
    """What is known. inputs by `device.channel`; a device that never answered is not in online."""

    started: float
    inputs: Mapping[str, Seen] = field(default_factory=dict)
    online: Mapping[str, bool] = field(default_factory=dict)
    link: bool = False


@dataclass(slots=True)
class Look:
    """One evaluation of one rule. notes: by the path of a node, what it remembers.

    due: when to look again at the latest. aged: something has not been told for too long.
    struck: a moment is now, so that the rule is about this instant alone.
    """

    world: World
    now: float
    wall: float | None
    notes: dict[str, Any]
    due: float = NEVER
    aged: bool = False
    struck: bool = False

    def again(self, at: float) -> None:
        self.due = min(self.due, at)

    def fresh(self, name: str, max_age: float) -> Seen | None:
        """The input if it can be used. A bad reading is waited out, and what is old is aged."""
        seen = self.world.inputs.get(name)
        end = (self.world.started if seen is None else seen.at) + max_age
        if self.now > end:
            self.aged = True
            return None
        self.again(end + 0.001)
        return seen if seen is not None and seen.good else None

    def trusted(self) -> float | None:
        """The wall clock, where it can be believed."""
        end = self.world.started + CLOCK_GRACE
        if self.wall is None and self.now > end:
            self.aged = True
        elif self.wall is None:
            self.again(end + 0.001)
        return self.wall


class Condition(Protocol):
    def inputs(self) -> Iterator[str]:
        """`device.channel` of each reading, and `device` of each device that is watched."""
        ...

    def holds(self, look: Look, path: str) -> bool | None: ...


class Within(NamedTuple):
    """A number from low to high, both included. Once in, it is out only beyond the hysteresis."""

    input: str
    low: float = -NEVER
    high: float = NEVER
    hysteresis: float = 0.0
    max_age: float = 60.0

    def inputs(self) -> Iterator[str]:
        yield self.input

    def holds(self, look: Look, path: str) -> bool | None:
        seen = look.fresh(self.input, self.max_age)
        if seen is None or isinstance(seen.value, str):
            return None
        slack = self.hysteresis if look.notes.get(path) else 0.0
        inside = self.low - slack <= seen.value <= self.high + slack
        if self.hysteresis:
            look.notes[path] = inside
        return inside


class Equals(NamedTuple):
    input: str
    value: Value
    max_age: float = 60.0

    def inputs(self) -> Iterator[str]:
        yield self.input

    def holds(self, look: Look, path: str) -> bool | None:
        seen = look.fresh(self.input, self.max_age)
        return None if seen is None else seen.value == self.value


class Changed(NamedTuple):
    """True for `hold` seconds after another value came; 0: at that moment only.

    by: how far a number has to move from where it was when this was last true.
    """

    input: str
    by: float = 0.0
    hold: float = 0.0
    max_age: float = 60.0

    def inputs(self) -> Iterator[str]:
        yield self.input

    def holds(self, look: Look, path: str) -> bool | None:
        seen = look.fresh(self.input, self.max_age)
        reference, since = look.notes.get(path, (None, -NEVER))
        if seen is None:
            return None
        if reference is None:
            look.notes[path] = (seen.value, since)
        elif self._moved(reference, seen.value):
            since = look.now
            look.notes[path] = (seen.value, since)
            look.struck |= not self.hold
        if look.now < since + self.hold:
            look.again(since + self.hold)
            return True
        return not self.hold and since == look.now

    def _moved(self, before: Value, now: Value) -> bool:
        if self.by and not isinstance(before, str) and not isinstance(now, str):
            return abs(now - before) >= self.by
        return before != now


class Opening(Protocol):
    """As `timetable.Window` with its site."""

    def at(self, wall: float) -> tuple[bool, float]: ...


class Recurring(Protocol):
    """As `timetable.Daily` and `timetable.Cron` with their site."""

    def following(self, after: float) -> float | None: ...


class During(NamedTuple):
    window: Opening

    def inputs(self) -> Iterator[str]:
        return iter(())

    def holds(self, look: Look, path: str) -> bool | None:
        wall = look.trusted()
        if wall is None:
            return None
        start, end, is_open = look.notes.get(path, (0.0, 0.0, False))
        if not start <= wall < end:
            is_open, end = self.window.at(wall)
            look.notes[path] = (wall, end, is_open)
        look.again(look.now + end - wall)
        return bool(is_open)


class At(NamedTuple):
    """True at that moment only. What was missed, while stopped or by a jump, is not made up for."""

    moments: Recurring

    def inputs(self) -> Iterator[str]:
        return iter(())

    def holds(self, look: Look, path: str) -> bool | None:
        wall = look.trusted()
        if wall is None:
            look.notes.pop(path, None)
            return None
        before, then, coming = look.notes.get(path, (wall, look.now, None))
        jumped = abs(wall - before - (look.now - then)) > JUMP
        if coming is None or jumped or coming <= wall:
            struck = coming is not None and not jumped and wall - coming <= JUMP
            following = self.moments.following(wall)
            coming = NEVER if following is None else following
            look.struck |= struck
        else:
            struck = False
        look.notes[path] = (wall, look.now, coming)
        look.again(look.now + coming - wall)
        return struck


class Offline(NamedTuple):
    device: str

    def inputs(self) -> Iterator[str]:
        yield self.device

    def holds(self, look: Look, path: str) -> bool | None:
        online = look.world.online.get(self.device)
        return None if online is None else not online


LINK = "$link"
"""Stands among the inputs for the connection to the broker."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    def inputs(self) -> Iterator[str]:
        yield LINK

    def holds(self, look: Look, path: str) -> bool | None:
        return not look.world.link
