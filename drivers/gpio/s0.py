"""Pulse output of an electricity, water or gas meter, or a flow sensor: counted at one GPIO line.

S0 interface: EN 62053-31 (formerly DIN 43864), class A: at most 27 V, pulses and pauses of 30 ms
or more. A reed contact and a Hall flow sensor are counted the same way. Wiring: hardware/s0.md.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from gpiozero import Factory

from drivers.base import BusFault, Channel, Option, Reading
from drivers.gpio.pins import GPIO_MAX, Line, Pull

SECONDS_PER_HOUR = 3600.0

_RATES = {
    "energy": ("power", 1000.0),
    "volume": ("volume_flow", 1.0),
    "mass": ("mass_flow", 1.0),
    "distance": ("speed", 1 / SECONDS_PER_HOUR),
    "count": ("rate", 1 / SECONDS_PER_HOUR),
}
"""What is counted: the quantity of its rate, and that rate for one unit an hour."""


class PulseCounter:
    """Pulses and their rate. The rate comes from the time between pulses, not from how many fell
    into an interval: 500 W at 1000 pulses/kWh is one pulse in 7.2 s. Without pulses it falls as
    far as is certain. No I/O; times are seconds of one monotonic clock.
    """

    def __init__(self) -> None:
        self.count = 0
        self._last = 0.0
        self._looked: tuple[int, float] | None = None  # count and time of the pulse last looked at
        self._rate = 0.0

    def pulse(self, at: float) -> None:
        self.count += 1
        self._last = at
        if self._looked is None:
            self._looked = (self.count, at)

    def rate(self, now: float) -> float:
        """Pulses a second since the last look."""
        if self._looked is None:
            return 0.0
        count, at = self._looked
        if self.count > count and self._last > at:
            self._rate = (self.count - count) / (self._last - at)
            self._looked = (self.count, self._last)
        silence = now - self._last
        if silence > 0:
            self._rate = min(self._rate, 1 / silence)
        return self._rate


class S0:
    """Counts pulses; gives the total since the driver was made, and the present rate."""

    def __init__(
        self,
        pins: Factory,
        *,
        pin: Annotated[int, Option("GPIO (BCM) number", low=0, high=GPIO_MAX)],
        pulses_per_unit: Annotated[float, Option("pulses per kWh, m³, kg, m or 1", low=0.001)],
        measures: Annotated[
            Literal["energy", "volume", "mass", "distance", "count"],
            Option("what the meter counts"),
        ] = "energy",
        offset: Annotated[
            float, Option("what the meter showed when counting began, in kWh, m³, kg, m or 1")
        ] = 0.0,
        debounce: Annotated[
            float,
            Option("a level counts when it held so long; 0 for fast sensors", "s", low=0, high=0.3),
        ] = 0.01,
        pull: Annotated[Pull, Option("resistor in the Pi; up: the contact closes to ground")] = (
            "up"
        ),
    ) -> None:
        rate_quantity, self._per_unit_hour = _RATES[measures]
        self.channels: Sequence[Channel] = (
            Channel(measures, measures, counter=True, digits=6, offset=offset),
            Channel(rate_quantity, rate_quantity),
        )
        self._pins = pins
        self._gpio = pin
        self._pulses_per_unit = pulses_per_unit
        self._debounce = debounce
        self._pull: Pull = pull
        self._line: Line | None = None
        self._lock = threading.Lock()
        self._counter = PulseCounter()

    def start(self) -> None:
        """Claim the line. What was counted before a failure stays counted."""
        self.close()
        line = Line(self._pins, self._gpio)
        line.input(self._pull)
        line.watch("rising" if self._pull == "down" else "falling", self._debounce, self._pulse)
        self._line = line

    def read(self) -> Sequence[Reading]:
        if self._line is None:
            raise BusFault(f"GPIO{self._gpio} is not claimed")
        with self._lock:
            count, rate = self._counter.count, self._counter.rate(time.monotonic())
        total, per_hour = self.channels
        return (
            Reading(total.name, count / self._pulses_per_unit),
            Reading(
                per_hour.name,
                rate * SECONDS_PER_HOUR / self._pulses_per_unit * self._per_unit_hour,
            ),
        )

    def close(self) -> None:
        if self._line is not None:
            self._line.release()
            self._line = None

    def _pulse(self, ticks: Any, level: bool) -> None:
        with self._lock:
            self._counter.pulse(time.monotonic())


DRIVER = S0
