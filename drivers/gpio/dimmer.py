"""A lamp, fan or heating mat that a switched line makes stronger or weaker (PWM).

Wiring, frequencies and what happens at a crash: hardware/dimmer.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from gpiozero import Factory

from drivers.base import Action, Channel, Option, Value
from drivers.gpio.pins import GPIO_MAX
from drivers.gpio.pwm import PwmLine
from drivers.words import percent


class Dimmer:
    """A level from 0 to 100 %, read back from the pin."""

    action = Action.SET
    channels: Sequence[Channel] = (Channel("state", "level", digits=1),)

    def __init__(
        self,
        pins: Factory,
        *,
        pin: Annotated[int, Option("GPIO (BCM) number", low=0, high=GPIO_MAX)],
        frequency: Annotated[
            float, Option("switchings a second; software timing", "Hz", low=1, high=2000)
        ] = 200.0,
        active_high: Annotated[bool, Option("high level switches on")] = True,
        minimum: Annotated[
            float, Option("a level above 0 is at least this: below, a lamp flickers", "%", 0, 99)
        ] = 0.0,
    ) -> None:
        self._line = PwmLine(pins, pin, frequency, active_high)
        self._gpio = pin
        self._minimum = minimum

    def parse(self, value: Value) -> float:
        return percent(value, "off", "on")

    def start(self, value: Value | None) -> None:
        self._line.claim(None if value is None else self._share(value))

    def set(self, value: Value) -> None:
        self._line.share = self._share(value)

    def state(self) -> float:
        return round(self._line.share * 100, 1)

    def close(self) -> None:
        self._line.close()

    def safeguard(self, value: Value) -> Sequence[str]:
        return (f"gpio {self._gpio} {self._line.level_of(self._share(value))}",)

    def _share(self, value: Value) -> float:
        level = self.parse(value)
        return max(level, self._minimum) / 100 if level else 0.0


DRIVER = Dimmer
