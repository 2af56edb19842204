"""HC-SR04, JSN-SR04T, US-100: distance by ultrasound, 2 cm to 4 m (Elec Freaks HC-SR04).

The echo's length is measured between two edges that the kernel stamps, some µs exact: 1 mm. Its
output is 5 V: hardware/hcsr04.md has the divider.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from typing import Annotated, Any, Literal

from gpiozero import Factory

from drivers.base import BusFault, Channel, NoAnswer, Option, OptionError, Quality, Reading
from drivers.gpio.pins import GPIO_MAX, Line

TRIGGER_S = 10e-6
"""At least so long."""
ECHO_MAX_S = 0.038
"""An echo that is not heard ends after so long."""
CYCLE_S = 0.06
"""From one measurement to the next, or the echo of the last is heard."""

RANGE = (0.02, 4.0)


class HcSr04:
    """The median of some pings a reading."""

    channels: Sequence[Channel] = (Channel("distance", "distance", digits=3),)

    def __init__(
        self,
        pins: Factory,
        *,
        trigger_pin: Annotated[int, Option("GPIO (BCM) number", low=0, high=GPIO_MAX, example=23)],
        echo_pin: Annotated[
            int, Option("GPIO (BCM) number, behind a divider", low=0, high=GPIO_MAX, example=24)
        ],
        pings: Annotated[Literal[1, 3, 5], Option("of which the median is taken")] = 3,
        temperature: Annotated[
            float, Option("of the air: sound is 0.2 % faster a degree", "°C", low=-40, high=60)
        ] = 20.0,
    ) -> None:
        if trigger_pin == echo_pin:
            raise OptionError("trigger_pin and echo_pin are two pins")
        self._pins = pins
        self._gpio = (trigger_pin, echo_pin)
        self._pings = pings
        self._temperature = temperature
        self._trigger: Line | None = None
        self._echo: Line | None = None
        self._lock = threading.Lock()
        self._edges: list[tuple[float, bool]] = []

    def start(self) -> None:
        self.close()
        self._trigger, self._echo = (Line(self._pins, gpio) for gpio in self._gpio)
        self._trigger.output(False)
        self._echo.input("down")
        self._echo.watch("both", 0.0, self._edge)

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        if self._trigger is None:
            raise BusFault(f"GPIO{self._gpio[0]} is not claimed")
        widths = []
        for _ in range(self._pings):
            with self._lock:
                self._edges.clear()
            self._trigger.level = True
            time.sleep(TRIGGER_S)
            self._trigger.level = False
            yield CYCLE_S
            with self._lock:
                widths.append(width_of(self._edges))
        heard = [width for width in widths if width is not None]
        if not heard:
            raise NoAnswer("no echo signal at all: wiring, or no 5 V?")
        return [decode(sorted(heard)[len(heard) // 2], self._temperature)]

    def close(self) -> None:
        for line in (self._trigger, self._echo):
            if line is not None:
                line.release()
        self._trigger = self._echo = None

    def _edge(self, ticks: Any, level: bool) -> None:
        with self._lock:
            self._edges.append((float(ticks), bool(level)))


def width_of(edges: Sequence[tuple[float, bool]]) -> float | None:
    """Seconds from the rising edge to the falling one behind it; None without both."""
    rising: float | None = None
    for at, level in edges:
        if level:
            rising = at
        elif rising is not None:
            return at - rising
    return None


def decode(width: float, temperature: float) -> Reading:
    """There and back at 331.3 + 0.606 t m/s. Nothing heard: no value."""
    if width >= ECHO_MAX_S:
        return Reading("distance", None, Quality.BAD)
    metres = width * (331.3 + 0.606 * temperature) / 2
    good = RANGE[0] <= metres <= RANGE[1]
    return Reading("distance", metres, Quality.GOOD if good else Quality.UNCERTAIN)


DRIVER = HcSr04
