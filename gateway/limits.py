"""What an output may do, whoever asks: times and interlocks. Pure; seconds of a clock that never
jumps. The limits hold below every source of commands: MQTT, the command line, and what the
gateway does by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from gateway.model import Value

HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one output's owner allows; the fields of `[[device]]` for outputs, in seconds.

    interlock names a group of which one output at most is on. load: what it takes of the budget,
    in W. ramp: largest change a second of a numeric output, 0: at once. momentary: `off` is no
    state but an act, as the stop of a motor. link_loss, offline None: it keeps its state.
    """

    off: Value = False
    momentary: bool = False
    command_ttl: float = 30.0
    fresh_only: bool = False
    max_on: float = 0.0
    min_on: float = 0.0
    min_off: float = 0.0
    max_switches_per_hour: int = 0
    interlock: str = ""
    dead_time: float = 0.0
    budget: str = ""
    load: float = 0.0
    link_loss: Value | None = None
    link_loss_after: float = 300.0
    offline: Value | None = None

    @property
    def needs_state(self) -> bool:
        """Whether a limit cannot be judged before the output's state is known."""
        return bool(self.min_on or self.min_off or self.max_switches_per_hour)


@dataclass(frozen=True, slots=True)
class Output:
    """What is known of an output. coming: the values on their way to it, in their order.

    value None: not known yet. changed: when it last went on or off, or was claimed at the
    start, which counts as a change unless it is known from before. switched: when it went on
    within the last hour, or was told to, where that is still on its way. told: when it was told
    anything, unless that failed. doubtful: it failed to go off, so it may be off. on_since:
    since when it is on for all we know; what is doubtful changes nothing about it, so that
    nothing puts max_on off.
    """

    value: Value | None = None
    changed: float = 0.0
    coming: tuple[Value, ...] = ()
    switched: tuple[float, ...] = ()
    told: float = float("-inf")
    doubtful: bool = False
    on_since: float = 0.0

    @property
    def current(self) -> Value | None:
        """Its value once everything on its way has arrived."""
        return self.coming[-1] if self.coming else self.value

    @property
    def may_be_on(self) -> bool:
        """On now, or at some moment before what is on its way has arrived."""
        return is_on(self.value) or any(is_on(value) for value in self.coming)

    @property
    def turning(self) -> bool:
        """Whether something on its way turns it on or off, or may do so."""
        unsure = self.doubtful or self.value is None
        return any(unsure or is_on(value) != is_on(self.value) for value in self.coming)


