"""A contact on a GPIO line: door, button, float switch, motion or leak detector.

Read at each change. A press that is over before it was looked at is not lost: it is told as on for
one look, and counted. Wiring: hardware/contact.md.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from gpiozero import Factory

from drivers.base import BusFault, Channel, Option, Reading
from drivers.gpio.pins import GPIO_MAX, Line, Pull

Name = Literal["contact", "button", "door", "window", "motion", "leak", "level_switch"]


class Held:
    """What a contact says, with presses too short to be seen, and held for a time. No I/O."""

    def __init__(self, hold: float) -> None:
        self.count = 0
        self._hold = hold
        self._on: bool | None = None
        self._unseen = False
        self._until = float("-inf")

    def change(self, on: bool, now: float) -> None:
        """What it is at when it is first looked at is no change."""
        if self._on is None:
            self._on = on
        if on and not self._on:
            self.count += 1
            self._unseen = True
        if on or self._on:
            self._until = now + self._hold
        self._on = on

    @property
    def on(self) -> bool:
        return bool(self._on)

    def look(self, now: float) -> bool:
        """On now, or within `hold` s, or since the last look."""
        seen, self._unseen = self._unseen, False
        return bool(self._on) or seen or (self._hold > 0 and now < self._until)


class Contact:
    """Its state, and how often it came on since the driver was made."""

    def __init__(
        self,
        pins: Factory,
        *,
        pin: Annotated[int, Option("GPIO (BCM) number", low=0, high=GPIO_MAX)],
        channel: Annotated[Name, Option("name of the channel")] = "contact",
        active_high: Annotated[
            bool, Option("a high level is on; false: a contact that closes to ground")
        ] = False,
        invert: Annotated[bool, Option("on is the other level: a contact that opens")] = False,
        pull: Annotated[
            Pull | Literal["auto"], Option("resistor in the Pi; auto: to the level that is off")
        ] = "auto",
        debounce: Annotated[
            float, Option("a level counts when it held so long", "s", low=0, high=0.3)
        ] = 0.03,
        hold: Annotated[
            float, Option("stays on for so long after it went off, as for motion", "s", low=0)
        ] = 0.0,
    ) -> None:
        self.channels: Sequence[Channel] = (
            Channel(channel, "state"),
            Channel("count", "count", counter=True),
        )
        self._pins = pins
        self._gpio = pin
        self._on_level = active_high != invert
        self._pull: Pull = ("down" if active_high else "up") if pull == "auto" else pull
        self._debounce = debounce
        self._held = Held(hold)
        self._doubted = False
        self._lock = threading.Lock()
        self._line: Line | None = None
        self._notice: Callable[[], None] = _nobody

    def watch(self, changed: Callable[[], None]) -> None:
        self._notice = changed

    def start(self) -> None:
        """Claim the line; what it is at counts as a change if it is another state."""
        self.close()
        line = Line(self._pins, self._gpio)
        line.input(self._pull)
        line.watch("both", self._debounce, self._changed)
        self._line = line
        self._changed(None, line.level)

    def read(self) -> Sequence[Reading]:
        """The line itself is looked at too: a kernel that was too busy drops edges. A level that
        two looks in a row find, and that no edge told, is believed."""
        if self._line is None:
            raise BusFault(f"GPIO{self._gpio} is not claimed")
        on = self._line.level == self._on_level
        with self._lock:
            now = time.monotonic()
            differs = on != self._held.on
            if differs and (self._doubted or not self._debounce):
                self._held.change(on, now)
            self._doubted = differs
            state, count = self._held.look(now), self._held.count
        name, counter = self.channels
        return (Reading(name.name, state), Reading(counter.name, count))

    def close(self) -> None:
        if self._line is not None:
            self._line.release()
            self._line = None

    def _changed(self, ticks: Any, level: bool) -> None:
        with self._lock:
            self._held.change(bool(level) == self._on_level, time.monotonic())
        self._notice()


def _nobody() -> None:
    """Before `watch`: `tidegate read` looks once and is not told of changes."""


DRIVER = Contact
