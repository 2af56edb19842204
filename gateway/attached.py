"""A device on its bus: its driver, what the gateway does to its readings, and one use of it.

`start`, `look` and `perform` are the uses, as generators that yield the seconds the device needs;
the worker of the bus runs them. `finish` runs one where nothing else is to be done.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any

from drivers.base import Actuator, Channel, Moving, NoAnswer, Sensor, Stream
from gateway.filters import ChannelFilter, Total, finite, rounded
from gateway.limits import ramp
from gateway.model import Act, Reading, Value
from gateway.rising import Rising

AT_ONCE = ("lock", "link_loss", "max_on")
RAMP_PERIOD = 0.1
"""Seconds between two values of a ramp: finer than the eye sees, coarser than a slow bus needs."""


@dataclass(slots=True)
class Attached:
    """A device on the bus, with what the gateway does to its readings.

    interval: seconds between looks; for a Stream, between samples at least. start, stop: an
    output's states, None to leave it as it is. ramp: largest change of an output a second, 0: none.
    watch: told of every look, whether it is worth recording or not.
    """

    name: str
    device: Sensor | Stream | Actuator
    interval: float
    filters: dict[str, ChannelFilter] = field(default_factory=dict)
    totals: dict[str, Total] = field(default_factory=dict)
    rising: dict[str, Rising] = field(default_factory=dict)
    start: Value | None = None
    stop: Value | None = None
    ramp: float = 0.0
    watch: Callable[[tuple[Reading, ...]], None] | None = None

    started: bool = False
    claimed: bool = False
    online: bool | None = None
    busy: bool = False
    heard: float = 0.0
    told: dict[str, float] = field(default_factory=dict)
    saved: float = 0.0
    state: Value | None = None
    acts: deque[Act] = field(default_factory=deque)
    looks: int = 0
    failures: int = 0
    corrupt: int = 0

    @property
    def interruptible(self) -> bool:
        """Whether the next act may cut the present one short."""
        return self.ramp > 0 or isinstance(self.device, Moving)

    @property
    def channels(self) -> dict[str, Channel]:
        return {channel.name: channel for channel in self.device.channels}

    def fresh(self, readings: Iterable[Reading], now: float) -> tuple[Reading, ...]:
        """What of a telegram was not told within the interval: some meters send their values in
        several telegrams by turns. Half a second of grace: a meter's second is not ours."""
        since = now - self.interval + 0.5
        found = tuple(one for one in readings if self.told.get(one.channel, since) <= since)
        self.told.update((one.channel, now) for one in found)
        return found

    def to_keep(self, stopping: bool) -> list[tuple[str, float]]:
        """Totals that have changed, by channel; at a stop also what its registers showed."""
        counts: dict[str, Total | Rising] = {**self.totals}
        if stopping:
            counts |= self.rising
        found = ((channel, count.to_keep()) for channel, count in counts.items())
        return [(channel, value) for channel, value in found if value is not None]

    def worth(self, readings: Iterable[Reading], now: float) -> tuple[Reading, ...]:
        """What of one look is recorded: totals added up, filtered, rounded."""
        channels = self.channels
        judged = tuple(self._judged(finite(reading), now) for reading in readings)
        if self.watch is not None:
            self.watch(judged)
        kept = (self._filtered(reading, now) for reading in judged)
        return tuple(
            rounded(reading, channels[reading.channel].digits)
            if reading.channel in channels
            else reading
            for reading in kept
            if reading is not None
        )

    def _judged(self, reading: Reading, now: float) -> Reading:
        total = self.totals.get(reading.channel)
        if total is not None and isinstance(reading.value, int | float):
            reading = reading._replace(value=total.add(reading.value))
        register = self.rising.get(reading.channel)
        if register is not None:
            reading = register.judged(reading)
        rule = self.filters.get(reading.channel)
        return reading if rule is None else rule.judged(reading, now)

    def _filtered(self, reading: Reading, now: float) -> Reading | None:
        rule = self.filters.get(reading.channel)
        return reading if rule is None else rule.worth(reading, now)


@dataclass(slots=True)
class Job:
    """Something begun on a device, and when it goes on."""

    attached: Attached
    steps: Generator[float, None, Any]
    act: Act | None
    due: float = 0.0


def steps_of(answer: Any) -> Generator[float, None, Any]:
    """A driver's `Steps` as a generator, whether it answered at once or waits in between."""
    if isinstance(answer, GeneratorType):
        return (yield from answer)
    return answer


def start(attached: Attached) -> Generator[float, None, None]:
    device = attached.device
    if isinstance(device, Actuator):
        # Only the first claim sets a level: after a fault the output is left as it is found.
        yield from steps_of(device.start(None if attached.claimed else attached.start))
    else:
        yield from steps_of(device.start())
    attached.started = True


def look(attached: Attached, now: float) -> Generator[float, None, Any]:
    """One look: the readings of a sensor, the state of an output; of a stream, that it lives."""
    device = attached.device
    if not attached.started:
        yield from start(attached)
        attached.heard = now
    if isinstance(device, Actuator):
        return (yield from steps_of(device.state()))
    if isinstance(device, Stream):
        if now - attached.heard > device.silence:
            raise NoAnswer(f"silent for {now - attached.heard:.0f} s")
        return None
    return (yield from steps_of(device.read()))


def is_late(act: Act, now: float) -> bool:
    """Whether its time to begin has run out."""
    return act.until is not None and now > act.until


def carry_out(attached: Attached, act: Act) -> Generator[float, None, Value]:
    """What the gateway does by itself to be safe waits for no ramp."""
    at_once = act.command is None and act.cause in AT_ONCE
    return perform(attached, act.value, at_once=at_once)


def perform(attached: Attached, value: Value, *, at_once: bool) -> Generator[float, None, Value]:
    """at_once: whatever the ramp; for what must not wait."""
    device = attached.device
    assert isinstance(device, Actuator)
    if not attached.started:
        yield from start(attached)
    if attached.ramp and not at_once:
        before = yield from steps_of(device.state())
        for level in ramp(before, value, attached.ramp, RAMP_PERIOD):
            yield from steps_of(device.set(level))
            if level != value:
                yield RAMP_PERIOD
    else:
        yield from steps_of(device.set(value))
    state: Value = yield from steps_of(device.state())
    return state


def finish(steps: Generator[float, None, Any]) -> Any:
    """Runs steps to their end, waiting as they ask: for when nobody else wants the bus."""
    while True:
        try:
            wait = next(steps)
        except StopIteration as end:
            return end.value
        time.sleep(wait)