@dataclass(frozen=True, slots=True)
class Burden:
    """A load budget as one output sees it, in W. others: what each other one takes that may be on.

    An output whose state is not known may be on.
    """

    most: float
    others: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Why not now, in words, and in how many seconds it would be allowed; None: it depends."""

    reason: str
    wait: float | None = None


def is_on(value: Value | None) -> bool:
    """Whether a state lets an appliance run: true, a number above 0, a text other than off."""
    if isinstance(value, str):
        return value.lower() not in ("", "off", "closed", "stop")
    return bool(value)


def limit(
    value: Value,
    limits: Limits,
    output: Output,
    group: Mapping[str, Output],
    now: float,
    burden: Burden | None = None,
) -> Forbidden | None:
    """Which limit forbids this value now, else None.

    group: the other outputs of the interlock, by name. burden: of its load budget, if it has one.
    """
    turns_on = is_on(value)
    if turns_on and limits.interlock:
        blocked = _interlocked(limits, group, now)
        if blocked is not None:
            return blocked
    if turns_on and burden is not None and not is_on(output.current):
        overloaded = _overloaded(limits, burden)
        if overloaded is not None:
            return overloaded
    if output.value is None and limits.needs_state:
        return Forbidden("its state is not known yet")
    if turns_on == is_on(output.current):
        return None
    return _too_soon(turns_on, limits, output, now)


def _too_soon(turns_on: bool, limits: Limits, output: Output, now: float) -> Forbidden | None:
    # A change that is still on its way has not begun, so nothing of its time is over.
    since = 0.0 if output.turning else now - output.changed
    name, least = ("min_off", limits.min_off) if turns_on else ("min_on", limits.min_on)
    if since < least:
        wait = least - since
        return Forbidden(f"{name}: may go {'on' if turns_on else 'off'} in {wait:.0f} s", wait)
    most = limits.max_switches_per_hour
    if not turns_on or not most:
        return None
    recent = _recent(output, now)
    if len(recent) < most:
        return None
    wait = sorted(recent)[-most] + HOUR - now
    return Forbidden(f"max_switches_per_hour: may go on in {wait:.0f} s", wait)


def _interlocked(limits: Limits, group: Mapping[str, Output], now: float) -> Forbidden | None:
    for name, other in group.items():
        if other.may_be_on:
            return Forbidden(f"interlock {limits.interlock}: {name} is on")
        if other.value is None:
            return Forbidden(f"interlock {limits.interlock}: the state of {name} is not known")
        wait = limits.dead_time - (now - other.changed)
        if wait > 0:
            reason = f"interlock {limits.interlock}: dead time after {name}, {wait:.0f} s more"
            return Forbidden(reason, wait)
    return None


def _overloaded(limits: Limits, burden: Burden) -> Forbidden | None:
    taken = sum(burden.others.values())
    if taken + limits.load <= burden.most:
        return None
    takers = ", ".join(name for name, load in burden.others.items() if load) or "nothing"
    return Forbidden(
        f"load budget {limits.budget}: it takes {limits.load:g} W, and of {burden.most:g} W"
        f" {taken:g} W are taken ({takers})"
    )


def burden_of(
    name: str, most: float, limits: Mapping[str, Limits], outputs: Mapping[str, Output]
) -> Burden:
    """What the budget of this output has to bear from the others."""
    budget = limits[name].budget
    others = {
        other: limits[other].load
        for other, output in outputs.items()
        if other != name
        and limits[other].budget == budget
        and (output.value is None or output.may_be_on)
    }
    return Burden(most, others)


def ramp(start: Value | None, end: Value, rate: float, period: float) -> Iterator[Value]:
    """The values on the way to `end` of an output that may change by `rate` a second: one every
    `period` seconds, the last is `end` itself. At once where either is no number."""
    numeric = all(type(value) in (int, float) for value in (start, end))
    if rate > 0 and numeric:
        assert isinstance(start, int | float)
        assert isinstance(end, int | float)
        steps = math.ceil(abs(end - start) / (rate * period))
        yield from (start + (end - start) * step / steps for step in range(1, steps))
    yield end


def told(output: Output, value: Value, now: float) -> Output:
    """The output after it was told to take the value, which is now on its way."""
    switched = _recent(output, now)
    if is_on(value) and not is_on(output.current):
        switched = (*switched, now)
    return replace(output, coming=(*output.coming, value), switched=switched, told=now)


def arrived(output: Output, state: Value | None, now: float) -> Output:
    """The output after the first act on its way ended; state as read back, None: it failed.

    What failed to go on may be on: its state is not known until it is looked at.
    """
    value, *coming = output.coming
    output = replace(output, coming=tuple(coming))
    if state is not None:
        return _with_state(output, state, now, counted=is_on(value))
    if not coming:
        output = replace(output, told=float("-inf"))
    if is_on(value) and not is_on(output.value):
        return replace(output, value=None, changed=now)  # perhaps it did go on: nobody knows
    if is_on(output.value) and not is_on(value):
        return replace(output, changed=now, doubtful=True)
    return output


def dropped(output: Output) -> Output:
    """The output after the first act on its way was given up before it began."""
    coming = output.coming[1:]
    return replace(output, coming=coming, told=output.told if coming else float("-inf"))


def lost(output: Output) -> Output:
    """The output after its device went offline: nobody knows its state."""
    return replace(output, value=None)


def observed(output: Output, state: Value, now: float) -> Output:
    """The output after it was found in a state that nobody told it: claimed, or moved by hand."""
    return _with_state(output, state, now, counted=False)


def _with_state(output: Output, state: Value, now: float, *, counted: bool) -> Output:
    recent = _recent(output, now)
    if is_on(state) and not is_on(output.value):
        output = replace(output, on_since=now)
    known = output.value is not None and not output.doubtful
    if known and is_on(output.value) == is_on(state):
        return replace(output, value=state, switched=recent)
    if is_on(state):
        recent = _arrived_on(recent, output.coming, now) if counted else (*recent, now)
    return replace(output, value=state, changed=now, switched=recent, doubtful=False)


def _arrived_on(
    switched: tuple[float, ...], coming: tuple[Value, ...], now: float
) -> tuple[float, ...]:
    """The switchings after one that was told arrived: it counts from now, not from when it was
    told, which may be long ago. coming: what is on its way after it."""
    turns = zip((True, *map(is_on, coming)), map(is_on, coming), strict=False)
    later = sum(after and not before for before, after in turns)
    mine = len(switched) - 1 - later
    return (*switched, now) if mine < 0 else (*switched[:mine], now, *switched[mine + 1 :])


def _recent(output: Output, now: float) -> tuple[float, ...]:
    return tuple(t for t in output.switched if now - t < HOUR)
